"""`orders-sync login`: a grant code becomes a refresh token, kept where tap and target find it, and then tried."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from orders_sync.checks.scopes import REFUSALS_EXPECTED, Scope, try_scopes
from orders_sync.config_sources.env_file import write_env_file
from orders_sync.output import say
from orders_sync.set_up.grants import Grant, GrantCode, accounts_servers, exchange
from orders_sync.set_up.login_target import login_target
from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.client import ConnectionSettings, ZohoClient
from target_zoho_crm.api.codes import CODES, ZohoCode
from target_zoho_crm.api.data_centers import DATA_CENTERS, ENVIRONMENTS, Endpoints, endpoints
from target_zoho_crm.api.errors import ZohoError
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.api.scope_names import SCOPES_NEEDED
from target_zoho_crm.config_schema import DEFAULT_MODULE

CONSOLE = "https://api-console.zoho.com"


@click.command()
@click.option("--client-id", help="Asked for if it is set nowhere.")
@click.option(
    "--data-center",
    type=click.Choice(list(DATA_CENTERS)),
    help="Where the org lives; if it is set nowhere, all are tried in turn.",
)
@click.option(
    "--environment", type=click.Choice(list(ENVIRONMENTS)), help="The org's; production if it is set nowhere."
)
@click.option("--accounts-url", help="Own base URL for tokens.")
@click.option("--api-url", help="Own base URL for the API.")
@click.option("--upload-url", help="Own base URL for uploads.")
@click.option("--module", help="Module to try scopes on; the target's if absent.")
@click.option("--target", metavar="NAME", help="The target that is meant, where the Meltano project has several.")
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to keep client and token in, readable by you alone; `.env` beside meltano.yml, or here.",
)
@click.option("--print", "printed", is_flag=True, help="Print `export` lines on stdout, and write no file.")
def login(
    client_id: str | None,
    module: str | None,
    target: str | None,
    env_file: Path | None,
    *,
    printed: bool,
    **places: str | None,
) -> None:
    """Get a refresh token for a grant code, and check whether it can do all that is needed.

    Client secret and grant code are asked for without showing them, or taken from ZOHO_CLIENT_SECRET and
    ZOHO_GRANT_CODE. In place of the code, the complete address can be given that a browser was sent back to.
    What the target has set already is taken from there, and what is new is written as it reads it.
    """
    try:
        of = login_target(target)
        known = {name: value or of.known(name) for name, value in places.items()}
        client_id = client_id or of.known("client_id") or _client_id()
        client_secret = _secret("Client secret", "ZOHO_CLIENT_SECRET")
        if "ZOHO_GRANT_CODE" not in os.environ:
            say(f"Make a grant code at {CONSOLE} (Self Client, Generate Code) with these scopes:", err=True)
            say(",".join(SCOPES_NEEDED), err=True)
        code = GrantCode.read(_secret("Grant code", "ZOHO_GRANT_CODE"))
        data_center, environment = known["data_center"], known["environment"] or "production"
        urls = {name: known[name] for name in ("accounts_url", "api_url", "upload_url")}
        endpoints(data_center or "us", environment, urls)  # wrong URLs must not cost the code, which works once
        servers = accounts_servers(data_center, urls["accounts_url"], code.location)
        grant = exchange(code, client_id, client_secret, servers)
        found = endpoints(grant.data_center, environment, urls)
    except ZohoError as error:
        raise click.ClickException(error.message) from error
    values = {
        "data_center": grant.data_center,
        "client_id": client_id,
        "client_secret": client_secret,
        "refresh_token": grant.refresh_token,
        **({"environment": environment} if environment != "production" or of.known("environment") else {}),
        **{name: url for name, url in urls.items() if url},
    }
    _save(of.to_write(values), None if printed else env_file or of.env_file)
    for hint in of.hints:
        _display(hint)
    _display(f"Data centre: {grant.data_center} ({found.accounts_url}), {environment}")
    _try(
        found,
        Credentials(client_id, client_secret, grant.refresh_token),
        module or of.known("module") or DEFAULT_MODULE,
        grant,
    )


def _save(variables: Mapping[str, str], env_file: Path | None) -> None:
    """Save the token before anything else can go wrong: its code cannot be used again."""
    if env_file is not None:
        try:
            write_env_file(env_file, variables)
        except OSError as error:
            _display(f"{env_file} cannot be written ({error.strerror}); the token follows on stdout, keep it yourself.")
        else:
            _display(f"Kept in {env_file}, readable by you alone: {', '.join(variables)}")
            return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _try(found: Endpoints, credentials: Credentials, module: str, grant: Grant) -> None:
    """Ask the org with the new token, and try each scope."""
    client = ZohoClient(ConnectionSettings(endpoints=found, credentials=credentials), credits=CreditMeter())
    try:
        scopes = try_scopes(client, module)
        org = client.org() if scopes["ZohoCRM.org.READ"] is Scope.GRANTED else {}
    except ZohoError as error:
        raise click.ClickException(f"The token is kept, but it cannot be used yet: {error.message}") from error
    finally:
        client.close()
    _display(f"Org: {org.get('company_name') or 'not named'}")
    if grant.scopes:
        _display(f"Scopes by Zoho's answer: {', '.join(grant.scopes)}")
    for name, state in scopes.items():
        _display(f"  {name}: {state.value}")
    _display(f"They are {REFUSALS_EXPECTED}.")
    missing = [name for name, state in scopes.items() if state is Scope.MISSING]
    if missing:
        raise click.ClickException(
            f"The token lacks {', '.join(missing)}. {CODES[ZohoCode.OAUTH_SCOPE_MISMATCH].remedy}"
        )
    _display("Next: `orders-sync init` makes what is missing, `orders-sync doctor` checks the set-up.")


def _client_id() -> str:
    # Meltano hands standard error on by whole lines: the question alone would not be seen.
    say("Enter the client id of your client in Zoho's API console, then its secret.", err=True)
    return str(click.prompt("Client id", err=True))


def _secret(what: str, variable: str) -> str:
    given = os.environ.get(variable)
    return given or str(click.prompt(what, hide_input=True, err=True))


def _display(text: str) -> None:
    """Stdout is for `--print` alone."""
    say(text, err=True)
