"""`orders-sync callback`: receives Zoho's note that a job has ended, keeps it in the ledger, and so wakes the target.

What comes in is a hint and nothing more: it is not signed, its form is not documented, and whoever knows the path can
send it. So nothing of it is believed; the target that waits for a job asks Zoho itself how it stands.
"""

from __future__ import annotations

import hmac
import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from orders_sync.callback_receiver.callback_connections import server_options
from orders_sync.config_sources.configs import ConfigFiles, Named, given_to_target
from orders_sync.config_sources.ledgers import ledger_and_config_options
from sync_databases.database_errors import DatabaseError
from sync_ledger.callback_notes import note_callback
from sync_ledger.ledger import Ledger
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.settings import default_ledger_url

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

BODY_BYTES_MOST = 64 * 1024
IDS_MOST = 50
SECRET_LENGTH = 16
_ID = re.compile(rb"\d{6,64}")

logger = logging.getLogger("orders-sync")


def ids_in(body: bytes) -> list[str]:
    """What may be a job's id in a body of whatever form: its longer numbers, each once, at most `IDS_MOST`."""
    found = dict.fromkeys(match.group().decode() for match in _ID.finditer(body))
    return list(found)[:IDS_MOST]


def secret_path(callback_url: str) -> str:
    """The path of the target's `callback_url`, whose last part is the secret.

    Raises:
        click.UsageError: there is none, or one that could be guessed.
    """
    path = urlsplit(callback_url).path
    if len(path.rpartition("/")[2]) < SECRET_LENGTH:
        raise click.UsageError(
            f"callback_url must end with a secret of at least {SECRET_LENGTH} characters, such as the output of: "
            'python3 -c "import secrets; print(secrets.token_urlsafe())"'
        )
    return path


def receiver(ledger: Ledger, path: str) -> Starlette:
    """The receiver as an ASGI application: a POST to `path` is noted, anything else is not found."""
    from starlette.applications import Starlette  # noqa: PLC0415 - an optional extra
    from starlette.concurrency import run_in_threadpool  # noqa: PLC0415
    from starlette.requests import ClientDisconnect  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    def note(ids: list[str]) -> int:
        return ledger.transact(
            lambda connection: note_callback(connection, ledger.tables.job, ids, ledger.now(connection))
        )

    async def receive(request: Request) -> Response:
        if not hmac.compare_digest(request.url.path.encode(), path.encode()):
            return Response(status_code=404)
        body = bytearray()
        try:
            async for block in request.stream():
                body += block
                if len(body) > BODY_BYTES_MOST:
                    return Response(status_code=413)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        try:
            noted = await run_in_threadpool(note, ids_in(bytes(body)))
        except DatabaseError as error:
            logger.warning("A callback is not noted, the target finds out by asking: %s", error)
            return Response(status_code=503)
        logger.info("A callback was noted for %d open jobs", noted)
        return Response(status_code=204)

    app = Starlette(routes=[Route("/{path:path}", receive, methods=["POST"])])
    app.router.redirect_slashes = False  # no answer may show that another path exists
    return app


def _callback_url(files: ConfigFiles) -> str:
    try:
        given = given_to_target(files)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    found = given.texts.get("callback_url") or given.config.get("callback_url")
    if not found:
        variable = given.variables.get("callback_url", "TARGET_ZOHO_CRM_CALLBACK_URL")
        raise click.UsageError(f"the target has no `callback_url`: set {variable}, or give --callback-url")
    return str(found)


@click.command()
@click.option(
    "--callback-url",
    help="The target's `callback_url`; its path ends with the secret. Better in the target's settings than here.",
)
@ledger_and_config_options
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8700, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def callback(
    callback_url: str | None,
    ack_url: str | None,
    ack_schema: str | None,
    tap_config: Named,
    target_config: Named,
    host: str,
    port: int,
) -> None:
    """Receive Zoho's callbacks and wake the waiting target.

    Zoho calls public https addresses only: put a web server in front that passes the path on unchanged.
    """
    path = secret_path(callback_url or _callback_url(ConfigFiles(tap_config, target_config)))
    try:
        import uvicorn  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is not installed; run: pip install 'orders-sync[callback]'"
        ) from error
    try:
        ledger = Ledger.open(ack_url or default_ledger_url(), ack_schema)
        ledger.ensure_tables()
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = uvicorn.Config(receiver(ledger, path), host=host, port=port, **server_options())
    try:
        with config.bind_socket() as listener:
            listener.listen()  # else who calls before the server is ready would be refused
            click.echo(f"orders-sync callback listens on http://{host}:{listener.getsockname()[1]}", err=True)
            uvicorn.Server(config).run([listener])
    finally:
        ledger.close()
