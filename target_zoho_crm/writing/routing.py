"""Which records go by upsert calls and which by bulk write jobs: by credits, with the arithmetic in one line. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.costs import (
    CALL_RECORDS,
    CHILD_ROWS,
    CREDIT_RECORDS,
    JOB_CREDITS,
    QUERY_VALUES,
    upsert_credits,
)
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.batch import Channel


def possible_channel(wanted: Channel, stream: str, upsert_only: Sequence[str]) -> Channel:
    """The channel of a stream; `upsert_only` says why bulk write cannot write it, if so.

    Raises:
        ConfigurationError: bulk write is wanted and cannot.
    """
    if not upsert_only:
        return wanted
    if wanted is Channel.BULK_WRITE:
        why = "; ".join(upsert_only)
        raise configuration_error(OwnCode.NOT_FOR_BULK_WRITE, f"Stream {stream!r} and `channel` bulk_write: {why}.")
    return Channel.UPSERT


class ChildRowsPer(StrEnum):
    """What Zoho's limit for rows of a subform is for."""

    FILE = "file"
    PARENT = "parent"
    ZIP = "zip"
    """A file that comes in one zip with its parents', as none of ours does."""


@dataclass(frozen=True, slots=True)
class ChildRows:
    """How many rows of a subform a job takes: so many a file, so many of each record, or more than we send."""

    most: int = CHILD_ROWS
    per: ChildRowsPer = ChildRowsPer.FILE

    def of_job(self, bulk_rows: int) -> int:
        """The most rows of one job, where any other job has so many."""
        return min(self.most, bulk_rows) if self.per is ChildRowsPer.FILE else bulk_rows

    @property
    def never_pay(self) -> bool:
        """Whether even a full job costs more than calls that write each of its rows for a record of its own."""
        return self.per is ChildRowsPer.FILE and upsert_credits(self.most) < JOB_CREDITS


@dataclass(frozen=True, slots=True)
class Routing:
    """How records are routed.

    `channel` AUTO decides by credits, the others are fixed. `bulk_rows` is the most rows of one job; with
    `bulk_threshold` a job is made while at least so many records remain, whatever it costs.
    """

    channel: Channel
    bulk_rows: int
    bulk_threshold: int | None = None
    child_rows: ChildRows = ChildRows()

    def line_rows(self, *, in_subform: bool) -> int:
        """The most lines of one job."""
        return self.child_rows.of_job(self.bulk_rows) if in_subform else self.bulk_rows


@dataclass(frozen=True)
class Plan:
    """How a number of records is sent: the jobs first, then `upsert_records` by upsert calls; the rest is not sent.

    `credits` is the sum that Zoho will count; `why` is one log line with the arithmetic.
    """

    job_sizes: tuple[int, ...]
    upsert_records: int
    credits: int
    why: str

    @property
    def records(self) -> int:
        """How many are sent."""
        return sum(self.job_sizes) + self.upsert_records


class LineCounts:
    """How many lines each record has, in the records' order; and whether they are rows of a subform.

    `with_orders`: new records take their lines along, in their own call or in the zip of their job, for nothing; which
    are known is not known here.
    """

    def __init__(self, counts: Sequence[int], in_subform: bool, *, with_orders: bool = False) -> None:  # noqa: FBT001
        self._counts = counts
        self.in_subform = in_subform
        self.with_orders = with_orders
        self._lines = [0, *accumulate(counts)]
        self._credits: dict[int, list[int]] = {}

    def within(self, start: int, end: int) -> int:
        """Lines of some of the records."""
        return self._lines[end] - self._lines[start]

    def end_within(self, lines: int, start: int, end: int) -> int:
        """Where the first of the records from `start` on ends that together have no more than so many lines."""
        return bisect_right(self._lines, self._lines[start] + lines, start, end + 1) - 1

    def upsert_credits(self, start: int, end: int) -> int:
        """Credits for the lines by upsert calls; each call of records has calls of its own for their lines.

        Rows of a subform cost nothing by themselves; they are written by a second call for their records.
        """
        if self.with_orders:
            return 0
        full, rest = divmod(end - start, CALL_RECORDS)
        return (self._of_full_calls(start)[full] if full else 0) + self._of_call(end - rest, end)

    def _of_full_calls(self, start: int) -> list[int]:
        """Credits for the lines of 0, 1, 2 ... full calls of records from `start` on."""
        found = self._credits.get(start)
        if found is None:
            ends = range(start + CALL_RECORDS, len(self._counts) + 1, CALL_RECORDS)
            calls = (self._of_call(end - CALL_RECORDS, end) for end in ends)
            found = self._credits[start] = [0, *accumulate(calls)]
        return found

    def _of_call(self, start: int, end: int) -> int:
        return upsert_credits(sum(map(bool, self._counts[start:end])) if self.in_subform else self.within(start, end))


