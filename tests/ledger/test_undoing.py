"""What acks say while a run is undone: nobody calls an order synced that may be taken back in part, or was refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus
from sync_ledger.undoing import Undone, UndoOutcome, begin, conclude, release

RUN = "f" * 32


@pytest.fixture
def lease(engine_url: str) -> Iterator[Lease]:
    """The lease of an undo; order K is synced, and R was refused since."""
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    with ledger.begin() as connection:
        now = ledger.now(connection)
        of_all = {"stream": "orders", "acked_at": now, "zoho_id": "1"}
        acks = [
            Ack(record_key="K", version="1", status=AckStatus.SYNCED, **of_all),
            Ack(record_key="R", version="2", status=AckStatus.REJECTED, error_code="INVALID_DATA", **of_all),
        ]
        write_acks(connection, ledger.tables.ack, Acks.of(acks))
    lease = Lease.acquire(ledger, "orders")
    yield lease
    lease.release("undid", {}, credits_spent=0)
    ledger.close()


def statuses(lease: Lease) -> dict[str, tuple[str, bool]]:
    """Status of each order, and whether it is due."""
    ack = lease.ledger.tables.ack
    with lease.ledger.connect() as connection:
        rows = connection.execute(sa.select(ack.c.record_key, ack.c.status, ack.c.next_attempt_at))
        return {key: (status, due is not None) for key, status, due in rows}


def test_an_order_that_was_refused_before_its_undo_is_not_called_synced_when_it_is_let_go(lease: Lease) -> None:
    begin(lease, RUN, ["K", "R"])
    assert statuses(lease) == {"K": ("held", False), "R": ("held", False)}
    concluded = [Undone(key, UndoOutcome.IMPOSSIBLE, "Zoho refused") for key in ("K", "R")]
    conclude(lease, RUN, concluded, deleted=(), let_go={"K", "R"}, number=1)
    assert statuses(lease) == {"K": ("synced", False), "R": ("rejected", True)}


def test_an_order_that_may_be_taken_back_in_part_stays_held_until_it_is_released(lease: Lease) -> None:
    begin(lease, RUN, ["K"])
    part = [Undone("K", UndoOutcome.IMPOSSIBLE, "a line of it could not be set back", held=True)]
    conclude(lease, RUN, part, deleted=(), let_go={"K"}, number=1)
    assert statuses(lease)["K"] == ("held", False)
    assert release(lease.ledger, RUN) == 1
    assert statuses(lease)["K"] == ("rejected", True)
