"""From changes and calls to figures: how long each change took to be visible, and what the calls held. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.call_notes import NotedCall
from benchmarks.live_shop import Change
from benchmarks.results import Table

BURST_SECONDS = 5.0
"""So long after a burst a change counts as made within it."""

RESTART_SECONDS = (10.0, 2.0)
"""So long before and after a restart a change may have waited for it."""

QUANTILES = 200

SMALL_CALL = 10
TOGETHER_SECONDS = 0.2
"""Calls that come so close to each other were sent together: each thread has a connection of its own."""

ACK_SECONDS = 0.5
"""An order is on its way until its ack is written, which comes after the answer."""


def figures_of(changes: Sequence[Change], calls: Sequence[NotedCall], restarts: Sequence[float]) -> dict[str, Any]:
    """Waits in seconds from commit to the answer of the call that wrote this change, or a later one of its order.

    `restarts` are moments at which the pair was started again.
    """
    seen = _visible_at(changes, calls)
    bursts = sorted({change.committed for change in changes if change.in_burst})
    usual = [change for change in changes if not change.in_burst and not _after(bursts, change, BURST_SECONDS)]
    before, after = RESTART_SECONDS
    calm = [each for each in usual if not any(-before < each.committed - moment < after for moment in restarts)]
    small = [call for call in calls if len(call.changes) < SMALL_CALL]
    too_small = {call.came: waiting for call in small if (waiting := _others_waiting(call, changes, calls))}
    return {
        "changes": len(changes),
        "calls": len(calls),
        "records_per_call": round(sum(len(call.changes) for call in calls) / max(1, len(calls)), 1),
        "outside_bursts": _spread([seen[each.number] - each.committed for each in usual]),
        "outside_bursts_and_restarts": _spread([seen[each.number] - each.committed for each in calm]),
        "bursts": _spread([seen[each.number] - each.committed for each in changes if each.in_burst]),
        "small_calls": len(small),
        "small_calls_while_more_wait": len(too_small),
        "waiting_then": [
            {
                "burst_before": _since(bursts, came),
                "restart_before": _since(restarts, came),
                "committed_before": [round(came - each.committed, 3) for each in waiting],
                "visible_after": [round(seen[each.number] - came, 3) for each in waiting],
            }
            for came, waiting in too_small.items()
        ],
        "quantiles": _quantiles([seen[each.number] - each.committed for each in usual]),
    }


def table(figures: Mapping[str, Any]) -> Table:
    """What matters of a whole run."""
    plan = figures["plan"]
    waits = {
        "outside bursts": figures["outside_bursts"],
        "outside bursts, and not waiting for a restart": figures["outside_bursts_and_restarts"],
        "in bursts": figures["bursts"],
    }
    rows = [
        [name, f"{each['count']:,}", *(f"{each[share]:.2f}" for share in ("p50", "p95", "p99", "most"))]
        for name, each in waits.items()
        if each["count"]
    ]
    grown = ", ".join(f"{role} {mib:+.1f} MiB" for role, mib in figures["memory_growth_mib"].items())
    idle = figures["idle_queries_per_second"]
    note = (
        f"{plan['seconds']:,.0f} seconds, polled every {plan['poll_interval_seconds']} s, sent after "
        f"{plan['max_age_seconds']} s at the latest, killed {plan['kills']} times. {figures['changes']:,} changes, "
        f"{figures['calls']:,} calls of {figures['records_per_call']} records on average; "
        f"{figures['small_calls_while_more_wait']} calls had fewer than {SMALL_CALL} while more waited. Idle: "
        f"{idle['tap']} queries of the tap a second, {idle['pair']} with the target's heartbeats. Memory from the "
        f"second quarter of the longest life to its last: {grown}. At the end shop, CRM and ledger agree on all "
        f"{figures['orders']:,} orders."
    )
    columns = ["Changes", "Count", "Half within, s", "95 % within, s", "99 % within, s", "All within, s"]
    return Table("Seconds until a change is in the CRM", columns, rows, note)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _quantiles(latencies: Sequence[float]) -> list[float]:
    """What every half per cent of them do not exceed, from none to all: enough to draw them by."""
    return [round(percentile(latencies, number / QUANTILES), 3) for number in range(QUANTILES + 1)]


def _visible_at(changes: Sequence[Change], calls: Sequence[NotedCall]) -> dict[int, float]:
    """When each change was first visible; all of them were, or the run would not have come to its end."""
    by_key: dict[str, list[tuple[int, float]]] = {}
    for call in sorted(calls, key=lambda each: each.answered):
        for key, number in call.changes.items():
            known = by_key.setdefault(key, [])
            if not known or known[-1][0] < number:
                known.append((number, call.answered))
    found = {}
    for change in changes:
        known = by_key[change.key]
        found[change.number] = known[bisect_left(known, (change.number, 0.0))][1]
    return found


def _after(moments: Sequence[float], change: Change, seconds: float) -> bool:
    return any(0 <= change.committed - moment < seconds for moment in moments)


def _since(moments: Sequence[float], moment: float) -> float | None:
    """How long before a moment the last one of these was."""
    earlier = [each for each in moments if each <= moment]
    return round(moment - max(earlier), 2) if earlier else None


def _others_waiting(call: NotedCall, changes: Sequence[Change], calls: Sequence[NotedCall]) -> list[Change]:
    """The changes that waited at the target when this call went without them.

    The tap gives changes in their order; so what was committed before the newest change of the call, and was in no call
    yet, had been there. Orders with a call under way have to wait, and do not count.
    """
    sent: dict[str, int] = {}
    flying: set[str] = set()
    for other in calls:
        if other.came <= call.came + TOGETHER_SECONDS:
            for key, number in other.changes.items():
                sent[key] = max(number, sent.get(key, -1))
            if other.answered + ACK_SECONDS > call.came:
                flying.update(other.changes)
    earlier = changes[: max(call.changes.values())]
    return [each for each in earlier if sent.get(each.key, -1) < each.number and each.key not in flying]


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "most": 1.0}
    return {"count": len(seconds), **{name: round(percentile(seconds, share), 3) for name, share in shares.items()}}
