from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from target_zoho_crm.api.costs import upsert_credits
from target_zoho_crm.batch import Channel
from target_zoho_crm.writing.routing import Routing, plan


def auto(
    records: int, *, bulk_rows: int = 25_000, bulk_threshold: int | None = None
) -> tuple[tuple[int, ...], int, int]:
    made = plan(records, Routing(Channel.AUTO, bulk_rows, bulk_threshold))
    return made.job_sizes, made.upsert_records, made.credits


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (0, ((), 0, 0)),
        (1, ((), 1, 1)),
        (10, ((), 10, 1)),
        (11, ((), 11, 2)),
        (1_500, ((), 1_500, 150)),
        (4_990, ((), 4_990, 499)),
        (4_991, ((4_991,), 0, 500)),  # a tie, as 5,000
        (5_000, ((5_000,), 0, 500)),
        (25_001, ((25_000,), 1, 501)),
        (60_000, ((25_000, 25_000, 10_000), 0, 1_500)),
    ],
)
def test_records_go_the_cheaper_way(records: int, expected: tuple[tuple[int, ...], int, int]) -> None:
    assert auto(records) == expected


@settings(deadline=None)
@given(st.integers(0, 60_000), st.integers(1, 25_000))
@example(4_992, 4_991)
def test_no_split_into_jobs_and_calls_is_cheaper_and_none_is_lost(records: int, bulk_rows: int) -> None:
    jobs, upserts, credits_ = auto(records, bulk_rows=bulk_rows)
    assert sum(jobs) + upserts == records
    assert all(0 < size <= bulk_rows for size in jobs)
    most_jobs = -(-records // bulk_rows) if bulk_rows > 400 else 10
    others = [500 * n + upsert_credits(max(records - n * bulk_rows, 0)) for n in range(most_jobs + 1)]
    assert credits_ == min(others)


def test_a_fixed_channel_or_threshold_wins_over_the_credits() -> None:
    assert plan(3, Routing(Channel.BULK_WRITE, 25_000, None)).job_sizes == (3,)
    assert plan(60_000, Routing(Channel.UPSERT, 25_000, 1)).upsert_records == 60_000
    assert auto(1_000, bulk_threshold=1_000)[0] == (1_000,)
    assert auto(24_999, bulk_threshold=25_000) == ((), 24_999, 2_500)
    assert auto(60_000, bulk_rows=10_000, bulk_threshold=50_000)[:2] == ((10_000, 10_000), 40_000)


def test_the_reason_shows_the_arithmetic() -> None:
    why = plan(26_500, Routing(Channel.AUTO, 25_000, None)).why
    for figure in ("26,500", "25,000", "1,500", "15 upsert", "650", "2,650"):
        assert figure in why
    assert "\n" not in why