@dataclass(frozen=True)
class LinesWay:
    """How the lines of some records go: those of the first `records` by so many jobs, those of the others by calls."""

    jobs: int
    records: int
    credits: int


def lines_way(lines: LineCounts, start: int, end: int, routing: Routing) -> LinesWay:
    """The cheapest way for the lines of the records of one job; the lines of one record go one way.

    Rows of a subform of which a job takes too few to pay go by calls, whatever the channel. All jobs but the last are
    full, so that the last one alone may cost more than calls, unless all do.
    """
    if lines.with_orders:
        return LinesWay(0, end - start, 0)
    total, rows = lines.within(start, end), routing.line_rows(in_subform=lines.in_subform)
    most = -(-total // rows)
    by_jobs = LinesWay(most, end - start if most else 0, most * JOB_CREDITS)
    by_calls = LinesWay(0, 0, lines.upsert_credits(start, end))
    if lines.in_subform and routing.child_rows.never_pay:
        return by_calls
    if routing.channel is Channel.BULK_WRITE:
        return by_jobs
    if routing.channel is Channel.UPSERT:
        return by_calls
    if routing.bulk_threshold is not None:
        return by_jobs if total >= routing.bulk_threshold else by_calls
    ways = [by_jobs, by_calls]
    if most > 1:
        middle = lines.end_within((most - 1) * rows, start, end)
        credits_ = (most - 1) * JOB_CREDITS + lines.upsert_credits(middle, end)
        ways.append(LinesWay(most - 1, middle - start, credits_))
    return min(ways, key=lambda way: way.credits)


class LinkCounts:
    """How many links each record has, by field, and of how many linked records it is the first to ask."""

    def __init__(self, links: Sequence[Sequence[int]], asked: Sequence[int]) -> None:
        self._links = [[0, *accumulate(counts)] for counts in links]
        self._having = [0, *accumulate(map(any, zip(*links, strict=True)))] if links else [0] * (len(asked) + 1)
        self._asked = [0, *accumulate(asked)]

    def credits(self, start: int, end: int, routing: Routing) -> int:
        """Credits for the links of the records of one job, and for asking which of the linked records are there."""
        counts = [sums[end] - sums[start] for sums in self._links]
        having = self._having[end] - self._having[start]
        way = links_way(counts, having, routing)
        asking = -(-(self._asked[end] - self._asked[start]) // QUERY_VALUES)
        return way.credits + asking


def links_way(links: Sequence[int], records: int, routing: Routing) -> LinesWay:
    """The cheaper way for so many links by field, of so many records: jobs for each field, or calls for the records."""
    jobs = sum(-(-count // routing.bulk_rows) for count in links)
    by_jobs = LinesWay(jobs, records, jobs * JOB_CREDITS)
    by_calls = LinesWay(0, 0, upsert_credits(records))
    if routing.channel is Channel.BULK_WRITE:
        return by_jobs
    if routing.bulk_threshold is not None:
        return by_jobs if sum(links) >= routing.bulk_threshold else by_calls
    return min(by_jobs, by_calls, key=lambda way: way.credits)


def plan(
    records: int,
    routing: Routing,
    *,
    lines: LineCounts | None = None,
    links: LinkCounts | None = None,
    credits_left: int | None = None,
) -> Plan:
    """The cheapest way for `records`; where both ways cost the same, the jobs, which leave the calls to others.

    Args:
        records: how many are to be sent.
        routing: by which channel, and the sizes of jobs.
        lines: the records' lines, which cost too.
        links: their links, which cost where a record goes by a job; a call brings them along.
        credits_left: the most credits that the plan may cost; what they do not suffice for is not sent.
    """
    bulk_rows, bulk_threshold = routing.bulk_rows, routing.bulk_threshold
    if records < 0 or bulk_rows < 1 or (bulk_threshold is not None and bulk_threshold < 1):
        raise ValueError("records must not be negative; bulk_rows and bulk_threshold must be positive")
    sizes: list[int] = []
    jobs, start, spent, of_links = 0, 0, 0, 0
    while start < records:
        end = _end_of_job(start, records, bulk_rows, lines)
        by_calls = upsert_credits(records - start) - upsert_credits(records - end)  # a credit is for ten records begun
        more_jobs, by_job = 0, JOB_CREDITS
        if lines is not None:
            by_calls += lines.upsert_credits(start, end)
            way = lines_way(lines, start, end, routing)
            more_jobs, by_job = way.jobs, by_job + way.credits
        linking = 0
        if links is not None:
            linking = links.credits(start, end, routing)
            by_job += linking
        if not _by_job(records - start, by_calls, by_job, routing):
            break
        if credits_left is not None and spent + by_job > credits_left:
            break
        sizes.append(end - start)
        jobs, start, spent, of_links = jobs + more_jobs, end, spent + by_job, of_links + linking
    remaining = records - start
    if credits_left is not None:
        by_jobs_only = routing.channel is Channel.BULK_WRITE
        remaining = 0 if by_jobs_only else _within(credits_left - spent, start, records, lines)
    end = start + remaining
    if lines is not None:
        spent += lines.upsert_credits(start, end)
    alone = upsert_credits(end) + (lines.upsert_credits(0, end) if lines is not None else 0)
    credits_ = spent + upsert_credits(remaining)
    why = _why(end, sizes, remaining, credits_, alone, lines, jobs, of_links) + _why_no_jobs(sizes, lines, routing)
    if end < records:
        why = f"{records - end:,} records are left out, since {credits_left:,} credits are left; {why}"
    return Plan(tuple(sizes), remaining, credits_, why)


def _end_of_job(start: int, records: int, bulk_rows: int, lines: LineCounts | None) -> int:
    """Where the records of a job end that begins at `start`."""
    end = min(start + bulk_rows, records)
    if lines is None or not lines.with_orders:
        return end
    return max(start + 1, lines.end_within(bulk_rows, start, end))


def _why_no_jobs(sizes: Sequence[int], lines: LineCounts | None, routing: Routing) -> str:
    """Why rows of a subform go by calls where their records go by jobs, for the log line."""
    if lines is None or not (lines.in_subform and lines.within(0, sum(sizes)) and routing.child_rows.never_pay):
        return ""
    return f"; rows of the subform go by calls, since a job takes {routing.child_rows.most:,} (`child_rows`)"


def _within(credits_left: int, start: int, end: int, lines: LineCounts | None) -> int:
    """How many of the records from `start` can be written by upsert calls for so many credits."""
    if lines is None:
        return min(end - start, credits_left * CREDIT_RECORDS)
    for at in range(start, end, CALL_RECORDS):
        after = min(at + CALL_RECORDS, end)
        credits_left -= upsert_credits(after - at) + lines.upsert_credits(at, after)
        if credits_left < 0:
            return at - start
    return end - start


def _by_job(remaining: int, by_calls: int, by_job: int, routing: Routing) -> bool:
    if routing.channel is not Channel.AUTO:
        return routing.channel is Channel.BULK_WRITE
    threshold = routing.bulk_threshold
    return remaining >= threshold if threshold is not None else by_calls >= by_job


def _why(
    records: int,
    sizes: list[int],
    upserts: int,
    credits_: int,
    alone: int,
    lines: LineCounts | None,
    line_jobs_: int,
    of_links: int,
) -> str:
    what, parts = f"{records:,} records", []
    if sizes:
        parts.append(f"{sum(sizes):,} in {len(sizes)} bulk write job(s) at {JOB_CREDITS} credits")
    if upserts:
        calls = -(-upserts // CALL_RECORDS)
        parts.append(f"{upserts:,} in {calls:,} upsert call(s) = {upsert_credits(upserts):,} credits")
    if lines is not None:
        what += f" with {lines.within(0, records):,} lines"
        rest = credits_ - of_links - (len(sizes) + line_jobs_) * JOB_CREDITS - upsert_credits(upserts)
        if line_jobs_:
            parts.append(f"lines in {line_jobs_} more job(s) at {JOB_CREDITS}")
        if lines.with_orders:
            ways = [*(["jobs"] if sizes else []), *(["calls"] if upserts or not sizes else [])]
            parts.append(f"lines in the {' and '.join(ways)} of new orders")
        elif rest or not line_jobs_:
            parts.append(f"lines by upsert = {rest:,} credits")
    if of_links:
        parts.append(f"links of multiple lookups = {of_links:,} credits")
    way = ", ".join(parts) or "nothing to send"
    return f"{what}: {way}; {credits_:,} credits in all (by upsert alone {alone:,})"
