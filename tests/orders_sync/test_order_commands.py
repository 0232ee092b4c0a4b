"""What an operator sees of refused orders, and what becomes of what he or she decides about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from pair_of_plugins import Shop

from orders_sync.cli import main
from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.credit_usage import credits_of_a_day
from sync_ledger.job_journal import JournalledJob, Manifest, journal_intent
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.tables import RUN_COUNTS, AckStatus, JobStep

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

STREAM = "orders"
REJECTED, PARKED, SYNCED = AckStatus.REJECTED, AckStatus.PARKED, AckStatus.SYNCED


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    """12 orders in trouble, one well, one in a job; a finished run."""
    opened = Ledger.open(engine_url)
    opened.ensure_tables()
    Lease.acquire(opened, STREAM).release("finished", dict.fromkeys(RUN_COUNTS, 0), credits_spent=510)
    with opened.begin() as connection:
        now = opened.now(connection)
        acks = [ack(f"M-{n}", REJECTED, now, code="MANDATORY_NOT_FOUND", field="Country") for n in range(7)]
        acks += [ack(f"D-{n}", REJECTED, now, code="DUPLICATE_DATA", field="Country") for n in range(2)]
        acks.append(ack("L-0", REJECTED, now, code="RECORD_LOCKED", next_attempt_at=now + timedelta(hours=1)))
        acks += [ack(f"P-{n}", PARKED, now, code="RECORD_LOCKED", attempts=12) for n in range(2)]
        acks.append(ack("S-0", SYNCED, now, zoho_id="5"))
        acks.append(ack("J-0", AckStatus.SUBMITTED, now, job_id="j"))
        write_acks(connection, opened.tables.ack, Acks.of(acks))
    yield opened
    opened.close()


def ack(key: str, status: AckStatus, now: Any, code: str | None = None, field: str | None = None, **more: Any) -> Ack:
    return Ack(STREAM, key, "1", status, now, error_code=code, error_field=field, **more)


def call(ledger: Ledger, *arguments: str, typed: str = "") -> Result:
    url = ledger.engine.url.render_as_string(hide_password=False)
    return CliRunner().invoke(main, [*arguments, "--ack-url", url], input=typed)


def read(ledger: Ledger, *arguments: str, code: int = 0) -> Any:
    result = call(ledger, *arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def acks(ledger: Ledger) -> dict[str, Any]:
    with ledger.connect() as connection:
        return {row.record_key: row for row in connection.execute(sa.select(ledger.tables.ack))}


def due(ledger: Ledger) -> set[str]:
    with ledger.connect() as connection:
        now = ledger.now(connection)
    rows = acks(ledger).values()
    return {
        row.record_key
        for row in rows
        if row.status == "rejected" and row.next_attempt_at is not None and row.next_attempt_at <= now
    }


# problems


def test_problems_are_grouped_by_code_and_field_with_keys_and_what_to_do(ledger: Ledger) -> None:
    mandatory, locked, duplicate = read(ledger, "problems")["problems"]
    assert (mandatory["code"], mandatory["field"], mandatory["rejected"], mandatory["due"]) == (
        "MANDATORY_NOT_FOUND", "Country", 7, 0,
    )  # fmt: skip
    assert mandatory["sample_keys"] == ["M-0", "M-1", "M-2", "M-3", "M-4"]
    assert "Correct the order" in mandatory["remedy"]
    assert (locked["code"], locked["rejected"], locked["parked"], locked["due"]) == ("RECORD_LOCKED", 1, 2, 1)
    assert (duplicate["code"], duplicate["sample_keys"]) == ("DUPLICATE_DATA", ["D-0", "D-1"])
    told = call(ledger, "problems", "--samples", "2").output
    assert "7 orders: MANDATORY_NOT_FOUND in field Country (7 rejected)" in told
    assert "M-0, M-1, and 5 more: `--samples 7`, or `--export FILE`" in told


def test_what_was_said_most_of_a_problem_is_told_with_its_hint(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = Shop(sqlite_url, zoho_emulator, tmp_path)
    shop.insert([f"SO-{number}" for number in range(3)], status="Shiped")
    shop.insert([f"SX-{number}" for number in range(8)], status="new")
    for number in range(6):
        shop.insert([f"SY-{number}"], status=f"odd {number}")
    assert shop.run().summary["rejected"] == 17
    ledger = Ledger.open(shop.ack_url)
    (problem,) = read(ledger, "problems")["problems"]
    assert [each["orders"] for each in problem["messages"]] == [8, 3, 1, 1, 1]
    told = call(ledger, "problems").output
    assert '  8 of them: Status "new" is not in the picklist (did you mean "New"?)' in told
    assert '  3 of them: Status "Shiped" is not in the picklist (did you mean "Shipped"?)' in told
    ledger.close()


# retry and dismiss


def test_retry_makes_the_named_orders_due_and_no_others(ledger: Ledger) -> None:
    assert read(ledger, "retry", "M-0", "P-1") == {"stream": STREAM, "retried": 2, "left_out": {}}
    assert due(ledger) == {"M-0", "P-1"}
    assert acks(ledger)["P-1"].attempts == 0


def test_retry_by_code_and_all(ledger: Ledger) -> None:
    assert read(ledger, "retry", "--code", "RECORD_LOCKED")["retried"] == 3
    assert due(ledger) == {"L-0", "P-0", "P-1"}
    assert read(ledger, "retry", "--all")["retried"] == 12
    assert {key: row.status for key, row in acks(ledger).items() if key in {"S-0", "J-0"}} == {
        "S-0": "synced", "J-0": "submitted",
    }  # fmt: skip


def test_what_is_not_refused_is_left_as_it_is_and_named(ledger: Ledger) -> None:
    before = acks(ledger)
    document = read(ledger, "retry", "S-0", "J-0", "X-0", code=1)
    assert document["left_out"] == {"S-0": "synced", "J-0": "submitted", "X-0": "not in the ledger"}
    assert acks(ledger) == before


def test_dismiss_parks_and_the_health_check_counts_them_no_more(ledger: Ledger) -> None:
    assert call(ledger, "status", "--max-rejected", "8").exit_code == 1
    assert read(ledger, "dismiss", "--code", "MANDATORY_NOT_FOUND")["dismissed"] == 7
    assert {row.status for key, row in acks(ledger).items() if key.startswith("M-")} == {"parked"}
    assert call(ledger, "status", "--max-rejected", "8").exit_code == 0
    assert due(ledger) == set()


def test_orders_parked_after_their_last_try_alarm_until_somebody_dismisses_them(ledger: Ledger) -> None:
    ack = ledger.tables.ack
    with ledger.begin() as connection:
        used_up = (
            sa.update(ack)
            .where(ack.c.record_key.startswith("L-"))
            .values(status="parked", family="transient", next_attempt_at=None)
        )
        parked = connection.execute(used_up).rowcount
    before = len([row for row in acks(ledger).values() if row.status == "rejected"])
    (stream,) = read(ledger, "status")["streams"]
    assert (stream["used_up"], stream["refused"]) == (parked, before + parked - stream["due_now"] - stream["due_later"])
    assert f"{parked} of them after their last try" in call(ledger, "status").output
    assert read(ledger, "dismiss", "L-0")["dismissed"] == 1
    (stream,) = read(ledger, "status")["streams"]
    assert stream["used_up"] == parked - 1


@pytest.mark.parametrize("arguments", [[], ["M-0", "--all"], ["--code", "X", "--all"]])
@pytest.mark.parametrize("command", ["retry", "dismiss"])
def test_which_orders_must_be_said_in_one_way(ledger: Ledger, command: str, arguments: list[str]) -> None:
    before = acks(ledger)
    result = call(ledger, command, *arguments)
    assert (result.exit_code, acks(ledger)) == (2, before)
    assert "name the orders" in result.output


# status as a health check


def test_status_tells_what_waits_and_what_a_day_cost(ledger: Ledger) -> None:
    (stream,) = read(ledger, "status")["streams"]
    assert (stream["refused"], stream["due_later"], stream["credits_of_a_day"]) == (9, 1, 510)
    assert stream["oldest_waiting_at"] is not None
    told = call(ledger, "status").output
    assert "refused: 9" in told
    assert "credits of the last 24 hours: 510" in told


def test_limits_that_hold_end_0_and_limits_that_do_not_end_1_and_say_which(ledger: Ledger) -> None:
    assert call(ledger, "status", "--max-age", "15m", "--max-rejected", "9").exit_code == 0
    document = read(ledger, "status", "--max-rejected", "8", code=1)
    assert document["healthy"] is False
    assert document["complaints"] == ["stream orders: 9 orders are refused, more than 8; see `orders-sync problems`"]
    with ledger.begin() as connection:
        hour_ago = ledger.now(connection) - timedelta(hours=1)
        connection.execute(sa.update(ledger.tables.run).values(finished_at=hour_ago))
        connection.execute(sa.update(ledger.tables.ack).values(acked_at=hour_ago))
    told = call(ledger, "status", "--max-age", "15m")
    assert told.exit_code == 1
    assert "no run has finished within 15 min: the last one finished 60 min ago" in told.output
    assert "an order has waited for 60 min" in told.output
    assert call(ledger, "status", "--max-age", "3h").exit_code == 0


def test_an_age_is_a_number_and_a_unit(ledger: Ledger) -> None:
    result = call(ledger, "status", "--max-age", "15")
    assert result.exit_code == 2
    assert "expected e.g. 90s, 15m, 2h or 1d" in result.output


# jobs


def test_jobs_say_who_looks_after_them(ledger: Ledger) -> None:
    lock = Lease.acquire(ledger, STREAM)
    with ledger.begin() as connection:
        now = ledger.now(connection)
        for job_id, run_id, begun in (
            ("own", lock.run_id, now),
            ("adopted", lock.run_id, now - timedelta(hours=1)),
            ("orphan", "gone", now),
        ):
            job = JournalledJob(job_id, STREAM, run_id, "Orders", JobStep.INTENT, Manifest.of({"A": "1"}), credits=0)
            journal_intent(connection, ledger.tables.job, job, begun)
    found = {job["job_id"]: job for job in read(ledger, "jobs")["jobs"]}
    assert {job_id: job["adopted"] for job_id, job in found.items()} == {"own": False, "adopted": True, "orphan": False}
    assert found["adopted"]["keeper"].endswith("(adopted)")
    assert found["orphan"]["keeper"] == "the next run adopts it"
    assert "the next run adopts it" in call(ledger, "jobs").output
    lock.release("finished", {}, 0)


# forget


def test_forget_asks_first_and_then_leaves_nothing_of_the_stream(ledger: Ledger) -> None:
    before = acks(ledger)
    assert call(ledger, "forget", typed="n\n").exit_code == 1
    assert acks(ledger) == before
    result = call(ledger, "forget", typed="y\n")
    assert result.exit_code == 0, result.output
    assert "14 acks are forgotten; the next run sends every order again" in result.output
    assert acks(ledger) == {}


def test_what_was_spent_is_not_forgotten(ledger: Ledger) -> None:
    def spent() -> int:
        with ledger.connect() as connection:
            return credits_of_a_day(connection, ledger.tables.run, ledger.now(connection))

    Lease.acquire(ledger, STREAM).release("finished", {}, 503)
    before = spent()
    assert before >= 503
    assert call(ledger, "forget", "--yes").exit_code == 0
    assert spent() == before


def test_forget_waits_for_a_live_run_and_for_open_jobs(ledger: Ledger) -> None:
    lock = Lease.acquire(ledger, STREAM)
    result = call(ledger, "forget", "--yes")
    assert result.exit_code == 1
    assert "is live" in result.output
    with ledger.begin() as connection:
        job = JournalledJob("j", STREAM, lock.run_id, "Orders", JobStep.INTENT, Manifest.of({"J-0": "1"}), credits=0)
        journal_intent(connection, ledger.tables.job, job, ledger.now(connection))
    lock.release("died", {}, 0)
    result = call(ledger, "forget", "--yes")
    assert result.exit_code == 1
    assert "1 bulk write jobs of stream 'orders' are still open" in result.output
    assert len(acks(ledger)) == 14


# The whole way


def test_a_refused_order_is_seen_mended_in_the_crm_retried_and_then_synced(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = Shop(sqlite_url, zoho_emulator, tmp_path)
    shop.insert([f"SO-{number}" for number in range(5)])
    zoho_emulator.admin.add_fault("upsert", kind="record_error", times=1, keys=["SO-3"], code="RECORD_IN_BLUEPRINT")
    assert shop.run().code == 0
    ledger = Ledger.open(shop.ack_url)
    (problem,) = read(ledger, "problems")["problems"]
    assert (problem["code"], problem["sample_keys"]) == ("RECORD_IN_BLUEPRINT", ["SO-3"])
    assert shop.run().summary["read"] == 0  # nothing changed, so nothing is tried again by itself
    assert read(ledger, "retry", "SO-3")["retried"] == 1
    assert shop.run().summary["synced"] == 1
    shop.assert_all_synced()
    assert read(ledger, "problems")["problems"] == []
    assert read(ledger, "forget", "--yes")["forgotten"] == 5
    shop.state.unlink()
    again = shop.run()
    assert again.summary["synced"] == 5
    shop.assert_all_synced()
    ledger.close()
