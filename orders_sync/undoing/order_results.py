"""One result for each order over all runs that are undone together. Pure.

An order is reversed where every write of it was. Where one was not, the newest such write is the reason: the older
ones could not be taken back because of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orders_sync.undoing.undo import RunToUndo
from sync_ledger.undoing import Undone, UndoOutcome


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What became of one order, and the run whose write of it decided that."""

    run_id: str
    undone: Undone

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        undone = self.undone
        return {
            "run": self.run_id,
            "key": undone.key,
            "outcome": undone.outcome.value,
            "why": undone.why,
            "person": undone.person,
            "later_run": undone.later_run,
            "held": undone.held,
        }


def one_each(found: Iterable[tuple[RunToUndo, Mapping[str, Undone]]]) -> list[OrderResult]:
    """One result for each order. The writes of an order come the newest first."""
    results: dict[tuple[str, str], OrderResult] = {}
    for run, by_key in found:
        for key, undone in by_key.items():
            newer = results.get((run.stream, key))
            decided = newer is not None and newer.undone.outcome is not UndoOutcome.REVERSED
            result = newer if newer is not None and decided else OrderResult(run.run_id, undone)
            held = undone.held or (newer is not None and newer.undone.held)
            results[run.stream, key] = replace(result, undone=replace(result.undone, held=held))
    return list(results.values())


def expected_of(asked: Sequence[RunToUndo]) -> Counter[str]:
    """How many orders are left, and of these `deleted`, `set back` or to `stay`, as far as the ledger knows.

    `reversed` are those that an earlier undo has taken back.
    """
    ends: dict[tuple[str, str], str] = {}
    for run in asked:
        left = {each.key: each for each in run.left}
        values = {each.key for each in run.with_values}
        for key in run.orders:
            order = run.stream, key
            if key not in left:
                ends.setdefault(order, "reversed")
            elif ends.get(order) != "stay":
                possible = left[key].inserted or key in values
                ends[order] = "stay" if not possible else "deleted" if left[key].inserted else "set back"
    return Counter(ends.values())
