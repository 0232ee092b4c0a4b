"""What an audit found, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rich.console import Console

from orders_sync.audit.auditing import Price, Result, Scope
from orders_sync.audit.kinds import KINDS, Finding, Kind, Known
from orders_sync.audit.page import FINDINGS_ON_PAGE, page
from orders_sync.comparison.module_reading import ReadingPrice
from orders_sync.comparison.samples import CONFIDENCE_PERCENT, share_at_most
from orders_sync.output import heading
from orders_sync.output import line as print_line

SAMPLE_FINDINGS = 5
"""Findings of each kind that are named."""

_KNOWN: Mapping[Known, str] = {
    Known.UNDER_WAY: "under way or in doubt now",
    Known.WAITING: "wait for the next run",
    Known.REFUSED: "are refused: `orders-sync problems`",
    Known.HELD: "were undone and are held: `orders-sync release`",
    Known.FILTERED_OUT: "are left out by `filter`",
    Known.ACCEPTED: "differ as a person accepted it",
    Known.NOT_LOOKED_AT: "seemed to differ and were not looked at again, for want of credits",
}


@dataclass
class Samples:
    """Some findings of each kind, or all of them."""

    everything: bool
    all: list[Finding] = field(default_factory=list)
    by_kind: dict[Kind, list[Finding]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Keep a finding."""
        if self.everything:
            self.all.append(finding)
        of_kind = self.by_kind.setdefault(finding.kind, [])
        if len(of_kind) < FINDINGS_ON_PAGE:
            of_kind.append(finding)


def price_line(scope: Scope, price: Price) -> str:
    """What an audit costs, before it begins."""
    again = f"{price.again} more for each 50 orders that seem to differ"
    if price.asks_for_records:
        again += ", 1 for each 50 records that lines name by a value"
    if price.reading is None:
        return f"{scope.sample:,} orders by chance: {price.credits:,} credits at most, {price.spent:,} of them spent"
    if scope.since is not None:
        found = f"{price.reading.records:,} records changed since {scope.since}"
        return f"{found}: about {price.credits:,} credits, {price.spent:,} of them spent"
    reading = [
        _reading("records", price.reading),
        *(_reading(f"rows of {name}", each) for name, each in price.rows.items()),
    ]
    return f"{', '.join(reading)}: {price.credits:,} credits, {price.spent:,} of them spent; {again}"


def _reading(what: str, price: ReadingPrice) -> str:
    way = f"{price.calls:,} bulk read job(s)" if price.by_jobs else f"{price.calls:,} queries"
    return f"{price.records:,} {what} by {way}"


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found, for a person; `not_compared` says why fields were not, `spent` is credits."""

    stream: str
    module: str
    scope: Scope
    result: Result
    samples: Samples
    not_compared: Mapping[str, str]
    spent: int
    receipt: str

    def display(self, console: Console) -> None:
        """Print it."""
        compared = _compared(self.scope, self.result)
        heading(console, "Stream ", self.stream, f" and module {self.module}: {compared}")
        for text in (*_kinds(self.result, self.samples), *self._further_lines()):
            print_line(console, f"  {text}")

    def whole_page(self) -> str:
        """The same as an HTML page."""
        title = f"Audit of stream {self.stream} and module {self.module}"
        lines = [_compared(self.scope, self.result), *self._further_lines()]
        return page(title, lines, self.result, self.samples.by_kind)

    def _further_lines(self) -> list[str]:
        """What is to be said besides the findings."""
        lines = [*_others(self.result), *_not_compared(self.result, self.not_compared)]
        if self.scope.sample is not None and self.result.orders:
            lines.append(_of_all(self.result))
        if not self.result.kinds:
            lines.append("no difference that nothing explains")
        return [*lines, f"{self.spent:,} credits; receipt {self.receipt}"]


def _kinds(result: Result, samples: Samples) -> Iterator[str]:
    for kind, what in KINDS.items():
        if result.kinds[kind.value]:
            yield f"{result.kinds[kind.value]:,} {kind.value}: {what}"
            some = samples.by_kind.get(kind, ())[:SAMPLE_FINDINGS]
            yield from (f"  {_described(finding)}" for finding in some)


def _others(result: Result) -> Iterator[str]:
    for known, words in _KNOWN.items():
        if result.known[known.value]:
            yield f"{result.known[known.value]:,} {words}"
    if result.fields:
        yield "different fields: " + ", ".join(f"{name} {count:,}" for name, count in result.fields.most_common())
    if result.keyless:
        yield f"{result.keyless:,} records without a key are not ours"
    if result.ownerless:
        yield f"{result.ownerless:,} lines or links belong to no record that there is"


def _not_compared(result: Result, not_compared: Mapping[str, str]) -> Iterator[str]:
    yield from (f"not compared: {name} ({why})" for name, why in not_compared.items())
    for name, count in result.not_comparable.items():
        if name not in not_compared:
            yield f"not comparable: {name} of {count:,} orders"


def _compared(scope: Scope, result: Result) -> str:
    what = f"{result.orders:,} orders"
    if scope.sample is not None:
        what += " by chance"
    elif scope.since is not None:
        what += f" written or changed since {scope.since}"
    records = "" if result.records is None else f", {result.records:,} records"
    rows = f", {result.rows:,} lines and links" if result.rows else ""
    return f"{what}{records}{rows}, {result.equal:,} equal"


def _of_all(result: Result) -> str:
    found = sum(result.kinds.values())
    share = share_at_most(found, result.orders) * 100
    return (
        f"of all orders of the table no more than {share:.2f} % differ, at {CONFIDENCE_PERCENT} % confidence; "
        "records without an order are not found by a sample"
    )


def _described(finding: Finding) -> str:
    parts = [repr(finding.key)]
    if finding.fields:
        parts.append("in " + ", ".join(finding.fields))
    if finding.lines:
        shown = ", ".join(map(repr, finding.lines[:SAMPLE_FINDINGS]))
        parts.append(f"of lines {shown}{', ...' if len(finding.lines) > SAMPLE_FINDINGS else ''}")
    if finding.who:
        parts.append(f"by {finding.who}")
    if finding.when and finding.who:
        parts.append(f"at {finding.when}")
    if finding.detail:
        parts.append(f"({finding.detail})")
    return " ".join(parts)
