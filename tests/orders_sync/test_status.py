"""`orders-sync status` says what the ledger says, and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from pair_of_plugins import BIN
from prometheus_client.parser import text_string_to_metric_families

from orders_sync.cli import main
from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.job_journal import JournalledJob, Manifest, journal_intent, journal_step
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.runs import FOLLOWING
from sync_ledger.tables import AckStatus, JobStep

STREAM = "orders"
COUNTS = {"read": 7, "synced": 3, "unchanged": 0, "superseded": 0, "rejected": 3, "parked": 1, "held": 0, "unsynced": 0}


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    yield ledger
    ledger.close()


def status(ledger: Ledger, *options: str) -> Result:
    url = ledger.engine.url.render_as_string(hide_password=False)
    return CliRunner().invoke(main, ["status", "--ack-url", url, *options])


def document(ledger: Ledger, *options: str) -> Any:
    result = status(ledger, "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def fill(ledger: Ledger) -> str:
    """A finished run, and one that has just made a bulk job. Returns the live run's id."""
    finished = Lease.acquire(ledger, STREAM)
    finished.release("finished", COUNTS, credits_spent=503)
    live = Lease.acquire(ledger, STREAM)
    with ledger.begin() as connection:
        now = ledger.now(connection)
        acks = [ack(f"S-{number}", AckStatus.SYNCED, now, zoho_id=str(number)) for number in range(3)]
        acks.append(ack("B-0", AckStatus.REJECTED, now))
        acks.append(ack("B-1", AckStatus.REJECTED, now, next_attempt_at=now - timedelta(minutes=1)))
        acks.append(ack("B-2", AckStatus.REJECTED, now, next_attempt_at=now + timedelta(hours=1)))
        acks.append(ack("P-0", AckStatus.PARKED, now))
        acks += [ack(f"J-{number}", AckStatus.SUBMITTED, now, job_id="j1") for number in range(2)]
        write_acks(connection, ledger.tables.ack, Acks.of(acks))
        for job_id in ("j0", "j1"):
            journal_intent(connection, ledger.tables.job, job(job_id, live.run_id), now)
        journal_step(connection, ledger.tables.job, "j0", JobStep.APPLIED, now)
        journal_step(connection, ledger.tables.job, "j1", JobStep.CREATED, now, zoho_job_id="554000000012345")
    return live.run_id


def ack(key: str, ack_status: AckStatus, now: Any, **values: Any) -> Ack:
    return Ack(stream=STREAM, record_key=key, version="1", status=ack_status, acked_at=now, **values)


def job(job_id: str, run_id: str) -> JournalledJob:
    return JournalledJob(
        job_id=job_id,
        stream=STREAM,
        run_id=run_id,
        module="Orders",
        step=JobStep.INTENT,
        manifest=Manifest.of({"J-0": "1", "J-1": "1"}),
        credits=0,
    )


def test_it_counts_acks_by_status_and_what_is_due_again(ledger: Ledger) -> None:
    fill(ledger)
    (stream,) = document(ledger)["streams"]
    assert stream["stream"] == STREAM
    assert stream["acks"] == {"submitted": 2, "synced": 3, "rejected": 3, "parked": 1, "deleted": 0, "held": 0}
    assert (stream["due_now"], stream["due_later"]) == (1, 1)


def test_it_lists_open_jobs_and_not_settled_ones(ledger: Ledger) -> None:
    fill(ledger)
    (stream,) = document(ledger)["streams"]
    (open_job,) = stream["open_jobs"]
    assert (open_job["job_id"], open_job["zoho_job_id"]) == ("j1", "554000000012345")
    assert (open_job["step"], open_job["orders"]) == ("created", 2)


def test_it_tells_of_the_last_runs_with_counts_and_credits(ledger: Ledger) -> None:
    live = fill(ledger)
    (stream,) = document(ledger)["streams"]
    newest, before = stream["runs"]
    assert (newest["run_id"], newest["finished_at"], newest["how_ended"]) == (live, None, None)
    assert (before["how_ended"], before["counts"], before["credits"]) == ("finished", COUNTS, 503)
    (stream,) = document(ledger, "--runs", "1")["streams"]
    assert [run["run_id"] for run in stream["runs"]] == [live]


def test_a_person_reads_the_same(ledger: Ledger) -> None:
    fill(ledger)
    result = status(ledger)
    assert result.exit_code == 0
    assert "9 acks = 2 submitted + 3 synced + 3 rejected + 1 parked" in result.output
    assert "due again: 1 with the next run, 1 later" in result.output
    assert "554000000012345" in result.output
    assert "503" in result.output


def test_it_changes_nothing(ledger: Ledger) -> None:
    fill(ledger)
    before = everything(ledger)
    status(ledger)
    assert everything(ledger) == before


def everything(ledger: Ledger) -> list[Any]:
    with ledger.connect() as connection:
        return [list(connection.execute(sa.select(table))) for table in ledger.tables.metadata.sorted_tables]


def test_without_a_ledger_it_says_so_and_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "nothing.sqlite"
    result = CliRunner().invoke(main, ["status", "--ack-url", f"sqlite:///{path}"])
    assert result.exit_code == 1
    assert "there is no ledger at" in result.output
    assert not path.exists()


