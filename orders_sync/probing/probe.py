"""One probe: asks the questions one after another, and deletes in any case what was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orders_sync.probing.bench import Bench
from orders_sync.probing.clean_up import clean_up
from orders_sync.probing.questions import Question
from orders_sync.probing.scrubbing import Scrubber
from orders_sync.probing.verdicts import NotAsked, ProbeError, Sureness, Verdict, unknown

_EVIDENCE_MOST = 6
"""Calls that are kept for a question: the last ones, which the verdict rests on."""


@dataclass(frozen=True)
class Finding:
    """What became of one question, with its evidence, which holds nothing of the org's own."""

    question: Question
    verdict: Verdict
    evidence: Sequence[dict[str, Any]]


@dataclass
class Found:
    """What a probe found. `deleted` counts the records that it made and deleted; `left` says what is not, and why.

    `interrupted`: a person ended it before it had asked everything.
    """

    findings: list[Finding] = field(default_factory=list)
    measures: dict[str, Any] = field(default_factory=dict)
    spent: int = 0
    deleted: int = 0
    left: str = ""
    interrupted: bool = False


def ask_all(bench: Bench, questions: Sequence[Question], note: Callable[[Finding], None]) -> Found:
    """Ask these questions, and delete what was made; `note` is given each finding as it is made.

    Raises:
        ZohoError: there is no token.
    """
    found = Found()
    scrubber = Scrubber(bench.secrets())
    try:
        for question in questions:
            bench.wire.kept = []
            verdict = _ask(bench, question)
            evidence = [scrubber.evidence(each) for each in bench.wire.kept[-_EVIDENCE_MOST:]]
            why = scrubber.text(verdict.why)
            finding = Finding(question, Verdict(verdict.sureness, verdict.positions, why), evidence)
            found.findings.append(finding)
            note(finding)
    except KeyboardInterrupt:
        found.interrupted = True
    finally:
        bench.wire.purse.most = max(bench.wire.purse.most, bench.wire.purse.spent) + _DELETING_MOST
        try:
            found.deleted = clean_up(bench)
        except ProbeError as error:  # what was found is kept all the same
            found.left = str(error)
        except KeyboardInterrupt:
            found.left, found.interrupted = f"Made-up records may be left in {bench.module}: clean up later.", True
        found.spent = bench.wire.purse.spent
    found.measures = scrubber.value(bench.measures)
    if bench.wire.costs:
        found.measures["credits"] = _costs(bench.wire.costs, scrubber)
    return found


def _costs(costs: Sequence[tuple[str, int]], scrubber: Scrubber) -> dict[str, list[int]]:
    """What each kind of call was seen to cost, by method and path."""
    by_call: dict[str, set[int]] = {}
    for call, credits_ in costs:
        by_call.setdefault(scrubber.text(call), set()).add(credits_)
    return {call: sorted(seen) for call, seen in sorted(by_call.items())}


_DELETING_MOST = 10_000
"""Credits that deleting may take beyond the budget: what was made is never left for want of them."""


def _ask(bench: Bench, question: Question) -> Verdict:
    try:
        return question.ask(bench)
    except NotAsked as missing:
        return Verdict(Sureness.NOT_ASKED, (), str(missing))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # An answer may have any form; one that a judge does not expect is a finding, and no end of the probe.
        return unknown(f"the answer has another form ({type(error).__name__})")
