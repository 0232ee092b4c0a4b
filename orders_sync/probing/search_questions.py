"""Questions about searches and counts."""

from __future__ import annotations

from http import HTTPStatus

from orders_sync.probing.bench import Bench
from orders_sync.probing.fields import KEY, TEXT
from orders_sync.probing.questions import Calls, Question
from orders_sync.probing.verdicts import NotAsked, Verdict, seen, unknown
from orders_sync.probing.wire import Exchange
from sync_ledger.retry_schedules import PROBE_SEARCHES

_SEARCHES = Calls("two records, and searches until they are seen", 3 + PROBE_SEARCHES.attempts)


def _search(bench: Bench, criteria: str) -> Exchange:
    params = {"criteria": criteria, "fields": f"id,{KEY}"}
    return bench.wire.call("GET", f"{bench.module}/search", credits=1, params=params)


def _lag(bench: Bench) -> int:
    """Seconds until a search sees two new records, one of whose texts the other's contains."""
    key = bench.key()
    word = key.rpartition("-")[0][-8:]
    bench.seed("shorter", **{TEXT: word})
    bench.seed("longer", **{KEY: key, TEXT: f"{word} more"})
    began = bench.wire.pace.now()
    for number in range(1, PROBE_SEARCHES.attempts + 1):
        before = len(bench.wire.kept)
        found = _search(bench, f"({KEY}:equals:{key})")
        if found.status == HTTPStatus.OK and found.items:
            return round(bench.wire.pace.now() - began)
        if found.status != HTTPStatus.NO_CONTENT:
            raise NotAsked("a search is answered neither with records nor with 204")
        del bench.wire.kept[before:]
        bench.wire.pace.wait(PROBE_SEARCHES.pause_after(number))
    raise NotAsked(f"none of {PROBE_SEARCHES.attempts} searches saw a new record")


def _search_lag_seconds(bench: Bench) -> Verdict:
    bench.need(KEY, TEXT)
    seconds = bench.once("lag", lambda: _lag(bench))
    bench.measures["search_lag_seconds"] = seconds
    return seen(seconds, "measured once, to the second")


def _search_equals(bench: Bench) -> Verdict:
    bench.need(KEY, TEXT)
    bench.once("lag", lambda: _lag(bench))
    word = bench.run.removeprefix("orders-sync-probe-")[-8:]
    found = _search(bench, f"({TEXT}:equals:{word})")
    keys = {str(each.get(KEY)) for each in found.items if isinstance(each, dict)}
    if found.status != HTTPStatus.OK or not keys or not all(each.startswith(bench.run) for each in keys):
        return unknown("the search finds other records")
    if len(found.items) > len(keys):
        return unknown("the search finds a record twice")
    return {1: seen("exact"), 2: seen("contains")}.get(len(keys), unknown(f"the search finds {len(keys)} records"))


def _counts(bench: Bench) -> Verdict:
    found = bench.wire.call("GET", f"{bench.module}/actions/count", credits=1)
    number = found.flat.get("count")
    if isinstance(number, str) and number.isdecimal():
        return seen("text")
    return seen("number") if type(number) is int else unknown("`count` is neither digits in text nor a whole number")


SEARCH_QUESTIONS = (
    Question("counts", "a count as text or as number", (Calls("a count", 1),), _counts),
    Question("search_lag_seconds", "how long a search does not see a new record", (_SEARCHES,), _search_lag_seconds),
    Question("search_equals", "what `equals` finds", (_SEARCHES,), _search_equals),
)
