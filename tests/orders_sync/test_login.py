"""`orders-sync login` turns a grant code into a kept, tried refresh token, and never shows a secret it need not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from dotenv import dotenv_values

from orders_sync.cli import main
from orders_sync.set_up.grants import GrantCode, accounts_servers, exchange
from target_zoho_crm.api.data_centers import DATA_CENTERS
from target_zoho_crm.api.errors import ConfigurationError, TransientError
from target_zoho_crm.api.scope_names import SCOPES_NEEDED

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def environment(
    zoho_emulator: EmulatorProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """What a user would have set: no secret among it."""
    monkeypatch.chdir(tmp_path)
    base = zoho_emulator.base_url
    kept = dict(os.environ)
    yield {
        "ZOHO_CLIENT_ID": zoho_emulator.client_id,
        **{f"TARGET_ZOHO_CRM_{name}_URL": base for name in ("ACCOUNTS", "API", "UPLOAD")},
    }
    os.environ.clear()
    os.environ.update(kept)


def login(environment: dict[str, str], *options: str, typed: str) -> Result:
    return CliRunner().invoke(main, ["login", *options], input=typed, env=environment)


def test_a_new_user_types_secret_and_code_and_the_doctor_is_content(
    zoho_emulator: EmulatorProcess, environment: dict[str, str], tmp_path: Path
) -> None:
    code = zoho_emulator.admin.grant_code()
    result = login(environment, typed=f"{zoho_emulator.client_secret}\n{code}\n")
    assert result.exit_code == 0, result.output
    kept = dotenv_values(tmp_path / ".env")
    assert (kept["ZOHO_CLIENT_ID"], kept["ZOHO_DATA_CENTER"]) == (zoho_emulator.client_id, "us")
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    for secret in (zoho_emulator.client_secret, code, kept["ZOHO_REFRESH_TOKEN"]):
        assert secret
        assert secret not in result.output
    for scope in SCOPES_NEEDED:
        assert f"{scope}: granted" in result.output
    assert "Org: Emulator Shop" in result.output
    examined = CliRunner().invoke(main, ["doctor"])  # only the file holds how to reach Zoho
    assert "Token: an access token is there; Zoho is asked for client secret" in examined.output


def test_other_lines_of_the_file_stay_and_a_second_login_replaces_the_token(
    zoho_emulator: EmulatorProcess, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "secrets" / "zoho.env"
    file.parent.mkdir()
    file.write_text("# ours\nLEGACY_ORDERS_TABLE=orders\n")
    file.chmod(0o644)
    for _ in range(2):
        typed = f"{zoho_emulator.client_secret}\n{zoho_emulator.admin.grant_code()}\n"
        before = dotenv_values(file).get("ZOHO_REFRESH_TOKEN")
        assert login(environment, "--env-file", str(file), typed=typed).exit_code == 0
        assert dotenv_values(file)["ZOHO_REFRESH_TOKEN"] != before
    text = file.read_text()
    assert text.startswith("# ours\nLEGACY_ORDERS_TABLE=orders\n")
    assert text.count("ZOHO_REFRESH_TOKEN") == 1
    assert file.stat().st_mode & 0o777 == 0o600


def test_print_gives_lines_for_a_shell_and_writes_no_file(
    zoho_emulator: EmulatorProcess, environment: dict[str, str], tmp_path: Path
) -> None:
    secrets = {"ZOHO_CLIENT_SECRET": zoho_emulator.client_secret, "ZOHO_GRANT_CODE": zoho_emulator.admin.grant_code()}
    result = login(environment | secrets, "--print", "--environment", "sandbox", typed="")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert any(line.startswith("export ZOHO_REFRESH_TOKEN=1000.") for line in lines)
    assert "export TARGET_ZOHO_CRM_ENVIRONMENT=sandbox" in lines
    assert all(line.startswith("export ") for line in lines)
    assert list(tmp_path.glob(".env*")) == []


def test_missing_scopes_are_named_and_the_token_is_kept_all_the_same(
    zoho_emulator: EmulatorProcess, environment: dict[str, str], tmp_path: Path
) -> None:
    code = zoho_emulator.admin.grant_code(["ZohoCRM.modules.ALL", "ZohoCRM.settings.ALL", "ZohoCRM.org.READ"])
    result = login(environment, typed=f"{zoho_emulator.client_secret}\n{code}\n")
    assert result.exit_code == 1
    lacking = "ZohoCRM.bulk.ALL, ZohoFiles.files.ALL, ZohoCRM.users.READ, ZohoCRM.coql.READ"
    assert f"The token lacks {lacking}. Make a new refresh_token with the scopes" in result.output
    assert "ZohoCRM.settings.ALL: granted" in result.output
    assert dotenv_values(tmp_path / ".env")["ZOHO_REFRESH_TOKEN"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("{secret}\n1000.old.code\n", "the grant code is wrong, was used before, or is too old"),
        ("not-the-one\n{code}\n", "client_secret does not belong to the client_id"),
    ],
)
def test_a_refusal_says_what_to_do_and_writes_nothing(
    zoho_emulator: EmulatorProcess, environment: dict[str, str], tmp_path: Path, typed: str, told: str
) -> None:
    code = zoho_emulator.admin.grant_code()
    result = login(environment, typed=typed.format(secret=zoho_emulator.client_secret, code=code))
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / ".env").exists()


def test_a_faulty_address_does_not_cost_the_code(zoho_emulator: EmulatorProcess, environment: dict[str, str]) -> None:
    code = zoho_emulator.admin.grant_code()
    typed = f"{zoho_emulator.client_secret}\n{code}\n"
    result = login(environment | {"TARGET_ZOHO_CRM_API_URL": "http://crm.example.com"}, typed=typed)
    assert result.exit_code == 1
    assert "https" in result.output
    assert login(environment, typed=typed).exit_code == 0


def test_an_unwritable_file_does_not_lose_the_token(
    zoho_emulator: EmulatorProcess, environment: dict[str, str]
) -> None:
    typed = f"{zoho_emulator.client_secret}\n{zoho_emulator.admin.grant_code()}\n"
    result = login(environment, "--env-file", "/proc/none/.env", typed=typed)
    assert result.exit_code == 0, result.output
    assert "export ZOHO_REFRESH_TOKEN=1000." in result.stdout


# Which data centre


def test_data_centres_are_tried_in_turn_until_one_knows_the_client(
    zoho_emulator_factory: Callable[..., EmulatorProcess],
) -> None:
    first, second = zoho_emulator_factory(), zoho_emulator_factory()
    own = {"client_id": "1000.EUROPEAN", "client_secret": "ours"}
    code = second.admin.grant_code(**own)
    servers = {"us": first.base_url, "eu": second.base_url}
    grant = exchange(GrantCode.read(code), own["client_id"], own["client_secret"], servers)
    assert (grant.data_center, grant.api_domain) == ("eu", second.base_url)
    with pytest.raises(ConfigurationError, match="none of the data centres us, eu knows the client"):
        exchange(GrantCode.read(code), "1000.NOBODY", "ours", servers)


def test_the_refusal_of_the_server_that_knows_the_client_is_the_one_that_is_told(
    zoho_emulator: EmulatorProcess,
) -> None:
    servers = {"us": "http://127.0.0.1:1", "eu": zoho_emulator.base_url}
    with pytest.raises(ConfigurationError, match="grant code is wrong"):
        exchange(GrantCode.read("1000.x.y"), zoho_emulator.client_id, zoho_emulator.client_secret, servers)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1"):
        exchange(GrantCode.read("1000.x.y"), "1000.NOBODY", "s", {"us": "http://127.0.0.1:1"})


def test_a_whole_redirect_address_tells_code_place_and_redirect_uri() -> None:
    grant = GrantCode.read(
        "https://shop.example/back?state=x&code=1000.abc.def&location=eu&accounts-server=https%3A%2F%2Faccounts.zoho.eu"
    )
    assert grant == GrantCode("1000.abc.def", "eu", "https://shop.example/back")
    assert GrantCode.read(" 1000.abc.def\n") == GrantCode("1000.abc.def")
    assert "abc" not in repr(grant)


def test_a_known_place_is_asked_alone_and_else_all_are() -> None:
    assert accounts_servers("in", None) == {"in": "https://accounts.zoho.in"}
    assert accounts_servers(None, None, "sa") == {"sa": "https://accounts.zoho.sa"}
    assert list(accounts_servers(None, None)) == list(DATA_CENTERS)
    assert accounts_servers("eu", "http://127.0.0.1:8600/") == {"eu": "http://127.0.0.1:8600"}
