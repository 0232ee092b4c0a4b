"""Cells of a bulk read's CSV are read as the values that a comparison knows."""

from __future__ import annotations

import pytest

from target_zoho_crm.api.metadata import Field
from target_zoho_crm.compare.cells import choices_in, held_value
from target_zoho_crm.compare.values import Verdict, compare_values


@pytest.mark.parametrize(
    ("cell", "choices"),
    [
        ("gift,express", ["gift", "express"]),
        ("Salt, pepper,gift", ["Salt, pepper", "gift"]),
        ("gift, express", ["gift", "express"]),
        ("unheard of,gift", ["unheard of", "gift"]),
    ],
)
def test_choices_are_told_apart_though_one_has_a_comma(cell: str, choices: list[str]) -> None:
    assert choices_in(("gift", "express", "Salt, pepper"), cell) == choices


@pytest.mark.parametrize(
    ("data_type", "cell", "written", "verdict"),
    [
        ("double", "12.50", "12.5", Verdict.EQUAL),
        ("double", "12.51", "12.5", Verdict.DIFFERENT),
        ("integer", "7", 7, Verdict.EQUAL),
        ("boolean", "false", False, Verdict.EQUAL),
        ("boolean", "", True, Verdict.DIFFERENT),
        ("datetime", "2026-01-31T09:00:00+01:00", "2026-01-31T08:00:00+00:00", Verdict.EQUAL),
        ("lookup", "4876876000000000302", {"id": "4876876000000000302"}, Verdict.EQUAL),
        ("text", "", None, Verdict.EQUAL),
        ("multiselectpicklist", "b,a", ["a", "b"], Verdict.EQUAL),
    ],
)
def test_a_cell_compares_as_the_json_of_a_read_does(
    data_type: str, cell: str, written: object, verdict: Verdict
) -> None:
    field = Field("Some", data_type, picklist=("a", "b"))
    assert compare_values(field, written, held_value(field, cell)) is verdict
