"""Writes under way: noted when they go, deleted when they are settled, and in doubt where nobody settled them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from sync_ledger.job_journal import Manifest
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.moves import rebind
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.writes_under_way import (
    TOKEN_LASTS_MOST,
    WriteKind,
    WriteUnderWay,
    claim_look,
    in_doubt,
    leave,
    note,
    note_again,
    of_ended_processes,
    settle,
)
from sync_processes.process_identity import process_has_ended, process_lives, process_space, process_start


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    yield ledger
    ledger.close()


def begin_write(ledger: Ledger, run_id: str, versions: Mapping[str, str]) -> WriteUnderWay:
    with ledger.begin() as connection:
        now = ledger.now(connection)
        write = WriteUnderWay(
            uuid.uuid4().hex,
            "orders",
            run_id,
            WriteKind.UPSERT,
            Manifest.of(versions),
            began_at=now,
            may_land_until=now + TOKEN_LASTS_MOST,
        )
        note(connection, ledger.tables, write)
    return write


def writes_in_doubt(ledger: Ledger, partition: Partition = WHOLE) -> list[WriteUnderWay]:
    with ledger.connect() as connection:
        return in_doubt(connection, ledger.tables, "orders", partition)


def test_writes_of_a_run_that_is_over_are_in_doubt_until_they_are_settled(ledger: Ledger) -> None:
    run = Lease.acquire(ledger, "orders")
    first = begin_write(ledger, run.run_id, {"SO-1": "v1", "so-1 ": "v2"})
    second = begin_write(ledger, run.run_id, {"SO-2": "v1"})
    assert writes_in_doubt(ledger) == []  # under way
    run.release("finished", {}, 0)
    assert writes_in_doubt(ledger) == [first, second]
    assert writes_in_doubt(ledger)[0].manifest.texts() == {"SO-1": "v1", "so-1 ": "v2"}
    with ledger.begin() as connection:
        settle(connection, ledger.tables, [first.write_id])
    assert writes_in_doubt(ledger) == [second]
    with ledger.begin() as connection:
        settle(connection, ledger.tables, [first.write_id, second.write_id])
    assert writes_in_doubt(ledger) == []


def test_a_write_that_a_living_run_left_without_an_answer_is_in_doubt(ledger: Ledger) -> None:
    run = Lease.acquire(ledger, "orders")
    left, _ = begin_write(ledger, run.run_id, {"SO-1": "v1"}), begin_write(ledger, run.run_id, {"SO-2": "v1"})
    with ledger.begin() as connection:
        now = ledger.now(connection)
        leave(connection, ledger.tables, [left.write_id], now)
    assert writes_in_doubt(ledger) == [replace(left, left_at=now)]


def test_a_further_attempt_is_the_same_write_and_may_land_for_longer(ledger: Ledger) -> None:
    run = Lease.acquire(ledger, "orders")
    write = begin_write(ledger, run.run_id, {"SO-1": "v1"})
    for _ in range(2):  # MySQL counts rows that change: a commit whose answer was lost is repeated with the same values
        with ledger.begin() as connection:
            note_again(connection, ledger.tables, write)
    run.release("finished", {}, 0)
    assert writes_in_doubt(ledger) == [write]


def test_writes_of_another_partition_are_verified_by_its_own_next_run(ledger: Ledger) -> None:
    run = Lease.acquire(ledger, "orders", Partition(1, 2))
    write = begin_write(ledger, run.run_id, {"SO-1": "v1"})
    run.release("finished", {}, 0)
    assert writes_in_doubt(ledger, Partition(2, 2)) == []
    assert (
        writes_in_doubt(ledger, Partition(1, 2))
        == writes_in_doubt(ledger)
        == writes_in_doubt(ledger, Partition(1, 4))
        == [write]
    )


def test_a_look_is_claimed_once(ledger: Ledger) -> None:
    run = Lease.acquire(ledger, "orders")
    write = begin_write(ledger, run.run_id, {"SO-1": "v1"})
    run.release("finished", {}, 0)
    with ledger.begin() as connection:
        first = ledger.now(connection)
        assert claim_look(connection, ledger.tables, write, first)
        assert not claim_look(connection, ledger.tables, write, first + timedelta(hours=1))
    (looked,) = writes_in_doubt(ledger)
    assert looked.verified_at == first
    with ledger.begin() as connection:
        assert claim_look(connection, ledger.tables, looked, first + timedelta(hours=1))


def test_which_writes_in_doubt_are_of_processes_that_have_ended(ledger: Ledger, engine_url: str) -> None:
    run = Lease.acquire(ledger, "orders")
    mine = begin_write(ledger, run.run_id, {"SO-1": "v1"})
    run.release("finished", {}, 0)
    program = (
        "import sys; from sync_ledger.ledger import Ledger; from sync_ledger.leases import Lease;"
        "lease = Lease.acquire(Ledger.open(sys.argv[1]), 'orders'); print(lease.run_id); lease.release('x', {}, 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, engine_url], capture_output=True, text=True, check=True)
    of_dead = begin_write(ledger, done.stdout.strip(), {"SO-2": "v1"})
    with ledger.connect() as connection:  # this process lives
        assert of_ended_processes(connection, ledger.tables, "orders") == {of_dead.write_id}
    assert {mine.write_id, of_dead.write_id} == {each.write_id for each in writes_in_doubt(ledger)}


def test_what_is_in_doubt_goes_along_to_a_new_name(ledger: Ledger) -> None:
    run = Lease.acquire(ledger, "old")
    with ledger.begin() as connection:
        now, tables = ledger.now(connection), ledger.tables
        bound = {"module": "Orders", "key_field": "parent_id", "shares_module": False, "of_early_version": False}
        connection.execute(sa.insert(tables.stream).values(stream="old", bound_at=now, **bound))
        until = now + TOKEN_LASTS_MOST
        note(connection, tables, WriteUnderWay("1", "old", run.run_id, WriteKind.JOB, Manifest.of({}), now, until))
    run.release("finished", {}, 0)
    rebind(ledger, "orders", old_stream="old")
    assert [each.write_id for each in writes_in_doubt(ledger)] == ["1"]


def test_a_process_is_known_by_more_than_its_id() -> None:
    space, mine = process_space(), process_start(os.getpid())
    assert mine is not None
    assert process_start(os.getpid()) == mine
    assert process_lives(os.getpid(), space, mine)
    other = f"{mine.split(' ', maxsplit=1)[0]} 1"
    assert process_has_ended(os.getpid(), space, other)  # the id was given to another process meanwhile
    assert not process_has_ended(os.getpid(), space, "time:[1] 1")  # counted by another clock
    assert not process_has_ended(os.getpid(), space)  # of a program that did not note it
    assert not process_has_ended(os.getpid(), "another boot", other)


def test_a_process_that_nobody_waits_for_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # closed at its end
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process_has_ended(process.pid, process_space())
    process.wait()
    assert process_has_ended(process.pid, process_space())
