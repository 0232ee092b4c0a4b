"""Runs: one live run a stream, dead ones found, sleepers stopped, and what they leave behind given back or adopted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from ledger_runs import COUNTS, SILENT, age, patient_ledger, run_of_another_process

from sync_databases.database_errors import DatabaseError
from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.job_journal import JournalledJob, Manifest, journal_intent, journal_step, list_jobs, open_of_stream
from sync_ledger.leases import Lease, LeaseHeldError, OutdatedError
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.recovery import adopt, release_uncreated
from sync_ledger.runs import runs_so_far
from sync_ledger.tables import AckStatus, JobStep

START = """
import sys
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.leases import Lease, LeaseHeldError
ledger = Ledger.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    Lease.acquire(ledger, "orders", Partition.named(sys.argv[2]))
except LeaseHeldError:
    print("refused", flush=True)
else:
    print("lives", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    with patient_ledger(engine_url) as ledger:
        yield ledger


@pytest.fixture
def other_run(ledger: Ledger, engine_url: str) -> Iterator[subprocess.Popen[str]]:
    assert ledger.engine.url.get_backend_name() in engine_url  # its tables are there before the other run starts
    with run_of_another_process(engine_url) as process:
        yield process


def leave_job(ledger: Ledger, run_id: str, job_id: str, step: JobStep) -> None:
    with ledger.begin() as connection:
        now = ledger.now(connection)
        job = JournalledJob(job_id, "orders", run_id, "Orders", JobStep.INTENT, Manifest.of({f"{job_id}-1": "v1"}), 0)
        journal_intent(connection, ledger.tables.job, job, now)
        submitted = Ack("orders", f"{job_id}-1", "v1", AckStatus.SUBMITTED, now, job_id=job_id)
        write_acks(connection, ledger.tables.ack, Acks.of([submitted]))
        if step is not JobStep.INTENT:
            journal_step(connection, ledger.tables.job, job_id, step, now, file_id="7", zoho_job_id="8")


def read_by_now(ledger: Ledger, stream: str = "orders", partition: Partition = WHOLE) -> str:
    with ledger.connect() as connection:
        return runs_so_far(connection, ledger.tables.run, stream, partition)


def test_a_second_run_ends_at_once_and_says_who_holds_the_lock(
    ledger: Ledger, other_run: subprocess.Popen[str]
) -> None:
    with pytest.raises(LeaseHeldError, match=f"process {other_run.pid} on .*wait until it ends"):
        Lease.acquire(ledger, "orders")


def test_what_was_read_before_another_run_was_at_work_is_refused(ledger: Ledger) -> None:
    before = read_by_now(ledger)
    Lease.acquire(ledger, "orders").release("finished", COUNTS, 0)
    after = read_by_now(ledger)
    lock = Lease.acquire(ledger, "orders")
    with pytest.raises(OutdatedError, match="run the pair again"):
        lock.refuse_outdated(before)
    lock.refuse_outdated(after)  # a run itself is no other
    lock.release("finished", COUNTS, 0)
    of_others = read_by_now(ledger, "lines")
    Lease.acquire(ledger, "lines").refuse_outdated(of_others)


def test_what_was_read_before_a_run_that_lived_on_is_refused(ledger: Ledger) -> None:
    other = Lease.acquire(ledger, "orders")
    before = read_by_now(ledger)
    with other.transaction():
        pass
    other.release("finished", COUNTS, 0)
    with pytest.raises(OutdatedError, match="another run was at work after that"):
        Lease.acquire(ledger, "orders").refuse_outdated(before)


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_was_set_hides_no_run_that_was_at_work(ledger: Ledger, hours: int) -> None:
    before = read_by_now(ledger)
    Lease.acquire(ledger, "orders").release("finished", COUNTS, 0)
    run = ledger.tables.run
    with ledger.begin() as connection:
        then = ledger.now(connection) + timedelta(hours=hours)
        connection.execute(sa.update(run).values(started_at=then, heartbeat_at=then, finished_at=then))
    with pytest.raises(OutdatedError):
        Lease.acquire(ledger, "orders").refuse_outdated(before)


def test_other_streams_and_partitions_have_locks_of_their_own(ledger: Ledger, other_run: subprocess.Popen[str]) -> None:
    assert other_run.poll() is None
    Lease.acquire(ledger, "Orders").release("finished", COUNTS, 0)
    shares = [Lease.acquire(ledger, "lines", Partition(index, 4)) for index in range(1, 5)]
    with pytest.raises(LeaseHeldError, match=r"partition 2/4\) is live"):
        Lease.acquire(ledger, "lines", Partition(2, 4))
    for lock in shares:
        lock.release("finished", COUNTS, 0)


def test_splits_that_have_keys_in_common_are_never_live_together(ledger: Ledger) -> None:
    half = Lease.acquire(ledger, "orders", Partition(1, 2))
    for other in (WHOLE, Partition(2, 4), Partition(1, 3), Partition(1, 12)):
        with pytest.raises(LeaseHeldError, match=r"partition 1/2\) is live"):
            Lease.acquire(ledger, "orders", other)
    half.beat()  # those who were refused have taken nothing away
    half.release("finished", COUNTS, 0)
    quarter = Lease.acquire(ledger, "orders", Partition(2, 4))
    with pytest.raises(LeaseHeldError, match=r"partition 2/4\) is live"):
        Lease.acquire(ledger, "orders")
    quarter.release("finished", COUNTS, 0)
    run = ledger.tables.run
    with ledger.connect() as connection:
        names = connection.execute(sa.select(run.c.partition_name).order_by(run.c.started_at)).scalars().all()
    assert names == ["1/2", "2/4"]


def test_of_splits_that_begin_at_one_moment_one_lives_at_most(ledger: Ledger) -> None:
    url = ledger.engine.url.render_as_string(hide_password=False)
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", START, url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("1/1", "1/2", "2/3", "4/4")
    ]
    said: list[str] = []
    for _ in range(2):  # all are ready before the first begins, and none ends before the last has begun
        said = [process.stdout.readline().strip() for process in starts if process.stdout]
        for process in starts:
            if process.stdin:
                process.stdin.write("\n")
                process.stdin.flush()
    for process in starts:
        process.communicate()
    assert set(said) <= {"lives", "refused"}
    assert said.count("lives") <= 1


