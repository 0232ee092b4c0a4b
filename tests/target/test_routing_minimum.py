"""The planned credits are the least there are: every count from 1 to 60,000, against a search through all ways."""

from __future__ import annotations

import pytest

from target_zoho_crm.batch import Channel
from target_zoho_crm.writing.routing import ChildRows, ChildRowsPer, LineCounts, LinkCounts, Routing, plan

MOST = 60_000
IN_A_JOB = 25_000
JOB = 500


def least(records: int, each: int, of_lines: list[int]) -> int:
    """The fewest credits for records with `each` lines, among all numbers of jobs for records and for lines.

    `of_lines[n]`: what the lines of n records cost by calls. A job of lines may take those of any records here; so this
    is no more than any way costs that Zoho offers.
    """
    found = []
    for jobs in range(records // IN_A_JOB + 2):
        by_calls = max(0, records - jobs * IN_A_JOB)
        in_jobs = records - by_calls
        for line_jobs in range(in_jobs * each // IN_A_JOB + 2 if each else 1):
            done = min(in_jobs, line_jobs * IN_A_JOB // each) if each else in_jobs
            found.append((jobs + line_jobs) * JOB + -(-by_calls // 10) + of_lines[records - done])
    return min(found)


def planned(records: int, lines: LineCounts | None) -> int:
    routing = Routing(Channel.AUTO, IN_A_JOB, None, ChildRows(per=ChildRowsPer.PARENT))
    return plan(records, routing, lines=lines).credits


def test_without_lines() -> None:
    nothing = [0] * (MOST + 1)
    assert [n for n in range(1, MOST + 1) if planned(n, None) != least(n, 0, nothing)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("each", "in_subform", "step"),
    [(1, False, 1), (3, False, 1), (3, True, 7), (7, False, 11), (40, False, 101), (1, True, 11), (40, True, 101)],
)
def test_with_lines(each: int, in_subform: bool, step: int) -> None:  # noqa: FBT001
    lines = LineCounts([each] * MOST, in_subform)
    of_lines = [-(-(n if in_subform else n * each) // 10) for n in range(MOST + 1)]
    counts = range(1, MOST + 1, step)
    assert [n for n in counts if planned(n, lines) != least(n, each, of_lines)] == []


def least_with_links(records: int, each: int, fields: int, share: int, asked: int) -> int:
    """The same for records of which each `share`-th has `each` links in so many fields, to linked records all new."""

    def by_job(count: int) -> int:
        having = -(-count // share)
        by_jobs = fields * -(-having * each // IN_A_JOB) * JOB
        return JOB + min(by_jobs, -(-having // 10)) + -(-(having * asked) // 50)

    found = []
    for jobs in range(-(-records // IN_A_JOB) + 1):
        full = [IN_A_JOB] * (jobs - 1) + [min(IN_A_JOB, records - (jobs - 1) * IN_A_JOB)] if jobs else []
        found.append(sum(map(by_job, full)) + -(-(records - sum(full)) // 10))
    return min(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("each", "fields", "share", "asked"), [(1, 1, 1, 0), (3, 1, 1, 1), (3, 2, 1, 0), (1, 1, 50, 1), (40, 1, 5, 2)]
)
def test_with_links(each: int, fields: int, share: int, asked: int) -> None:
    def counts(records: int) -> LinkCounts:
        having = [number % share == 0 for number in range(records)]
        return LinkCounts([[each * has for has in having]] * fields, [asked * has for has in having])

    def planned_with(records: int) -> int:
        made = plan(records, Routing(Channel.AUTO, IN_A_JOB, None), links=counts(records))
        return made.credits

    some = range(1, MOST + 1, 997)
    assert [n for n in some if planned_with(n) != least_with_links(n, each, fields, share, asked)] == []
