"""What an audit found, as one HTML page that needs no network; of an order it has the key, and no value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orders_sync.audit.auditing import Result
from orders_sync.audit.kinds import KINDS, Finding, Kind
from orders_sync.reporting.html_parts import framed, none, section, table
from orders_sync.reporting.report_plots import text

FINDINGS_ON_PAGE = 200
"""Of each kind; `--csv` has all."""
_HEAD = ("order", "record", "fields", "lines", "who", "when", "detail")


def page(title: str, lines: list[str], result: Result, found: Mapping[Kind, list[Finding]]) -> str:
    """The page; `lines` are what is to be said of the audit, `found` some findings of each kind."""
    kinds = [(kind.value, what, f"{result.kinds[kind.value]:,}") for kind, what in KINDS.items() if kind in found]
    sums = table(("kind", "meaning", "orders"), kinds, numbers={2}) if kinds else none("no difference")
    said = "".join(f"<p>{text(line)}</p>" for line in lines)
    body = f"<h1>{text(title)}</h1>{said}{section('Findings', sums)}"
    return framed(title, body + "".join(_of_kind(kind, result, found[kind]) for kind in KINDS if kind in found))


def _of_kind(kind: Kind, result: Result, found: list[Finding]) -> str:
    left = result.kinds[kind.value] - len(found[:FINDINGS_ON_PAGE])
    more = f"<p>{left:,} more; `--csv` has all</p>" if left > 0 else ""
    return section(kind.value, table(_HEAD, map(tuple, map(_row, found[:FINDINGS_ON_PAGE])), numbers=set()) + more)


def _row(finding: Finding) -> Iterator[str]:
    fields, lines = ", ".join(finding.fields), ", ".join(finding.lines)
    for each in (finding.key, finding.zoho_id, fields, lines, finding.who, finding.when, finding.detail):
        yield each or ""
