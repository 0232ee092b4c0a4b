"""A clean-up deletes made-up records and no other, says what is left, and costs a probe nothing of what it found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from probed_org import ProbedOrg, verdicts

from orders_sync.probing.clean_up import clean_up
from orders_sync.probing.scrubbing import PREFIX
from orders_sync.probing.verdicts import ProbeError, Sureness


@pytest.fixture
def crowded(org: ProbedOrg) -> Iterator[tuple[ProbedOrg, list[str]]]:
    """An org with two records of somebody's, and one that a probe left; and their ids, in this order."""
    org.turn({})
    admin = org.emulator.admin
    ids = admin.put_records("Orders", [{"Name": "Somebody's"}, {"Name": "Another's"}, {"Name": f"{PREFIX}left"}])
    yield org, ids
    admin.clear_faults()
    admin.reset()
    org.make_ready()


def names(org: ProbedOrg) -> list[str]:
    return [each["Name"] for each in org.emulator.admin.records("Orders")]


def test_a_query_that_finds_records_of_others_deletes_nothing(crowded: tuple[ProbedOrg, list[str]]) -> None:
    org, ids = crowded
    found = [{"id": ids[2], "Name": f"{PREFIX}left"}, {"id": ids[0], "Name": "Somebody's"}]
    org.emulator.admin.add_fault("coql", kind="answer", status=200, body={"data": found, "info": {}})
    with pytest.raises(ProbeError, match="finds others too"):
        clean_up(org.bench())
    assert names(org) == ["Somebody's", "Another's", f"{PREFIX}left"]


def test_a_record_that_an_upsert_may_have_found_is_none_of_the_probes(crowded: tuple[ProbedOrg, list[str]]) -> None:
    org, ids = crowded
    taken = {"code": "SUCCESS", "status": "success", "details": {"id": ids[0]}}
    bench = org.bench()
    for named in ({}, {"action": "update"}):
        org.emulator.admin.add_fault("upsert", kind="answer", status=200, body={"data": [taken | named]}, times=1)
        assert bench.upsert(bench.record()).taken
    assert clean_up(bench) == 1
    assert names(org) == ["Somebody's", "Another's"]


def test_what_cannot_be_deleted_is_asked_for_once(crowded: tuple[ProbedOrg, list[str]]) -> None:
    org, _ = crowded
    refused = {"data": [{"code": "NO_PERMISSION", "status": "error", "details": {}}]}
    deleting = org.emulator.admin.add_fault("delete", kind="answer", status=200, body=refused)
    with pytest.raises(ProbeError, match="are left in Orders; delete them by hand"):
        clean_up(org.bench())
    assert org.emulator.admin.fired(deleting) == 1


def test_a_clean_up_without_credits_says_to_clean_up_later(crowded: tuple[ProbedOrg, list[str]]) -> None:
    org, _ = crowded
    bench = org.bench()
    bench.wire.purse.most = bench.wire.purse.spent
    with pytest.raises(ProbeError, match="Clean up again later"):
        clean_up(bench)


FAILINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "the query is refused": ("coql", {"kind": "answer", "canned": "no_permission"}),
    "the query has no answer": ("coql", {"kind": "lost_before"}),
    "nothing is deleted": ("delete", {"kind": "answer", "canned": "no_permission"}),
}


@pytest.mark.parametrize("failing", FAILINGS)
def test_a_clean_up_that_fails_loses_nothing_of_what_was_found(
    crowded: tuple[ProbedOrg, list[str]], failing: str
) -> None:
    org, _ = crowded
    endpoint, fault = FAILINGS[failing]
    org.emulator.admin.add_fault(endpoint, **fault)
    found = org.probe("insert_status")
    assert found.left
    assert verdicts(found)["insert_status"].sureness is Sureness.SEEN
    assert found.spent > 0
