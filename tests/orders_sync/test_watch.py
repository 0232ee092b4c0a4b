"""`orders-sync watch`: each thing that is wrong is told once by each channel, and once more when it is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import forked
import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from click.testing import CliRunner, Result
from ledger_runs import run_row
from own_servers import free_port
from pair_of_plugins import Shop, start
from webhook_receiver import Receiver, webhook_receiver

from orders_sync.alerts.conditions import usual_interval
from orders_sync.cli import main
from sync_ledger.alerts import AlertLog
from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import ALERT_CLAIM_SECONDS
from sync_ledger.run_facts import InPart
from sync_ledger.tables import RUN_COUNTS

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

SECRET = "a secret"
TOLD_WITHIN_SECONDS = 120
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    yield ledger
    ledger.close()


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("ORDERS_SYNC_NOTIFY_SECRET", SECRET)
    with webhook_receiver() as made:
        yield made


class Mailbox:
    """Keeps the mails that it is given."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name to aiosmtpd
        self.mails.append((envelope.content or b"").decode())  # type: ignore[union-attr]
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[str, Mailbox]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield f"mailto://127.0.0.1:{controller.port}?from=sync@example.com&to=ops@example.com&mode=insecure", box
    controller.stop()


def now(ledger: Ledger) -> datetime:
    with ledger.connect() as connection:
        return ledger.now(connection)


def add_run(ledger: Ledger, ended: str | None, ago: timedelta, **values: Any) -> None:
    """A run that began so long ago, took half a minute, and ended so; None: it lives on another host."""
    began, identity = now(ledger) - ago, uuid.uuid4().hex
    row = run_row(identity, began, began + MINUTE / 2 if ended else None, how_ended=ended, **values)
    with ledger.begin() as connection:
        connection.execute(sa.insert(ledger.tables.run), row)


def watch(ledger: Ledger, *options: str) -> Result:
    url = ledger.engine.url.render_as_string(hide_password=False)
    return CliRunner().invoke(main, ["watch", "--once", "--ack-url", url, *options])


def told(ledger: Ledger, *options: str) -> list[str]:
    ended = watch(ledger, *options)
    assert ended.exit_code == 0, ended.output
    return ended.output.splitlines()


def test_a_run_that_failed_is_told_once_and_its_end_once(ledger: Ledger) -> None:
    add_run(ledger, "finished", 30 * MINUTE)
    assert told(ledger) == []
    add_run(ledger, "failed", 20 * MINUTE)
    (line,) = told(ledger)
    assert line.startswith("Zoho CRM sync, stream orders: failed: run ")
    assert told(ledger) == []
    add_run(ledger, "terminated", 15 * MINUTE)  # somebody ended it: says nothing
    add_run(ledger, "failed", 14 * MINUTE)  # still failing: nothing new
    assert told(ledger) == []
    add_run(ledger, "finished", 10 * MINUTE)
    (line,) = told(ledger)
    assert line.startswith("Zoho CRM sync, stream orders: failed is over: run ")
    assert told(ledger) == []
    add_run(ledger, "died", 5 * MINUTE)
    assert "ended without saying so" in told(ledger)[0]


def test_why_a_run_failed_is_told_and_displayed(ledger: Ledger) -> None:
    why = "accounts.zoho.com gave no token: invalid_code"
    counts = {f"{name}_count": 0 for name in RUN_COUNTS}
    add_run(ledger, "failed", 20 * MINUTE, error=why, **counts)
    url = ledger.engine.url.render_as_string(hide_password=False)
    (line,) = told(ledger)
    assert line.endswith(f"UTC: {why}")
    for command in (["runs"], ["status"], ["results", runs_named(ledger)[0]]):
        shown = CliRunner().invoke(main, [*command, "--ack-url", url])
        assert why in shown.output, shown.output
    out = CliRunner().invoke(main, ["runs", "--ack-url", url, "--json"]).output
    assert json.loads(out)["runs"][0]["error"] == why


def runs_named(ledger: Ledger) -> list[str]:
    with ledger.connect() as connection:
        return list(connection.execute(sa.select(ledger.tables.run.c.run_id)).scalars())


def test_each_partition_fails_by_itself(ledger: Ledger) -> None:
    add_run(ledger, "failed", 60 * MINUTE)  # of before the stream was split
    add_run(ledger, "finished", 20 * MINUTE, partition_name="1/2")
    add_run(ledger, "failed", 20 * MINUTE, partition_name="2/2")
    (line,) = told(ledger)
    assert "failed 2/2" in line
    add_run(ledger, "finished", 10 * MINUTE, partition_name="2/2")
    assert "failed 2/2 is over" in told(ledger)[0]


