"""What fits no known position is unknown, with the answer as evidence, and never taken for one."""

from __future__ import annotations

import json

import pytest
from bent_answers import BENDS, Bent, proxy
from probed_org import ProbedOrg, as_expected, expected, verdicts

from orders_sync.probing.verdicts import Sureness


def assert_unknown(org: ProbedOrg, bent: Bent) -> None:
    org.turn({"download_url": "relative"})
    with proxy(org.emulator.base_url, bent.bend) as address:
        org.base_url = address
        try:
            found = org.probe(bent.question)
        finally:
            org.base_url = ""
    finding = found.findings[0]
    assert finding.verdict.sureness is Sureness.UNKNOWN, finding.verdict
    assert (finding.verdict.positions, finding.verdict.why == "") == ((), False)
    assert bent.mark in json.dumps(finding.evidence), finding.evidence
    assert [each for each in org.emulator.admin.records("Orders") if "orders-sync-probe" in str(each)] == []


TWENTY = BENDS[::2]


@pytest.mark.parametrize("bent", TWENTY, ids=lambda each: each.question)
def test_an_answer_that_no_position_gives_is_unknown_with_its_evidence(org: ProbedOrg, bent: Bent) -> None:
    assert_unknown(org, bent)


@pytest.mark.nightly
@pytest.mark.parametrize("bent", BENDS, ids=lambda each: each.question)
def test_an_answer_that_no_position_gives_leads_no_other_question_astray(org: ProbedOrg, bent: Bent) -> None:
    switches = {"download_url": "relative"}
    org.turn(switches)
    with proxy(org.emulator.base_url, bent.bend) as address:
        org.base_url = address
        try:
            found = verdicts(org.probe())
        finally:
            org.base_url = ""
    meant = expected(switches)
    open_ones = {Sureness.UNKNOWN, Sureness.NOT_ASKED}
    wrong = {name: each for name, each in found.items() if name in meant and each.sureness not in open_ones}
    assert {name: each for name, each in wrong.items() if not as_expected(each, meant[name])} == {}
    assert found[bent.question].sureness is Sureness.UNKNOWN
    assert_unknown(org, bent)


def test_there_are_more_than_twenty_ways() -> None:
    assert len({each.question for each in BENDS}) == len(BENDS) >= 39
    assert len(TWENTY) == 20
