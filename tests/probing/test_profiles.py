"""A profile makes another emulator answer as the org did, tells the target what it can use, and grows by each probe."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from probed_org import SIZES, ZONE, ProbedOrg, combination, positions_of, verdicts

from orders_sync.probing.probe import Finding, Found
from orders_sync.probing.profiles import with_findings, write_profile
from orders_sync.probing.questions import Question
from orders_sync.probing.verdicts import Sureness, Verdict, seen, unknown
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.org_profile import OrgProfile, read_profile
from target_zoho_crm.settings import profile_of, with_profile
from target_zoho_crm.writing.routing import ChildRows, ChildRowsPer
from zoho_crm_emulator.control import EmulatorProcess
from zoho_crm_emulator.profiles import ProfileError, profiled
from zoho_crm_emulator.switches import Switches

Factory = Callable[..., EmulatorProcess]
DEFAULTS = {"bulk_rows": 25_000, "child_rows": 200, "child_rows_per": "file"}


def answers_alike(org: ProbedOrg, switches: dict[str, Any], start: Factory, folder: Path) -> None:
    org.turn(switches)
    found = org.probe()
    profile = folder / "zoho-profile.json"
    write_profile(profile, with_findings(OrgProfile(), found, "sandbox"))
    other = ProbedOrg(start(clock="manual", job_seconds="2", profile=profile), folder)
    other.emulator.admin.reset()
    other.make_ready(as_started=True)
    other.emulator.admin.switch(time_zone=ZONE)  # the org's own, which no profile has
    assert verdicts(other.probe()) == verdicts(found)


def test_an_emulator_with_the_profile_of_another_answers_alike(
    org: ProbedOrg, zoho_emulator_factory: Factory, tmp_path: Path
) -> None:
    answers_alike(org, combination(1), zoho_emulator_factory, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2, 22))
def test_an_emulator_with_the_profile_of_any_other_answers_alike(
    org: ProbedOrg, zoho_emulator_factory: Factory, tmp_path: Path, seed: int
) -> None:
    answers_alike(org, combination(seed), zoho_emulator_factory, tmp_path)


def written(folder: Path, **parts: Any) -> Path:
    path = folder / "profile.json"
    path.write_text(json.dumps({"zoho_profile": 1, **parts}))
    return path


def test_an_emulator_takes_a_possible_position_where_the_profile_is_undecided(tmp_path: Path) -> None:
    undecided = {"credits_header": ["past_half", "never"], "job_counts": ["present"], "child_rows": []}
    switches = profiled(written(tmp_path, positions={"insert_status": 201}, undecided=undecided).read_bytes())
    assert (switches.insert_status, switches.credits_header, switches.job_counts) == (201, "past_half", "present")
    assert switches.child_rows == Switches().child_rows


@pytest.mark.parametrize(
    "content", [{"positions": {"insert_status": 299}}, {"positions": {"weather": "fine"}}, {"zoho_profile": 2}]
)
def test_an_emulator_refuses_a_profile_that_it_does_not_understand(tmp_path: Path, content: dict[str, Any]) -> None:
    with pytest.raises(ProfileError):
        profiled(written(tmp_path, **content).read_bytes())


def test_the_target_takes_from_a_profile_what_is_not_set_otherwise(tmp_path: Path) -> None:
    profile = written(tmp_path, positions={"max_rows": 10_000, "child_rows": 100, "child_rows_per": "parent"})
    config = {**DEFAULTS, "profile": str(profile)}
    assert {name: with_profile(config, profile_of(config))[name] for name in DEFAULTS} == {
        "bulk_rows": 10_000,
        "child_rows": 100,
        "child_rows_per": "parent",
    }
    assert with_profile({**config, "bulk_rows": 500}, profile_of(config))["bulk_rows"] == 500
    assert with_profile(DEFAULTS, profile_of(DEFAULTS)) == DEFAULTS


@pytest.mark.parametrize("position", positions_of("child_rows_per"))
def test_each_position_of_rows_of_a_subform_is_one_that_the_target_knows(position: str) -> None:
    rows = ChildRows(200, ChildRowsPer(position))
    assert (rows.of_job(SIZES[2]), rows.never_pay) == ((200, True) if position == "file" else (SIZES[2], False))


@pytest.mark.parametrize("content", ["{", '{"zoho_profile": 2}', '{"positions": {"max_rows": "many"}}'])
def test_the_target_refuses_a_profile_that_it_does_not_understand(tmp_path: Path, content: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(content)
    config = {**DEFAULTS, "profile": str(path)}
    with pytest.raises(ConfigurationError, match="Make it anew by `orders-sync probe`"):
        with_profile(config, profile_of(config))


def found(switch: str, verdict: Verdict) -> Found:
    question = Question(switch, "", (), lambda _: verdict)
    return Found([Finding(question, verdict, [{"answer": verdict.sureness.value}])])


def test_a_further_probe_adds_to_a_profile_and_what_it_cannot_ask_stays(tmp_path: Path) -> None:
    first = with_findings(OrgProfile(), found("counts", seen("text")), "sandbox")
    second = with_findings(first, found("insert_status", unknown("it is 299")), "sandbox")
    third = with_findings(second, found("counts", Verdict(Sureness.NOT_ASKED, (), "no module")), "sandbox")
    assert (third.positions, third.unknown, third.not_asked) == ({"counts": "text"}, {"insert_status": "it is 299"}, {})
    last = with_findings(third, found("insert_status", seen(201)), "sandbox")
    assert (last.positions, last.unknown) == ({"counts": "text", "insert_status": 201}, {})
    write_profile(tmp_path / "p.json", last)
    assert read_profile(tmp_path / "p.json") == last
