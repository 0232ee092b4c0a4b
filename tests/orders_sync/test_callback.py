"""Callbacks are hints: they wake the target sooner, and early, doubled, lost or forged ones do no harm."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import requests
import sqlalchemy as sa
from pair_of_plugins import BIN, Shop, start
from starlette.testclient import TestClient

from orders_sync.callback_receiver.callback import IDS_MOST, ids_in, receiver, secret_path
from sync_ledger.job_journal import JournalledJob, Manifest, journal_intent, journal_step
from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import CALLBACK_CHECK_SECONDS, JOB_POLLS_BESIDE_CALLBACKS
from sync_ledger.tables import JobStep
from target_zoho_crm.api.errors import Stopped
from target_zoho_crm.writing.job_polling import PollWakeup
from zoho_crm_emulator.clock import SECOND

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SECRET = "a-secret-that-nobody-guesses"
JOB = "554000000012345678"
OTHER_JOB = "554000000099999999"
OVER_JOB = "554000000077777777"
NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - the ledger's moments are naive UTC


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    """Two jobs are under way, one is over, and one is not created yet."""
    opened = Ledger.open(engine_url)
    opened.ensure_tables()
    with opened.begin() as connection:
        for job_id in ("open", "other", "over", "intended"):
            journal_intent(connection, opened.tables.job, journalled(job_id), NOON)
        for job_id, zoho_job_id in (("open", JOB), ("other", OTHER_JOB), ("over", OVER_JOB)):
            journal_step(connection, opened.tables.job, job_id, JobStep.CREATED, NOON, zoho_job_id=zoho_job_id)
        journal_step(connection, opened.tables.job, "over", JobStep.APPLIED, NOON)
    yield opened
    opened.close()


def journalled(job_id: str) -> JournalledJob:
    return JournalledJob(job_id, "orders", "run", "Orders", JobStep.INTENT, Manifest.of({"A": "1"}), credits=0)


def noted(ledger: Ledger) -> set[str]:
    job = ledger.tables.job
    with ledger.connect() as connection:
        return set(connection.execute(sa.select(job.c.job_id).where(job.c.called_back_at.is_not(None))).scalars())


def everything_but_the_note(ledger: Ledger) -> list[Any]:
    with ledger.connect() as connection:
        tables = {name: connection.execute(sa.select(table)).mappings().all() for name, table in tables_of(ledger)}
    rows = [dict(row) | {"called_back_at": None} for each in tables.values() for row in each]
    return sorted(rows, key=repr)


def tables_of(ledger: Ledger) -> list[tuple[str, sa.Table]]:
    return [(table.name, table) for table in ledger.tables.metadata.sorted_tables]


@pytest.fixture
def posts(ledger: Ledger) -> TestClient:
    return TestClient(receiver(ledger, f"/hook/{SECRET}"))


def test_a_callback_is_noted_for_the_job_it_names(ledger: Ledger, posts: TestClient) -> None:
    body = {"job_id": JOB, "operation": "upsert", "state": "COMPLETED"}
    assert posts.post(f"/hook/{SECRET}", json=body).status_code == 204
    assert noted(ledger) == {"open"}


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"state": "COMPLETED", "job_id": "123456789"}'])
def test_one_that_names_no_job_of_ours_is_a_hint_about_all_that_are_under_way(
    ledger: Ledger, posts: TestClient, body: bytes
) -> None:
    assert posts.post(f"/hook/{SECRET}", content=body).status_code == 204
    assert noted(ledger) == {"open", "other"}


@pytest.mark.parametrize(
    "path", ["/", f"/{SECRET}", "/hook/", f"/hook/{SECRET}x", f"/hook/{SECRET[:-1]}", f"/hook//{SECRET}", "/a%0A/"]
)
def test_without_the_whole_secret_nothing_is_found_and_nothing_noted(
    ledger: Ledger, posts: TestClient, path: str
) -> None:
    assert posts.post(path, json={"job_id": JOB}).status_code == 404
    assert posts.get(f"/hook/{SECRET}").status_code == 405
    assert noted(ledger) == set()


@pytest.mark.parametrize(
    "body",
    [
        {"job_id": OVER_JOB, "state": "COMPLETED"},
        {"job_id": JOB, "state": "FAILED", "result": {"download_url": "https://evil.example/x.zip"}},
        {"job_id": f"{JOB}' OR '1'='1"},
        {"ids": [str(10**18 + number) for number in range(500)]},
    ],
)
def test_a_forged_one_changes_nothing_but_the_hint(ledger: Ledger, posts: TestClient, body: dict[str, Any]) -> None:
    before = everything_but_the_note(ledger)
    for _ in range(3):
        assert posts.post(f"/hook/{SECRET}", json=body).status_code == 204
    assert everything_but_the_note(ledger) == before
    assert noted(ledger) <= {"open", "other"}


def test_a_huge_body_is_not_read(ledger: Ledger, posts: TestClient) -> None:
    assert posts.post(f"/hook/{SECRET}", content=b"9" * 100_000).status_code == 413
    assert noted(ledger) == set()


def test_a_ledger_that_does_not_answer_is_no_crash(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        ledger.tables.metadata.drop_all(connection)
    posts = TestClient(receiver(ledger, f"/{SECRET}"))
    assert posts.post(f"/{SECRET}", json={"job_id": JOB}).status_code == 503


def test_ids_are_long_numbers_each_once_and_not_too_many() -> None:
    assert ids_in(b'{"job_id": "554000000012345678", "count": 12, "again": 554000000012345678}') == [
        "554000000012345678"
    ]
    assert len(ids_in(b" ".join(str(10**17 + number).encode() for number in range(1000)))) == IDS_MOST


def test_a_path_that_could_be_guessed_is_refused() -> None:
    assert secret_path(f"https://hooks.example.com/zoho/{SECRET}") == f"/zoho/{SECRET}"
    for url in ("https://hooks.example.com", "https://hooks.example.com/zoho", f"https://hooks.example.com/{SECRET}/"):
        with pytest.raises(click.UsageError, match="token_urlsafe"):
            secret_path(url)


def test_a_wait_ends_with_news_only_once_and_with_its_time_at_the_latest() -> None:
    stop = threading.Event()
    moments = iter([None, NOON, NOON, NOON])
    looks: list[datetime | None] = []

    def called_back() -> datetime | None:
        looks.append(next(moments))
        return looks[-1]

    wakeup = PollWakeup(stop, called_back)
    wakeup.wait(60)
    assert looks == [None, NOON]
    wakeup.wait(1.5)
    assert len(looks) == 4  # the same callback again is no news: the whole time is waited
    stop.set()
    with pytest.raises(Stopped):
        wakeup.wait(60)


# The whole way: the target, the receiver, and the CRM that calls it


@contextmanager
def receiving(ack_url: str) -> Iterator[str]:
    """A receiver process; gives its callback URL."""
    options = ["--port", "0", "--ack-url", ack_url, "--callback-url", f"http://127.0.0.1/hook/{SECRET}"]
    process = start([BIN / "orders-sync", "callback", *options])
    assert process.stderr is not None
    base = process.stderr.readline().split()[-1]
    try:
        yield f"{base}/hook/{SECRET}"
    finally:
        process.terminate()
        log = process.communicate(timeout=120)[1]
        assert SECRET not in log
        assert "Traceback" not in log


@pytest.fixture
def slow_crm(zoho_emulator: EmulatorProcess) -> EmulatorProcess:
    zoho_emulator.admin.settings(job_seconds=2)
    return zoho_emulator


def bulk_shop(url: str, crm: EmulatorProcess, folder: Path, **target: Any) -> Shop:
    shop = Shop(url, crm, folder, target_config={"channel": "bulk_write", **target})
    shop.insert([f"SO-{number}" for number in range(30)])
    return shop


def requests_of(crm: EmulatorProcess, method: str, start_of_path: str) -> list[dict[str, Any]]:
    logged = crm.admin.requests(last=1000)
    return [each for each in logged if each["method"] == method and each["path"].startswith(start_of_path)]


def seconds_until_first_poll(crm: EmulatorProcess) -> float:
    (created,) = requests_of(crm, "POST", "/crm/bulk/v8/write")
    polls = requests_of(crm, "GET", "/crm/bulk/v8/write/")
    return (min(poll["at"] for poll in polls) - created["at"]) / SECOND


def test_a_callback_wakes_the_target_which_then_asks_zoho_itself(
    sqlite_url: str, slow_crm: EmulatorProcess, tmp_path: Path
) -> None:
    with receiving(sqlite_url) as url:
        slow_crm.admin.settings(job_seconds=0.5)  # long before the target would ask by itself
        shop = bulk_shop(sqlite_url, slow_crm, tmp_path, callback_url=url)
        ended = shop.run()
    assert ended.code == 0, ended.err
    shop.assert_all_synced()
    assert SECRET not in ended.err
    assert slow_crm.admin.stats()["requests"]["bulk_poll"] == 1
    assert 0.5 <= seconds_until_first_poll(slow_crm) < JOB_POLLS_BESIDE_CALLBACKS.shortest
    assert all(SECRET not in (job.create_body or "") for job in shop.jobs())


def test_without_a_callback_the_target_asks_more_often(
    sqlite_url: str, slow_crm: EmulatorProcess, tmp_path: Path
) -> None:
    shop, admin = bulk_shop(sqlite_url, slow_crm, tmp_path), slow_crm.admin
    admin.set_clock("manual")  # the job goes on until it has been asked for often enough
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(shop.run)
        while admin.stats()["requests"].get("bulk_poll", 0) <= 5:
            assert not running.done(), running.result().err
            time.sleep(0.02)
        admin.set_clock("real")
        assert running.result().code == 0
    shop.assert_all_synced()


@pytest.mark.parametrize(
    "when", ["early", *(pytest.param(each, marks=pytest.mark.nightly) for each in ("twice", "never"))]
)
def test_a_callback_early_twice_or_never_does_no_harm(
    sqlite_url: str, slow_crm: EmulatorProcess, tmp_path: Path, when: str
) -> None:
    slow_crm.admin.add_fault("bulk_create", kind="callback", callback=when)
    with receiving(sqlite_url) as url:
        shop = bulk_shop(sqlite_url, slow_crm, tmp_path, callback_url=url)
        ended = shop.run()
    assert ended.code == 0, ended.err
    assert (ended.summary["read"], ended.summary["synced"]) == (30, 30)
    shop.assert_all_synced()


def test_a_receiver_that_is_not_there_does_no_harm(sqlite_url: str, slow_crm: EmulatorProcess, tmp_path: Path) -> None:
    shop = bulk_shop(sqlite_url, slow_crm, tmp_path, callback_url=f"http://127.0.0.1:1/{SECRET}")
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_forged_callbacks_while_a_job_runs_do_no_harm(
    sqlite_url: str, slow_crm: EmulatorProcess, tmp_path: Path
) -> None:
    """Somebody knows the path, and says of every job, again and again, that it has failed."""
    over = threading.Event()
    with receiving(sqlite_url) as url:
        shop = bulk_shop(sqlite_url, slow_crm, tmp_path, callback_url=url)
        answers: list[int] = []

        def forge() -> None:
            while not over.wait(0.05):
                answers.append(
                    requests.post(url, json={"state": "FAILED", "skipped_count": 30}, timeout=120).status_code
                )

        forger = threading.Thread(target=forge)
        forger.start()
        try:
            ended = shop.run()
        finally:
            over.set()
            forger.join()
    assert set(answers) == {204}
    assert (ended.code, ended.summary["synced"]) == (0, 30), ended.err
    shop.assert_all_synced()
    (created,) = requests_of(slow_crm, "POST", "/crm/bulk/v8/write")
    polls = requests_of(slow_crm, "GET", "/crm/bulk/v8/write/")
    seconds = (polls[-1]["at"] - created["at"]) / SECOND
    assert len(polls) <= 2 + seconds / CALLBACK_CHECK_SECONDS  # not one for each of the many hints


def test_the_receiver_listens_on_loopback_alone_unless_told_otherwise(sqlite_url: str) -> None:
    with receiving(sqlite_url) as url:
        port = int(url.split(":")[2].partition("/")[0])
        with closing(socket.socket()) as probe:
            probe.settimeout(120)
            assert probe.connect_ex(("127.0.0.1", port)) == 0
        with closing(socket.socket()) as probe:
            probe.settimeout(120)
            assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_the_command_refuses_a_guessable_path() -> None:
    done = subprocess.run(
        [BIN / "orders-sync", "callback", "--callback-url", "https://hooks.example.com/zoho"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 2
    assert "must end with a secret" in done.stderr
