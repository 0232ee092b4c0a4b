"""Which successes are none, since the record is another order's by the ledger, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.bindings import Binding, bind
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.tables import AckStatus
from target_zoho_crm.batch import Channel
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.stream_ledger import Confirmed, StreamLedger
from target_zoho_crm.mapping.key_folding import KeyFolding

X, Y = "4876876000000100001", "4876876000000100002"


class Run:
    """A run that confirms what an answer says."""

    def __init__(self, ledger: Ledger, partition: Partition = WHOLE) -> None:
        self.ledger = ledger
        self.lease = Lease.acquire(ledger, "orders", partition)
        folding = KeyFolding(folds_case=True)
        self.stream_ledger = StreamLedger(ledger, self.lease, max_attempts=3, folding=folding)

    def confirm(self, *outcomes: Outcome) -> Confirmed:
        return self.stream_ledger.confirm(outcomes, Channel.UPSERT)

    def note(self, key: str, zoho_id: str, status: AckStatus = AckStatus.SYNCED, stream: str = "orders") -> None:
        with self.ledger.begin() as connection:
            ack = Ack(stream, key, "v0", status, self.ledger.now(connection), zoho_id=zoho_id, payload_hash="hash")
            write_acks(connection, self.ledger.tables.ack, Acks.of([ack]))

    def ack(self, key: str, stream: str = "orders") -> Any:
        ack = self.ledger.tables.ack
        with self.ledger.connect() as connection:
            return connection.execute(sa.select(ack).where(ack.c.record_key == key, ack.c.stream == stream)).one()


@pytest.fixture
def run(engine_url: str) -> Iterator[Run]:
    yield from _run(engine_url)


@pytest.fixture
def sqlite_run(sqlite_url: str) -> Iterator[Run]:
    yield from _run(sqlite_url)


def _run(url: str) -> Iterator[Run]:
    ledger = Ledger.open(url)
    ledger.ensure_tables()
    run = Run(ledger)
    yield run
    run.lease.release("finished", {}, 0)
    ledger.close()


def updated(key: str, zoho_id: str, action: str | None = "update") -> Outcome:
    return Outcome(key, "v1", Status.SYNCED, zoho_id, action)


def inserted(key: str, zoho_id: str) -> Outcome:
    return updated(key, zoho_id, "insert")


def codes(confirmed: Confirmed) -> dict[str, str | None]:
    return {each.key: each.code for each in (*confirmed.in_the_crm, *confirmed.refused)}


def test_a_record_that_another_orders_ack_has_is_a_conflict_of_both(run: Run) -> None:
    run.note("A", X)
    confirmed = run.confirm(updated("B", X), updated("C", Y))
    assert codes(confirmed) == {"B": "KEY_CONFLICT", "C": None}
    both = run.ack("A"), run.ack("B")
    assert {(ack.status, ack.error_code, ack.family, ack.zoho_id) for ack in both} == {
        ("rejected", "KEY_CONFLICT", "data", None)
    }
    assert [ack.error_message for ack in both] == [
        f"record {X} was written for order 'B' too",
        f"record {X} was written for order 'A' too",
    ]
    assert (both[0].payload_hash, both[0].next_attempt_at) == (None, None)
    assert (run.ack("C").status, run.ack("C").zoho_id) == ("synced", Y)
    assert codes(run.confirm(updated("B", X))) == {"B": None}  # once somebody asks for it, the record is its own


@pytest.mark.parametrize("action", ["update", None])
def test_an_answer_that_does_not_say_insert_is_looked_at(sqlite_run: Run, action: str | None) -> None:
    sqlite_run.note("A", X)
    assert codes(sqlite_run.confirm(updated("B", X, action))) == {"B": "KEY_CONFLICT"}


def test_an_order_of_another_stream_counts_and_the_same_key_does_not(run: Run) -> None:
    run.note("A", X, stream="orders of another shop")
    run.note("C", Y, stream="orders under an earlier name")
    assert codes(run.confirm(updated("B", X), updated("C", Y))) == {"B": "KEY_CONFLICT", "C": None}
    assert run.ack("A", "orders of another shop").status == "rejected"
    assert run.ack("C", "orders under an earlier name").status == "synced"


def test_an_order_whose_own_ack_has_the_id_is_none(run: Run) -> None:
    run.note("A", X)
    assert codes(run.confirm(updated("A", X))) == {"A": None}
    run.note("D", Y, AckStatus.REJECTED)
    assert codes(run.confirm(updated("D", Y))) == {"D": None}


def test_keys_are_compared_exactly(run: Run) -> None:
    run.note("so-1", X)
    assert codes(run.confirm(updated("SO-1", X))) == {"SO-1": "KEY_CONFLICT"}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (AckStatus.DELETED, None),
        (AckStatus.REJECTED, "KEY_CONFLICT"),
        (AckStatus.PARKED, "KEY_CONFLICT"),
        (AckStatus.SUBMITTED, "KEY_CONFLICT"),
    ],
)
def test_what_an_ack_that_is_not_synced_claims(sqlite_run: Run, status: AckStatus, code: str | None) -> None:
    sqlite_run.note("A", X, status)
    assert codes(sqlite_run.confirm(updated("B", X))) == {"B": code}
    ack = sqlite_run.ack("A")
    assert (ack.status, ack.zoho_id) == (status.value, X if code is None else None)


def test_two_orders_of_one_answer_with_one_record_are_in_conflict(sqlite_run: Run) -> None:
    confirmed = sqlite_run.confirm(inserted("A", X), updated("B", X), inserted("C", Y))
    assert codes(confirmed) == {"A": "KEY_CONFLICT", "B": "KEY_CONFLICT", "C": None}
    assert [sqlite_run.ack(key).zoho_id for key in "ABC"] == [None, None, Y]


def test_records_that_change_places_are_no_conflict(sqlite_run: Run) -> None:
    sqlite_run.note("A", X)
    sqlite_run.note("B", Y)
    assert codes(sqlite_run.confirm(updated("A", Y), updated("B", X))) == {"A": None, "B": None}


def test_a_new_record_that_another_order_took_before_its_outcome_came_is_a_conflict(sqlite_run: Run) -> None:
    """A made it, B was written to it, and B's outcome came first."""
    assert codes(sqlite_run.confirm(updated("B", X))) == {"B": None}
    assert codes(sqlite_run.confirm(inserted("A", X))) == {"A": "KEY_CONFLICT"}
    assert sqlite_run.ack("B").error_code == "KEY_CONFLICT"


