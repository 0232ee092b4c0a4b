"""What became of an order of a plan: an ack says so only where a run of the plan wrote it, and says the same order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from orders_sync.applying.applying import Became, Writers, by_ack
from sync_ledger.saved_plans import PlannedOrder

WRITERS = Writers(now={"now"}, before={"before"})


def ack(status: str, run_id: str = "now", version: str = "v1", content: str | None = "c1") -> Any:
    return SimpleNamespace(status=status, run_id=run_id, version=version, content=content)


@pytest.mark.parametrize(
    ("acked", "given", "became"),
    [
        (ack("synced"), True, Became.APPLIED),
        (ack("rejected"), True, Became.REFUSED),
        (ack("parked"), True, Became.REFUSED),
        # Read, and never taken: what an earlier run's ack says is of something else.
        (ack("synced", "another", content="c0"), True, Became.UNSETTLED),
        (ack("rejected", "another"), True, Became.UNSETTLED),
        (ack("synced", version="v0"), True, Became.UNSETTLED),
        (ack("submitted"), True, Became.UNSETTLED),
        (None, True, Became.UNSETTLED),
        # Left out: by an earlier `apply`, by another run, or for the table to say.
        (ack("synced", "before", content=None), False, Became.DONE_BEFORE),
        (ack("synced", "another"), False, Became.DONE_BEFORE),
        (ack("synced", "another", content="c0"), False, None),
        (ack("synced", "another", content=None), False, None),
        (ack("rejected", "before"), False, Became.REFUSED),
        (ack("rejected", "another"), False, None),
        (ack("submitted", "before"), False, Became.UNSETTLED),
        (ack("synced", version="v2"), False, None),
        (None, False, None),
        (ack("held"), True, Became.HELD),
        (ack("held"), False, Became.HELD),
    ],
)
def test_an_ack_says_what_became_of_an_order(acked: Any, given: bool, became: Became | None) -> None:  # noqa: FBT001 - a parameter of the test
    assert by_ack(PlannedOrder("v1", "c1"), acked, WRITERS, given=given) is became