def test_a_run_without_a_sign_of_life_is_told(ledger: Ledger) -> None:
    add_run(ledger, None, 10 * MINUTE, heartbeat_at=now(ledger))
    assert told(ledger) == []
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.run).values(heartbeat_at=now(ledger) - 1.5 * MINUTE))
    (line,) = told(ledger)
    assert "stuck" in line
    assert "no sign of life for 90 s" in line or "no sign of life for 91 s" in line


def test_a_run_that_did_not_begin_is_told(ledger: Ledger) -> None:
    for number in range(8):
        add_run(ledger, "finished", (6.5 + 5 * number) * MINUTE)
    assert told(ledger, "--every", "10m") == []
    (line,) = told(ledger, "--every", "5m")
    assert "missing: no run has begun since" in line
    assert "one begins every 5 min" in line


@pytest.mark.parametrize("part", InPart)
def test_a_run_of_part_of_the_orders_ends_no_failure_and_no_missing_schedule(ledger: Ledger, part: InPart) -> None:
    add_run(ledger, "failed", 30 * MINUTE)
    add_run(ledger, "finished", 2 * MINUTE, in_part=part.value)
    assert {line.split(": ")[1] for line in told(ledger, "--every", "10m")} == {"failed", "missing"}


@pytest.mark.parametrize(("minutes_ago", "is_told"), [(6, False), (9, True)])
def test_how_often_runs_begin_is_concluded_from_those_so_far(
    ledger: Ledger, minutes_ago: int, *, is_told: bool
) -> None:
    for number in range(8):
        add_run(ledger, "finished", (minutes_ago + 5 * number) * MINUTE)
    assert any("missing" in line for line in told(ledger)) is is_told


def test_no_schedule_is_concluded_from_runs_by_hand() -> None:
    start_of_all = datetime(2026, 1, 1)  # noqa: DTZ001 - the ledger's times are naive UTC
    by_hand = [start_of_all - timedelta(hours=hours) for hours in (0, 1, 1.2, 9, 30, 31, 55, 80)]
    assert usual_interval(by_hand) is None
    assert usual_interval([start_of_all - number * MINUTE for number in range(5)]) is None, "five say too little"
    jittered = [start_of_all - number * 10 * MINUTE + (number % 3) * MINUTE / 6 for number in range(30)]
    found = usual_interval(jittered)
    assert found is not None
    assert abs(found - 10 * MINUTE) < MINUTE


def test_limits_that_are_passed_are_told(ledger: Ledger) -> None:
    add_run(ledger, "finished", 30 * MINUTE, credits=950)
    lines = told(ledger, "--max-age", "15m", "--credit-limit", "1000", "--every", "2h")
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == ["credits", "no run"]
    assert "950 credits were spent in 24 hours, 95% of the limit" in lines[0]


def test_what_was_not_delivered_is_told_by_the_next_look(ledger: Ledger, webhook: Receiver) -> None:
    add_run(ledger, "failed", 20 * MINUTE)
    webhook.status = 503
    ended = watch(ledger, "--notify", webhook.url)
    assert (ended.exit_code, webhook.posts) == (1, [])
    assert "failed could not be sent by http://127.0.0.1: HTTP 503" in ended.output
    assert "/told" not in ended.output, "what stands in a URL may be secret"
    webhook.status = 204
    for _ in range(3):
        assert watch(ledger, "--notify", webhook.url).exit_code == 0
    (document,) = webhook.documents(SECRET)
    assert (document["event"], document["stream"], document["condition"]) == ("wrong", "orders", "failed")


def test_a_channel_that_fails_keeps_nothing_from_the_others(
    ledger: Ledger, webhook: Receiver, mailbox: tuple[str, Mailbox]
) -> None:
    mail, box = mailbox
    add_run(ledger, "failed", 20 * MINUTE)
    webhook.status = 500
    assert watch(ledger, "--notify", webhook.url, "--notify", mail).exit_code == 1
    webhook.status = 200
    assert watch(ledger, "--notify", webhook.url, "--notify", mail).exit_code == 0
    assert (len(webhook.posts), len(box.mails)) == (1, 1)
    assert "Zoho CRM sync, stream orders: failed" in box.mails[0].replace("\r\n ", " ")


def test_two_watchers_tell_once_and_a_dead_one_keeps_nothing_back(ledger: Ledger) -> None:
    one, other = AlertLog(ledger), AlertLog(ledger)
    (alert,) = one.note("orders", {"failed": "why"}, ["output"])
    (seen,) = other.note("orders", {"failed": "why"}, ["output"])
    assert (one.claim(alert), other.claim(seen)) == (True, False)
    assert other.note("orders", {"failed": "why"}, ["output"]) == []
    with ledger.begin() as connection:  # the one that claimed it was killed a while ago
        since = now(ledger) - timedelta(seconds=ALERT_CLAIM_SECONDS + 1)
        connection.execute(sa.update(ledger.tables.alert).values(claimed_at=since))
    (again,) = other.note("orders", {"failed": "why"}, ["output"])
    assert (again.alert_id, other.claim(again)) == (alert.alert_id, True), "a receiver knows a repeat by its id"
    other.sent(again)
    assert (one.note("orders", {"failed": "why"}, ["output"]), one.claim(alert)) == ([], False)