def test_what_another_split_was_at_work_on_is_refused_and_what_another_share_was_is_not(ledger: Ledger) -> None:
    others = WHOLE, Partition(1, 3)
    before = {each: read_by_now(ledger, partition=each) for each in (Partition(2, 4), *others)}
    Lease.acquire(ledger, "orders", Partition(1, 4)).release("finished", COUNTS, 0)
    share = Lease.acquire(ledger, "orders", Partition(2, 4))
    share.refuse_outdated(before[Partition(2, 4)])
    share.release("finished", COUNTS, 0)
    for other in others:
        lock = Lease.acquire(ledger, "orders", other)
        with pytest.raises(OutdatedError):
            lock.refuse_outdated(before[other])
        lock.release("finished", COUNTS, 0)


def test_a_run_that_ended_leaves_the_lock_free_and_its_counts_behind(ledger: Ledger) -> None:
    first = Lease.acquire(ledger, "orders")
    first.start_heartbeat()
    first.release("finished", COUNTS, 500)
    second = Lease.acquire(ledger, "orders")
    run = ledger.tables.run
    with ledger.connect() as connection:
        row = connection.execute(sa.select(run).where(run.c.run_id == first.run_id)).one()
    assert (row.how_ended, row.read_count, row.credits, row.finished_at is None) == ("finished", 3, 500, False)
    second.release("finished", COUNTS, 0)


def test_a_killed_run_is_dead_at_once_on_its_own_machine(ledger: Ledger, other_run: subprocess.Popen[str]) -> None:
    os.kill(other_run.pid, signal.SIGKILL)
    other_run.wait()
    Lease.acquire(ledger, "orders").release("finished", COUNTS, 0)


