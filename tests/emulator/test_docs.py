from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from zoho_crm_emulator.control import Admin
from zoho_crm_emulator.emulator import Emulator, Settings
from zoho_crm_emulator.endpoints import endpoints
from zoho_crm_emulator.faults import CANNED, JobKind, RequestKind
from zoho_crm_emulator.jobs import Jobs
from zoho_crm_emulator.schema import Field
from zoho_crm_emulator.switches import Switches

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()


@pytest.mark.parametrize(
    "names",
    [
        Switches.__struct_fields__,
        get_args(RequestKind) + get_args(JobKind),
        tuple(CANNED),
        tuple(name for name in Field.__struct_fields__ if name not in {"id", "system", "custom"}),
        tuple(name for name in vars(Admin) if not name.startswith("_") and name != "close"),
    ],
    ids=["switches", "faults", "canned answers", "field properties", "admin methods"],
)
def test_the_docs_name_every_one(names: tuple[str, ...]) -> None:
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_the_docs_name_every_endpoint(tmp_path: Path) -> None:
    emulator = Emulator(Settings(data=str(tmp_path / "x.sqlite")))
    names = {endpoint.name for _, _, endpoint in endpoints(Jobs(emulator))}
    emulator.close()
    assert [name for name in names if f"`{name}`" not in PAGE] == []


EVIDENCE = {"documented", "recorded", "SDK", "open"}


def evidence() -> list[tuple[str, str, set[str], set[str]]]:
    """The rows of the table of what each answer rests on: endpoint, answer, evidence, switches."""
    table = PAGE.partition("### What each answer rests on")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split("|") for line in table.splitlines() if line.startswith("| `")]
    names = [[cell.strip() for cell in row] + [""] * (4 - len(row)) for row in rows]
    return [
        (endpoint.strip("`"), answer, set(rests.split(", ")), set(re.findall(r"`(\w+)`", switches)))
        for endpoint, answer, rests, switches in names
    ]


def test_each_endpoint_that_is_served_says_what_its_answers_rest_on(tmp_path: Path) -> None:
    emulator = Emulator(Settings(data=str(tmp_path / "x.sqlite")))
    served = {endpoint.name for _, _, endpoint in endpoints(Jobs(emulator))}
    emulator.close()
    assert {endpoint for endpoint, _, _, _ in evidence()} - {"*"} == served
    assert [answer for _, answer, rests, _ in evidence() if not rests <= EVIDENCE] == []


def test_each_open_answer_has_a_switch_and_each_switch_an_answer() -> None:
    without = [answer for _, answer, rests, switches in evidence() if "open" in rests and not switches]
    assert without == []
    named = set().union(*(switches for _, _, _, switches in evidence()))
    assert named == set(Switches.__struct_fields__)
