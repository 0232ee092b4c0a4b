from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import pytest
from zoho_clients import credentials_of

from sync_ledger.retry_schedules import TOKEN_RENEWAL
from target_zoho_crm.api.access_token import AccessToken, Credentials
from target_zoho_crm.api.auth import TokensDenied, TokenSource
from target_zoho_crm.api.errors import ConfigurationError, QuotaError, Stopped, TransientError

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


def source(emulator: EmulatorProcess, cache: Path, **options: Any) -> TokenSource:
    credentials = options.pop("credentials", credentials_of(emulator))
    return TokenSource(credentials, emulator.base_url, cache, first_pause=0.01, **options)


def refreshes(emulator: EmulatorProcess) -> int:
    return int(emulator.admin.stats()["requests"].get("token", 0))


def cache_file(cache: Path) -> Path:
    (found,) = cache.glob("token-*.json")
    return found


def test_a_token_is_asked_for_once_and_shared_by_later_runs(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    first = source(zoho_emulator, tmp_path).token()
    assert source(zoho_emulator, tmp_path).token() == first
    assert first.api_domain == zoho_emulator.base_url
    assert refreshes(zoho_emulator) == 1


def test_threads_that_find_the_token_refused_renew_it_once(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    tokens = source(zoho_emulator, tmp_path)
    stale = tokens.token().value
    zoho_emulator.admin.revoke_tokens()
    with ThreadPoolExecutor(12) as pool:
        renewed = set(pool.map(lambda _: tokens.renew(stale).value, range(24)))
    assert len(renewed) == 1
    assert renewed != {stale}
    assert refreshes(zoho_emulator) == 2


def test_processes_that_find_the_token_refused_renew_it_once(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    stale = source(zoho_emulator, tmp_path).token().value
    code = (
        "import sys; from pathlib import Path; from target_zoho_crm.api.auth import *\n"
        "base, cache, stale, *secrets = sys.argv[1:]\n"
        "print(TokenSource(Credentials(*secrets), base, Path(cache)).renew(stale).value)"
    )
    known = credentials_of(zoho_emulator)
    secrets = [known.client_id, known.client_secret, known.refresh_token]
    command = [sys.executable, "-c", code, zoho_emulator.base_url, str(tmp_path), stale, *secrets]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    renewed = {process.communicate(timeout=300)[0].strip() for process in running}
    assert len(renewed) == 1
    assert renewed != {stale, ""}
    assert refreshes(zoho_emulator) == 2


def test_a_token_that_ends_soon_is_renewed_early(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    now = [time.time()]
    tokens = source(zoho_emulator, tmp_path, clock=lambda: now[0])
    first = tokens.token()
    now[0] += 3_400
    assert tokens.token() == first
    now[0] += 100
    assert tokens.token() != first
    now[0] -= 86_400  # a clock that was set back makes the cached end unbelievable
    assert tokens.token() != first
    assert refreshes(zoho_emulator) == 3


def test_the_cache_is_for_its_owner_only(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    token = source(zoho_emulator, cache).token()
    assert cache.stat().st_mode & 0o777 == 0o700
    assert cache_file(cache).stat().st_mode & 0o777 == 0o600
    assert json.loads(cache_file(cache).read_text())["value"] == token.value
    assert not list(cache.glob(".token-*"))
    names = "".join(path.name for path in cache.iterdir())
    assert zoho_emulator.refresh_token not in names
    other = source(zoho_emulator, cache, credentials=credentials_of(zoho_emulator, refresh_token="other"))
    with pytest.raises(ConfigurationError):
        other.token()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"value": 1}', b"\xff\xfe", b'{"value":"x"}'])
def test_a_cache_file_that_cannot_be_read_is_written_anew(
    zoho_emulator: EmulatorProcess, tmp_path: Path, content: bytes
) -> None:
    token = source(zoho_emulator, tmp_path).token()
    cache_file(tmp_path).write_bytes(content)
    renewed = source(zoho_emulator, tmp_path).token()
    assert renewed.value != token.value
    assert json.loads(cache_file(tmp_path).read_text())["value"] == renewed.value


def planted(expires_in: float = 3_000) -> bytes:
    return json.dumps({"value": "planted", "api_domain": "", "expires_at": time.time() + expires_in}).encode()


def test_a_cache_file_that_is_not_surely_ours_is_not_believed(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    source(zoho_emulator, tmp_path).token()
    file = cache_file(tmp_path)
    elsewhere = tmp_path / "elsewhere"

    def readable_by_others() -> None:
        file.write_bytes(planted())
        file.chmod(0o644)

    def symlink() -> None:
        elsewhere.write_bytes(planted())
        elsewhere.chmod(0o600)
        file.unlink()
        file.symlink_to(elsewhere)

    def pipe() -> None:
        file.unlink()
        os.mkfifo(file, 0o600)

    def foreign() -> None:
        file.unlink()
        file.write_bytes(planted())
        file.chmod(0o600)
        os.chown(file, 12345, -1)

    cases = [readable_by_others, symlink, pipe]
    if os.geteuid() == 0:
        cases.append(foreign)  # only root can give a file away
    for plant in cases:
        plant()
        assert source(zoho_emulator, tmp_path).token().value != "planted"
        assert not file.is_symlink()
        assert file.stat().st_mode & 0o777 == 0o600
    assert b"planted" in elsewhere.read_bytes()


def test_a_cache_folder_that_others_may_enter_is_closed_to_them(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for mode in (0o777, 0o755, 0o710):
        cache.chmod(mode)
        source(zoho_emulator, cache).token()
        assert cache.stat().st_mode & 0o777 == 0o700
    assert refreshes(zoho_emulator) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_cache_folder_of_somebody_else_is_not_used(
    zoho_emulator: EmulatorProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    os.chown(cache, 12345, -1)
    assert source(zoho_emulator, cache).token().value
    assert "not cached" in caplog.text
    assert list(cache.glob("token-*.json")) == []


def test_a_planted_file_of_our_own_would_have_been_believed(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    source(zoho_emulator, tmp_path).token()
    cache_file(tmp_path).write_bytes(planted())
    assert source(zoho_emulator, tmp_path).token().value == "planted"


def test_a_directory_that_cannot_be_written_costs_the_cache_and_not_the_run(
    zoho_emulator: EmulatorProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    tokens = source(zoho_emulator, in_the_way / "cache")
    assert tokens.token().value
    assert tokens.renew(tokens.token().value).value
    assert caplog.text.count("not cached") == 1


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"refresh_token": "wrong"}, "invalid_code", "refresh_token"),
        ({"client_id": "wrong"}, "invalid_client", "data_center"),
        ({"client_secret": "wrong"}, "invalid_client_secret", "client_secret"),
    ],
)
def test_wrong_credentials_stop_the_run_with_what_to_do(
    zoho_emulator: EmulatorProcess, tmp_path: Path, changes: dict[str, str], code: str, words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        source(zoho_emulator, tmp_path, credentials=credentials_of(zoho_emulator, **changes)).token()
    assert caught.value.code == code
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert refreshes(zoho_emulator) == 1


def test_too_many_refreshes_end_the_asking_until_ten_minutes_are_over(
    zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    now = [time.time()]
    zoho_emulator.admin.add_fault("token", kind="answer", canned="access_denied", times=1)
    tokens = source(zoho_emulator, tmp_path, clock=lambda: now[0])
    for asking in (tokens, tokens, source(zoho_emulator, tmp_path, clock=lambda: now[0])):
        with pytest.raises(QuotaError, match="10 in 10 minutes") as caught:
            asking.token()
        assert caught.value.code == "ACCESS_DENIED"
    assert refreshes(zoho_emulator) == 1
    assert cache_file(tmp_path).stat().st_mode & 0o777 == 0o600
    now[0] += 599
    with pytest.raises(QuotaError):
        tokens.token()
    now[0] += 1
    assert tokens.token().value
    assert refreshes(zoho_emulator) == 2


def test_a_denial_of_a_clock_that_was_set_back_is_not_believed(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    now = [time.time()]
    zoho_emulator.admin.add_fault("token", kind="answer", canned="access_denied", times=1)
    tokens = source(zoho_emulator, tmp_path, clock=lambda: now[0])
    with pytest.raises(QuotaError):
        tokens.token()
    now[0] -= 60
    assert tokens.token().value


def test_without_a_cache_the_process_remembers_the_denial(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    zoho_emulator.admin.add_fault("token", kind="answer", canned="access_denied")
    tokens = source(zoho_emulator, in_the_way / "cache")
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(tokens.token) for _ in range(16)]
    assert {type(each.exception()) for each in asking} == {TokensDenied}
    assert refreshes(zoho_emulator) == 1


def test_a_token_that_another_process_has_ends_the_wait(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    zoho_emulator.admin.add_fault("token", kind="answer", canned="access_denied", times=1)
    with pytest.raises(QuotaError):
        source(zoho_emulator, tmp_path).token()
    waiting = source(zoho_emulator, tmp_path, patient=True)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(waiting.token)
        file = cache_file(tmp_path)
        with filelock.FileLock(file.with_suffix(".lock")):  # as the other process does
            file.write_bytes(planted())
        assert answer.result(30).value == "planted"
    assert refreshes(zoho_emulator) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "answer", "canned": "bad_gateway"},
        {"kind": "answer", "canned": "not_json"},
        {"kind": "answer", "status": 200, "body": {}},
        {"kind": "answer", "status": 200, "body": {"access_token": ""}},
        {"kind": "answer", "status": 500, "body": {"error": "server_error"}},
        {"kind": "answer", "status": 503, "body": {"error": "invalid_client"}},
        {"kind": "answer", "status": 429, "body": {"error": "too_many_requests"}},
        {"kind": "answer", "status": 500, "body": {"code": "INTERNAL_ERROR", "status": "error"}},
        {"kind": "lost_before"},
        {"kind": "lost_after"},
    ],
)
def test_an_accounts_server_that_stumbles_is_asked_again(
    zoho_emulator: EmulatorProcess, tmp_path: Path, fault: dict[str, Any]
) -> None:
    number = zoho_emulator.admin.add_fault("token", times=2, **fault)
    assert source(zoho_emulator, tmp_path).token().value
    assert zoho_emulator.admin.fired(number) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_outage_of_the_accounts_server_that_speaks_json_is_no_fault_of_the_set_up(
    zoho_emulator: EmulatorProcess, tmp_path: Path, status: int
) -> None:
    number = zoho_emulator.admin.add_fault("token", kind="answer", status=status, body={"error": "invalid_code"})
    with pytest.raises(TransientError, match=f"HTTP {status}") as caught:
        source(zoho_emulator, tmp_path).token()
    assert zoho_emulator.admin.fired(number) == TOKEN_RENEWAL.attempts
    assert "refresh_token" not in str(caught.value)


def test_a_redirect_of_the_accounts_server_is_not_followed(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    location = {"Location": f"{zoho_emulator.base_url}/elsewhere"}
    zoho_emulator.admin.add_fault("token", kind="answer", status=307, body={}, headers=location)
    with pytest.raises(TransientError):
        source(zoho_emulator, tmp_path).token()
    assert not [each for each in zoho_emulator.admin.requests() if "elsewhere" in each["path"]]


def test_a_stop_ends_the_wait_for_a_token(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    for canned, patient in (("bad_gateway", False), ("access_denied", True)):
        fault = zoho_emulator.admin.add_fault("token", kind="answer", canned=canned)
        with pytest.raises(Stopped):
            source(zoho_emulator, tmp_path, stop=stop, patient=patient).token()
        zoho_emulator.admin.remove_fault(fault)


def test_an_unreachable_accounts_server_is_named(tmp_path: Path) -> None:
    tokens = TokenSource(Credentials("a", "b", "c"), "http://127.0.0.1:9", tmp_path, first_pause=0.01)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9") as caught:
        tokens.token()
    assert caught.value.code == "NO_CONNECTION"


def test_no_secret_stands_in_a_repr_a_log_or_an_error(
    zoho_emulator: EmulatorProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    known = credentials_of(zoho_emulator)
    token = source(zoho_emulator, tmp_path).token()
    wrong = credentials_of(zoho_emulator, refresh_token="a-secret-refresh-token")
    with pytest.raises(ConfigurationError) as caught:
        source(zoho_emulator, tmp_path, credentials=wrong).token()
    shown = f"{known!r} {token!r} {caplog.text} {caught.value!s} {caught.value!r}"
    assert "POST /oauth/v2/token" in caplog.text, "urllib3's debug log was on"
    for secret in (known.client_secret, known.refresh_token, token.value, "a-secret-refresh-token"):
        assert secret not in shown
    assert AccessToken("x", "", 0.0) == AccessToken("x", "", 0.0)