def test_orders_of_a_job_that_was_never_created_are_due_at_once(ledger: Ledger) -> None:
    dead = Lease.acquire(ledger, "orders")
    leave_job(ledger, dead.run_id, "a", JobStep.INTENT)
    leave_job(ledger, dead.run_id, "b", JobStep.CREATED)
    assert release_uncreated(ledger, "orders") == 0  # the run is alive
    age(ledger, dead.run_id, SILENT)
    assert release_uncreated(ledger, "orders", watched_for=WHOLE) == 1
    assert release_uncreated(ledger, "orders") == 0
    ack = ledger.tables.ack
    with ledger.connect() as connection:
        rows = {row.record_key: row for row in connection.execute(sa.select(ack))}
        now = ledger.now(connection)
    assert (rows["a-1"].status, rows["a-1"].family) == ("rejected", "transient")
    assert rows["a-1"].next_attempt_at <= now
    assert rows["b-1"].status == "submitted"


def test_jobs_of_dead_runs_are_adopted_once_and_those_of_live_runs_never(ledger: Ledger) -> None:
    dead = Lease.acquire(ledger, "orders")
    leave_job(ledger, dead.run_id, "u", JobStep.UPLOADED)
    leave_job(ledger, dead.run_id, "c", JobStep.CREATED)
    age(ledger, dead.run_id, SILENT)
    heir = Lease.acquire(ledger, "orders")
    adopted = adopt(ledger, heir)
    assert {job.job_id: (job.step, job.manifest.texts()) for job in adopted} == {
        "u": (JobStep.UPLOADED, {"u-1": "v1"}),
        "c": (JobStep.CREATED, {"c-1": "v1"}),
    }
    assert adopt(ledger, heir) == []
    with ledger.connect() as connection:
        owners = {job.job_id: job.run_id for job in list_jobs(connection, open_of_stream(ledger.tables.job), "orders")}
    assert owners == {"u": heir.run_id, "c": heir.run_id}
    heir.release("finished", COUNTS, 0)


def test_a_partition_adopts_jobs_of_its_own_and_of_earlier_splits_alone(ledger: Ledger) -> None:
    for name in ("1/1", "1/2", "2/2", "2/12"):
        dead = Lease.acquire(ledger, "orders", Partition.named(name))
        leave_job(ledger, dead.run_id, f"of {name}", JobStep.CREATED)
        dead.release("terminated", COUNTS, 0)
    neighbour = Lease.acquire(ledger, "orders", Partition(1, 2))
    assert {job.job_id for job in adopt(ledger, neighbour)} == {"of 1/1", "of 1/2", "of 2/12"}
    leave_job(ledger, neighbour.run_id, "live", JobStep.CREATED)
    heir = Lease.acquire(ledger, "orders", Partition(2, 2))
    assert {job.job_id for job in adopt(ledger, heir)} == {"of 2/2"}
    for lock in (neighbour, heir):
        lock.release("terminated", COUNTS, 0)
    whole = Lease.acquire(ledger, "orders")
    assert len(adopt(ledger, whole)) == 5  # whoever comes after them has them all
    whole.release("finished", COUNTS, 0)


def test_a_manifest_survives_and_is_small() -> None:
    manifest = {f"SO-{number}": f"2026-01-01 00:{number % 60:02}:00.{number:06}" for number in range(25_000)}
    kept = Manifest.of(manifest)
    assert list(kept.texts().items()) == list(manifest.items())
    assert len(kept) == 25_000
    assert len(kept.packed) < 400_000


def test_tables_are_created_by_whoever_comes_first(engine_url: str) -> None:
    program = "import sys; from sync_ledger.ledger import Ledger; Ledger.open(sys.argv[1]).ensure_tables()"
    together = [subprocess.Popen([sys.executable, "-c", program, engine_url]) for _ in range(4)]
    assert [process.wait() for process in together] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("not a url", "cannot be read"),
        ("sqlite:////no/such/folder/ledger.sqlite", "cannot be created or read at sqlite"),
        ("postgresql://nobody:secret@127.0.0.1:1/none", r"ack_url.*may create and write"),
        ("nosuchengine://x/y", "no database engine is called 'nosuchengine'"),
    ],
)
def test_a_ledger_out_of_reach_says_so_in_one_line_without_the_password(url: str, says: str) -> None:
    with pytest.raises(DatabaseError, match=says) as caught:
        Ledger.open(url).ensure_tables()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
