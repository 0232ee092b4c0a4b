"""The law of selection as properties: SQL and Python agree, and no order is ever lost behind the bookmark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from depth import examples
from engine_fixtures import fresh_database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_shop import FAR_OFF, LONG_AGO, Shop

from sync_ledger.tables import AckStatus
from tap_legacy_orders.actions import AckState, Action, action_for


@dataclass(frozen=True)
class Ack:
    """What the ledger says of an order in an example."""

    current: bool
    status: AckStatus
    due: datetime | None


acks = st.none() | st.builds(Ack, st.booleans(), st.sampled_from(AckStatus), st.sampled_from([None, LONG_AGO, FAR_OFF]))
# Few moments, so that many orders share one; None is an order without a replication value.
orders = st.lists(st.tuples(st.sampled_from([None, 0, 1, 2, 2.5]), acks), max_size=12)


def _is_due(ack: Ack) -> bool:
    return ack.status is AckStatus.REJECTED and ack.due == LONG_AGO


def _expected(ack: Ack | None) -> bool:
    """Say in the design's words whether an order is streamed."""
    if ack is None or _is_due(ack):
        return True
    return ack.status is not AckStatus.SUBMITTED and not ack.current


@settings(max_examples=examples(20, 200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(orders=orders, size=st.integers(1, 5), elsewhere=st.booleans())
def test_exactly_the_unsynced_orders_are_streamed_and_none_left_out_is_passed(
    orders: list[tuple[float | None, Ack | None]],
    size: int,
    elsewhere: bool,  # noqa: FBT001 - hypothesis gives it by name
) -> None:
    with (
        TemporaryDirectory() as folder,
        fresh_database("sqlite", Path(folder)) as url,
        fresh_database("sqlite", Path(folder)) as other,
        Shop.opened(url, other if elsewhere else None) as shop,
    ):
        shop.put(*((number, seconds) for number, (seconds, _) in enumerate(orders)))
        for number, (seconds, ack) in enumerate(orders):
            if ack is not None:
                version = (shop.moment(seconds) or "-") if ack.current else "another"
                shop.ack(str(number), version, ack.status, ack.due)
        run = shop.run(page_size=size)
        assert sorted(run.keys) == sorted(str(n) for n, (_, ack) in enumerate(orders) if _expected(ack))

        left_out = [
            shop.moment(seconds)
            for seconds, ack in orders
            if seconds is not None and ack and ack.status is AckStatus.SUBMITTED and not ack.current
        ]
        dated = [shop.moment(seconds) for seconds, _ in orders if seconds is not None]
        if dated:
            assert run.bookmark() == min([*left_out, max(dated)])
        # Whatever a page's STATE said, what was not sent before it is found after it.
        for state in run.states:
            sent = _sent_before(run.messages, state)
            again = shop.run(state, page_size=size, lookback_seconds=0)
            assert set(run.keys) <= sent | set(again.keys)
            reached = state["bookmarks"]["orders"].get("replication_key_value")
            assert reached is None or all(reached <= moment for moment in left_out if moment)


@settings(max_examples=examples(15, 100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(orders=orders, flagged=st.sets(st.integers(0, 11)), size=st.integers(1, 5), elsewhere=st.booleans())
def test_by_flag_exactly_the_unflagged_orders_are_streamed_that_no_ack_holds_back(
    orders: list[tuple[float | None, Ack | None]],
    flagged: set[int],
    size: int,
    elsewhere: bool,  # noqa: FBT001 - hypothesis gives it by name
) -> None:
    with (
        TemporaryDirectory() as folder,
        fresh_database("sqlite", Path(folder)) as url,
        fresh_database("sqlite", Path(folder)) as other,
        Shop.opened(url, other if elsewhere else None) as shop,
    ):
        shop.put(*((number, seconds) for number, (seconds, _) in enumerate(orders)))
        shop.sql("ALTER TABLE orders ADD COLUMN synced BOOLEAN")
        for number in flagged:
            shop.sql("UPDATE orders SET synced = 1 WHERE id = :i", {"i": number})
        for number, (seconds, ack) in enumerate(orders):
            if ack is not None:
                version = (shop.moment(seconds) or "-") if ack.current else "another"
                shop.ack(str(number), version, ack.status, ack.due)
        run = shop.run(page_size=size, unsynced_by="sync_flag", sync_flag_column="synced")
        expected = [
            str(number)
            for number, (_, ack) in enumerate(orders)
            if (ack is not None and _is_due(ack)) or (number not in flagged and (_expected(ack) or _is_synced(ack)))
        ]
        assert sorted(run.keys) == sorted(expected)


def _is_synced(ack: Ack | None) -> bool:
    """Say of an unflagged order whether a run died before it set the flag."""
    return ack is not None and ack.current and ack.status is AckStatus.SYNCED


def _sent_before(messages: list[dict[str, object]], state: dict[str, object]) -> set[str]:
    sent: set[str] = set()
    for message in messages:
        if message["type"] == "STATE" and message["value"] == state:
            return sent
        if message["type"] == "RECORD":
            sent.add(message["record"]["_sync_key"])  # type: ignore[index]
    raise AssertionError


@given(acks, st.timedeltas(timedelta(0), timedelta(days=1)))
def test_the_law_in_python_says_what_the_design_says(ack: Ack | None, later: timedelta) -> None:
    cutoff = LONG_AGO + later
    state = ack and AckState("v" if ack.current else "another", ack.status.value, ack.due)
    found = action_for(state, "v", cutoff)
    if ack is not None and _is_due(ack):
        assert found is Action.SKIP  # sent before the pages
    elif ack is not None and ack.status is AckStatus.SUBMITTED and not ack.current:
        assert found is Action.LEAVE_OUT
    else:
        assert (found is Action.SEND) == _expected(ack)
