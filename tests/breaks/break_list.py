"""The list: what is changed in the product, and which tests must then fail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """One promise broken: in `file`, the only place where `old` stands becomes `new`, and each of `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


BREAKS: tuple[Break, ...] = (
    Break(
        "state-passes-what-is-unsettled",
        "target_zoho_crm/confirmation/state_gate.py",
        old="while self._queue and not self._queue[0].waits_for:",
        new="while self._queue:",
        tests=("tests/target/test_settlement.py::test_the_law_of_state",),
    ),
    Break(
        "keys-in-flight-are-not-noted",
        "target_zoho_crm/confirmation/in_flight.py",
        old="self._flights.append(flight)",
        new="pass",
        tests=("tests/target/test_in_flight.py::test_a_newer_version_waits_until_the_older_one_has_landed",),
    ),
    Break(
        "lookback-is-ignored",
        "tap_legacy_orders/ranges.py",
        old="return clock.lookback + max(",
        new="return max(",
        tests=("tests/tap/test_selection.py::test_an_order_committed_late_is_found_within_the_lookback",),
    ),
    Break(
        "acks-are-ignored",
        "tap_legacy_orders/unsynced_queries.py",
        old="return sa.or_(ack.c.record_key.is_(None), changed)\n",
        new='return sa.literal_column("1") == sa.literal_column("1")\n',
        tests=("tests/tap/test_selection.py::test_a_full_table_run_reconciles_everything_and_resends_nothing",),
    ),
)