def test_an_order_on_its_way_while_its_record_was_taken_is_in_conflict_too(sqlite_run: Run) -> None:
    """A was written before B was, and its outcome comes after B's."""
    sqlite_run.note("A", X)
    assert codes(sqlite_run.confirm(updated("B", X))) == {"B": "KEY_CONFLICT"}
    assert codes(sqlite_run.confirm(updated("A", X))) == {"A": "KEY_CONFLICT"}
    assert codes(sqlite_run.confirm(updated("A", X))) == {"A": None}


def test_an_order_whose_lines_were_refused_claims_its_record_as_well(sqlite_run: Run) -> None:
    sqlite_run.note("A", X)
    of_lines = Outcome("B", "v1", Status.REJECTED, X, code="LINES_NOT_WRITTEN")
    assert codes(sqlite_run.confirm(of_lines)) == {"B": "KEY_CONFLICT"}
    assert sqlite_run.ack("B").zoho_id is None


def test_what_was_found_before_the_lines_stays_what_it_is(sqlite_run: Run) -> None:
    sqlite_run.note("A", X)
    found = sqlite_run.stream_ledger.without_conflicts([updated("B", X)])
    confirmed = sqlite_run.confirm(*found)
    assert [each.message for each in confirmed.refused] == [f"record {X} was written for order 'A' too"]
    assert sqlite_run.ack("A").status == "rejected"


def test_partitions_that_confirm_one_record_at_one_instant_are_in_conflict(engine_url: str) -> None:
    """A's answer says that its record is new, so nothing but a look after its commit can find that B has it."""
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    runs = {key: Run(ledger, Partition(number, 2)) for number, key in enumerate("AB", 1)}
    answers = {"A": inserted("A", X), "B": updated("B", X)}
    confirmed = {key: run.confirm(answers[key]) for key, run in reversed(runs.items())}
    assert codes(confirmed["A"]) == {"A": "KEY_CONFLICT"}
    for key, run in runs.items():
        ack = run.ack(key)
        assert (ack.status, ack.error_code, ack.zoho_id) == ("rejected", "KEY_CONFLICT", None)
        run.lease.release("finished", {}, 0)
    ledger.close()


def test_the_same_key_of_a_stream_that_shares_the_module_is_a_conflict_of_both(sqlite_run: Run) -> None:
    ledger, folding = sqlite_run.ledger, KeyFolding(folds_case=True)
    sharing = StreamLedger(ledger, sqlite_run.lease, max_attempts=3, folding=folding, shares_module=True)
    bind(sqlite_run.lease, Binding("orders", "Orders", "parent_id", shares_module=True))
    more = Lease.acquire(ledger, "more")
    bind(more, Binding("more", "Orders", "parent_id", shares_module=True))
    sqlite_run.note("A", X, stream="more")
    assert codes(sharing.confirm([updated("A", X)], Channel.UPSERT)) == {"A": "KEY_CONFLICT"}
    assert "A of stream more" in (sqlite_run.ack("A").error_message or "")
    assert sqlite_run.ack("A", "more").error_code == "KEY_CONFLICT"
    more.release("finished", {}, 0)