def test_a_claim_of_a_clock_that_was_set_back_keeps_nothing_back(ledger: Ledger) -> None:
    dead, other = AlertLog(ledger), AlertLog(ledger)
    (alert,) = dead.note("orders", {"failed": "why"}, ["output"])
    assert dead.claim(alert)
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.alert).values(claimed_at=now(ledger) + timedelta(days=400)))
    (again,) = other.note("orders", {"failed": "why"}, ["output"])
    assert other.claim(again)


def test_the_end_is_told_where_a_dead_watcher_may_have_told_the_beginning(ledger: Ledger) -> None:
    dead, other = AlertLog(ledger), AlertLog(ledger)
    (alert,) = dead.note("orders", {"failed": "why"}, ["output"])
    assert dead.claim(alert)
    assert other.note("orders", {}, ["output"]) == []
    with ledger.begin() as connection:
        since = now(ledger) - timedelta(seconds=ALERT_CLAIM_SECONDS + 1)
        connection.execute(sa.update(ledger.tables.alert).values(claimed_at=since))
    (over,) = other.note("orders", {}, ["output"])
    assert (over.alert_id, over.is_over, other.claim(over)) == (alert.alert_id, True, True)
    other.not_sent(over)
    (again,) = other.note("orders", {}, ["output"])
    assert other.claim(again)
    other.sent(again)
    assert other.note("orders", {}, ["output"]) == []


def test_what_is_over_before_it_was_told_is_not_told(ledger: Ledger) -> None:
    log = AlertLog(ledger)
    assert len(log.note("orders", {"failed": "why"}, ["output"])) == 1
    assert log.note("orders", {}, ["output"]) == []
    (later,) = log.note("orders", {"failed": "again"}, ["output"])
    assert later.text == "again"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--notify", "https://example.com/x"], "set ORDERS_SYNC_NOTIFY_SECRET"),
        (["--notify", "nothing-known://user:word@x"], "nothing-known://...: no URL that Apprise knows"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(ledger: Ledger, options: list[str], why: str) -> None:
    ended = watch(ledger, *options)
    assert (ended.exit_code, "word" in ended.output) == (2, False)
    assert why in ended.output


def _wait(until: Any) -> None:
    end = time.monotonic() + TOLD_WITHIN_SECONDS
    while not until():
        assert time.monotonic() < end, f"not told within {TOLD_WITHIN_SECONDS} s"
        time.sleep(0.2)


@pytest.mark.nightly
def test_a_killed_a_stopped_and_a_failed_run_are_told_within_two_minutes(
    small: Shop, webhook: Receiver, mailbox: tuple[str, Mailbox]
) -> None:
    mail, box = mailbox
    small.insert(["so-1"])
    assert small.run().code == 0
    options = ["--ack-url", small.ack_url, "--look-every", "1s", "--notify", webhook.url, "--notify", mail]
    watcher = start(forked.command("orders-sync", ["watch", *options]))
    try:
        small.insert(["so-2"])
        assert small.run(kill_at="before:target_zoho_crm.api.client.ZohoClient.upsert").code == -signal.SIGKILL
        _wait(lambda: _seen(webhook) == [("wrong", "failed")])
        watcher.kill()
        watcher.communicate()
        watcher = start(forked.command("orders-sync", ["watch", *options]))
        assert small.run().code == 0
        _wait(lambda: _seen(webhook)[1:] == [("over", "failed")])
        with _stopped_run(small):
            _wait(lambda: _seen(webhook)[2:] == [("wrong", "stuck")])
        _wait(lambda: sorted(_seen(webhook)[3:]) == [("over", "stuck"), ("wrong", "failed")])
        _wait(lambda: len(box.mails) == len(webhook.posts))
    finally:
        watcher.terminate()
        _, err = watcher.communicate()
    assert (watcher.returncode, "The watch was asked to end." in err) == (0, True), err


def _seen(webhook: Receiver) -> list[tuple[str, str]]:
    return [(each["event"], each["condition"]) for each in webhook.documents(SECRET)]


@contextmanager
def _stopped_run(shop: Shop) -> Iterator[None]:
    """A target that waits for input, stopped after its run began; killed at the end."""
    _, target = shop.configs()
    messages = shop.tap().out
    process = start(forked.command("target-zoho-crm", ["--config", target]), stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(messages)
    process.stdin.flush()
    _wait(lambda: _live_pids(shop))
    (pid,) = _live_pids(shop)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        process.communicate()


def _live_pids(shop: Shop) -> list[int]:
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.connect() as connection:
            run = ledger.tables.run
            return list(connection.execute(sa.select(run.c.pid).where(run.c.finished_at.is_(None))).scalars())
    finally:
        ledger.close()
