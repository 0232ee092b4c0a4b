"""Workers on hosts of their own share one access token by their ledger, and none of them reads another one's secret."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from zoho_clients import credentials_of

from sync_ledger.ledger import Ledger
from target_zoho_crm.api.auth import TokensDenied, TokenSource
from target_zoho_crm.api.errors import ConfigurationError

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

Host = Callable[[str], TokenSource]

WORKER = """
import sys
from pathlib import Path
from sync_ledger.ledger import Ledger
from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.auth import TokenSource
base, cache, url, stale, *secrets = sys.argv[1:]
ledger = Ledger.open(url)
source = TokenSource(Credentials(*secrets), base, Path(cache), ledger=lambda: ledger)
print(source.renew(stale).value)
"""


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    made = Ledger.open(engine_url)
    made.ensure_tables()
    yield made
    made.close()


@pytest.fixture
def host(zoho_emulator: EmulatorProcess, ledger: Ledger, tmp_path: Path) -> Host:
    """Makes the token source of a host by its name: each has a cache of its own."""

    def made(name: str) -> TokenSource:
        credentials = credentials_of(zoho_emulator)
        return TokenSource(
            credentials, zoho_emulator.base_url, tmp_path / name, first_pause=0.01, ledger=lambda: ledger
        )

    return made


def refreshes(emulator: EmulatorProcess) -> int:
    return int(emulator.admin.stats()["requests"].get("token", 0))


def rows(ledger: Ledger) -> list[sa.Row[tuple[object, ...]]]:
    with ledger.connect() as connection:
        return list(connection.execute(sa.select(ledger.tables.token)).all())


def test_hosts_of_one_ledger_ask_for_one_token(zoho_emulator: EmulatorProcess, host: Host) -> None:
    first = host("one").token()
    second = host("two").token()
    assert (second.value, second.api_domain) == (first.value, first.api_domain)
    assert second.expires_at == pytest.approx(first.expires_at, abs=60)
    assert refreshes(zoho_emulator) == 1


def test_processes_of_many_hosts_that_find_the_token_refused_renew_it_once(
    zoho_emulator: EmulatorProcess, host: Host, engine_url: str, tmp_path: Path
) -> None:
    stale = host("first").token().value
    zoho_emulator.admin.revoke_tokens()
    known = credentials_of(zoho_emulator)
    secrets = [known.client_id, known.client_secret, known.refresh_token]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, zoho_emulator.base_url, tmp_path / f"{number}", engine_url, stale, *secrets],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    renewed = {process.communicate(timeout=300)[0].strip() for process in running}
    assert len(renewed) == 1
    assert renewed.isdisjoint({stale, ""})
    assert refreshes(zoho_emulator) == 2


def test_a_denial_is_heeded_on_every_host(zoho_emulator: EmulatorProcess, host: Host) -> None:
    for number in range(11):  # ten are given in ten minutes
        source = host(f"host {number}")
        stale = source.token().value if number == 0 else stale  # noqa: F821 - of the first turn
        try:
            stale = source.renew(stale).value
        except TokensDenied:
            break
    else:
        pytest.fail("the emulator denied no token")
    asked = refreshes(zoho_emulator)
    with pytest.raises(TokensDenied, match="Run again after"):
        host("another").renew(stale)
    assert refreshes(zoho_emulator) == asked


def test_who_reads_the_ledger_reads_no_token(zoho_emulator: EmulatorProcess, host: Host, ledger: Ledger) -> None:
    token = host("one").token()
    known = credentials_of(zoho_emulator)
    (row,) = rows(ledger)
    held = json.dumps([str(value) for value in row])
    for secret in (token.value, known.client_secret, known.refresh_token, known.client_id):
        assert secret not in held


def test_what_other_credentials_left_is_neither_read_nor_changed(
    zoho_emulator: EmulatorProcess, host: Host, ledger: Ledger, tmp_path: Path
) -> None:
    host("one").token()
    (before,) = rows(ledger)
    other = credentials_of(zoho_emulator, client_secret="another")
    source = TokenSource(other, zoho_emulator.base_url, tmp_path / "other", first_pause=0.01, ledger=lambda: ledger)
    with pytest.raises(ConfigurationError):
        source.token()
    assert before in rows(ledger)


def test_a_token_that_cannot_be_decrypted_is_replaced(
    zoho_emulator: EmulatorProcess, host: Host, ledger: Ledger
) -> None:
    first = host("one").token()
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.token).values(sealed="no token"))
    second = host("two").token()
    assert second.value != first.value
    assert host("three").token().value == second.value
    assert refreshes(zoho_emulator) == 2


def test_a_worker_that_was_killed_while_it_renewed_holds_nobody_up_for_longer_than_its_claim(
    host: Host, ledger: Ledger
) -> None:
    stale = host("one").token().value
    with ledger.begin() as connection:
        before = ledger.now(connection) - timedelta(seconds=1)
        claim = {"renewer": "killed", "renewed_until": before}
        connection.execute(sa.update(ledger.tables.token).values(claim))
    assert host("two").renew(stale).value != stale
    (row,) = rows(ledger)
    assert row.renewer is None


def test_a_claim_and_a_denial_of_a_clock_that_was_set_back_hold_nobody_up(host: Host, ledger: Ledger) -> None:
    stale = host("one").token().value
    with ledger.begin() as connection:
        ahead = ledger.now(connection) + timedelta(days=1_000)
        left = {"renewer": "killed", "renewed_until": ahead, "denied_until": ahead}
        connection.execute(sa.update(ledger.tables.token).values(left))
    assert host("two").renew(stale).value != stale
