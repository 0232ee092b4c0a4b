"""The command `ui`: the ledger as a page on this machine."""

from __future__ import annotations

import secrets
import socket

import click

from orders_sync.config_sources.ledgers import existing_ledger, ledger_options, streams_of
from orders_sync.live_page.live_ledger import LiveLedger
from orders_sync.output import say


@click.command()
@ledger_options
@click.option("--port", default=8701, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
def ui(ack_url: str | None, ack_schema: str | None, port: int) -> None:
    """Show the last days, an order by its key, and refused orders with retry and dismiss, in a browser.

    Listens on this machine alone. The address holds a token that is new with each start: whoever has it may decide.
    """
    try:
        import uvicorn  # noqa: PLC0415 - an optional extra

        from orders_sync.live_page.server import application  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is not installed; run: pip install 'orders-sync[ui]'") from error
    with existing_ledger(ack_url, ack_schema) as ledger, socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            why = f"port {port} cannot be used: {error.strerror}; choose another by --port"
            raise click.ClickException(why) from error
        listening.listen()  # before the address is known to anybody
        token, taken = secrets.token_urlsafe(24), listening.getsockname()[1]
        app = application(LiveLedger(ledger, lambda: streams_of(ledger)), token, taken)
        say(f"http://127.0.0.1:{taken}/{token}/")
        config = uvicorn.Config(app, log_level="error", access_log=False, ws="none", server_header=False)
        uvicorn.Server(config).run(sockets=[listening])