def test_a_database_without_ledger_tables_is_left_as_it_is(engine_url: str) -> None:
    result = CliRunner().invoke(main, ["status", "--ack-url", engine_url])
    assert result.exit_code == 1
    assert "there is no ledger at" in result.output
    engine = sa.create_engine(engine_url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_server_out_of_reach_is_one_clear_line_without_the_password() -> None:
    url = "postgresql://clerk:hush-hush@127.0.0.1:1/orders"
    result = CliRunner().invoke(main, ["status", "--ack-url", url])
    assert result.exit_code == 1
    assert "the ledger cannot be read at" in result.output
    assert "hush-hush" not in result.output


def test_what_a_live_run_has_under_way_is_not_called_left(ledger: Ledger) -> None:
    lease = Lease.acquire(ledger, STREAM, so_far=lambda: COUNTS | {"unsynced": 3})
    lease.beat()
    command = ["results", lease.run_id, "--ack-url", ledger.engine.url.render_as_string(hide_password=False)]
    assert "left unsynced" not in CliRunner().invoke(main, command).output
    lease.release("failed", COUNTS | {"unsynced": 3}, 0)
    assert "3 orders were left unsynced" in CliRunner().invoke(main, command).output


@pytest.mark.parametrize("options", [["--csv"], ["--json"]])
def test_a_reader_of_the_output_that_has_enough_is_no_fault_of_the_ledger(ledger: Ledger, options: list[str]) -> None:
    run_id = fill(ledger)
    url = ledger.engine.url.render_as_string(hide_password=False)
    reads, writes = os.pipe()
    os.close(reads)
    try:
        command = [BIN / "orders-sync", "results", run_id, *options, "--ack-url", url]
        ended = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writes)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_the_ledger_is_found_by_the_variable_of_the_production_environment(ledger: Ledger) -> None:
    fill(ledger)
    url = ledger.engine.url.render_as_string(hide_password=False)
    result = CliRunner().invoke(main, ["status", "--json"], env={"LEDGER_DATABASE_URL": url})
    assert json.loads(result.output)["streams"][0]["stream"] == STREAM


def test_a_run_that_follows_is_well_while_it_says_that_it_lives(ledger: Ledger) -> None:
    lock = Lease.acquire(ledger, "orders", lasting=FOLLOWING)
    assert status(ledger, "--max-age", "1m").exit_code == 0
    with ledger.begin() as connection:
        ago = ledger.now(connection) - timedelta(minutes=5)
        connection.execute(sa.update(ledger.tables.run).values(heartbeat_at=ago))
    assert "no run has finished within" in status(ledger, "--max-age", "1m").output
    lock.release("finished", {}, 0)
    assert status(ledger, "--max-age", "1m").exit_code == 0


def test_a_split_stream_is_well_when_each_of_its_partitions_is(ledger: Ledger) -> None:
    Lease.acquire(ledger, "orders").release("finished", COUNTS, 0)
    shares = [Lease.acquire(ledger, "orders", Partition(index, 3)) for index in (1, 2, 3)]
    for lock in shares[:2]:
        lock.release("finished", COUNTS, 0)
    shares[2].release("failed", COUNTS, 0)
    assert "no run has finished within" in status(ledger, "--max-age", "1m").output
    last = Lease.acquire(ledger, "orders", Partition(3, 3))
    last.release("finished", COUNTS, 0)
    result = status(ledger, "--max-age", "1m")
    assert result.exit_code == 0
    assert "Partition" in result.output
    assert "3/3" in result.output
    with ledger.begin() as connection:
        run = ledger.tables.run
        ago = ledger.now(connection) - timedelta(minutes=5)
        connection.execute(sa.update(run).where(run.c.partition_name == "2/3").values(finished_at=ago))
    assert "no run has finished within" in status(ledger, "--max-age", "1m").output


def metrics_of(path: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(path.read_text(encoding="utf-8"))
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def test_figures_are_written_as_prometheus_reads_them(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    file = tmp_path / "figures" / "orders.prom"
    file.parent.mkdir()
    ended = status(ledger, "--ledger-only", "--max-rejected", "0", "--prometheus", str(file))
    assert ended.exit_code == 1
    found = metrics_of(file)
    stream = ("stream", STREAM)
    assert found["orders_sync_healthy", frozenset()] == 0
    assert found["orders_sync_orders", frozenset({stream, ("status", "synced")})] == 3
    assert found["orders_sync_refused_orders", frozenset({stream})] == 1
    assert found["orders_sync_open_jobs", frozenset({stream})] == 1
    assert found["orders_sync_credits_24h", frozenset()] == 503
    assert ("orders_sync_unsynced_orders", frozenset({stream})) not in found, "the table was not asked"
    assert list(file.parent.iterdir()) == [file], "it is written in one go"


def test_a_file_that_cannot_be_written_is_one_line(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    ended = status(ledger, "--ledger-only", "--prometheus", str(tmp_path / "no" / "orders.prom"))
    assert (ended.exit_code, "cannot be written" in ended.output) == (1, True)
