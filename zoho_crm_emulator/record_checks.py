"""The check of one record of a write call: every value by its field, every fault with its place."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from zoho_crm_emulator.accepted_values import Check, checker, given_id
from zoho_crm_emulator.emulator import Emulator
from zoho_crm_emulator.record_writing import Row
from zoho_crm_emulator.refusals import Refused, together
from zoho_crm_emulator.schema import LAYOUT, TAG, Field, ModuleView
from zoho_crm_emulator.subforms import RowsCheck
from zoho_crm_emulator.switches import Switches
from zoho_crm_emulator.tags import Tags, names_in

CONTROL_KEYS = frozenset({"id", "Owner", "Layout", "Tag", "$append_values"})


def layout_given(view: ModuleView, value: Any) -> dict[str, str]:
    """The layout that a record asks for, as it is stored; raises Refused for one that the module does not have."""
    layout = given_id(value)
    if layout != view.module.layout_id and layout not in view.layouts:
        raise Refused("INVALID_DATA", {}, "the id given seems to be invalid")
    return {"id": str(layout)}


class Checks:
    """The checking functions of one module for one version of the schema and one position of the switches."""

    def __init__(self, emulator: Emulator, view: ModuleView, switches: Switches) -> None:
        world = emulator.world(switches)
        self.view = view
        self.unknown_refused = switches.unknown_keys == "refuse"
        self.check: dict[str, Check] = {
            field.api_name: checker(field, world) for field in view.stored if field.writable
        }
        self.rows: dict[str, RowsCheck] = {
            field.api_name: RowsCheck(field, emulator.catalog.modules[field.rows or ""], world)
            for field in view.row_fields
        }
        self.tags = Tags(emulator.store, view)
        self.owner = checker(Field(api_name="Owner", data_type="ownerlookup"), world)

    def row(self, record: Any, index: int) -> Row:
        """A record of the request as a row to write, with every fault found in it."""
        if not isinstance(record, dict):
            return Row(
                {},
                refused=Refused("INVALID_DATA", {"expected_data_type": "jsonobject", "json_path": f"$.data[{index}]"}),
            )
        row = Row({})
        wrong: list[Refused] = []
        check = self.check
        values = row.values
        for name, value in record.items():
            one = check.get(name)
            if one is not None:
                if value is None or value == "":
                    values[name] = None
                    continue
                try:
                    values[name] = one(value)
                except Refused as refusal:
                    wrong.append(self._placed(refusal, index, name))
            else:
                wrong += self._other(row, name, value, index)
        if wrong:
            row.refused = together(wrong)
        return row

    def _other(self, row: Row, name: str, value: Any, index: int) -> list[Refused]:
        """A key that is no plain field: rows of a subform, a control key, or nothing Zoho knows."""
        if name in self.rows:
            rows, refused = self.rows[name].read(value, f"$.data[{index}].{name}")
            if rows is not None:
                row.children = {**(row.children or {}), name: rows}
            return refused
        if name in CONTROL_KEYS:
            try:
                self._control(row, name, value)
            except Refused as refusal:
                return [self._placed(refusal, index, name)]
        elif self.unknown_refused and name not in self.view.fields and not name.startswith("$"):
            return [self._placed(Refused("INVALID_DATA"), index, name)]
        return []

    def _control(self, row: Row, name: str, value: Any) -> None:
        if name == "id":
            row.id = given_id(value)
        elif name == "Owner" and value is not None:
            row.owner = int(self.owner(value)["id"])
        elif name == LAYOUT and value is not None:
            row.values[LAYOUT] = layout_given(self.view, value)
        elif name == TAG:
            row.values[TAG] = self.tags.stored(names_in(value)) if value else None
        elif name == "$append_values" and isinstance(value, dict):
            row.append = frozenset(field for field, yes in value.items() if yes is True)

    @staticmethod
    def _placed(refusal: Refused, index: int, name: str) -> Refused:
        place = f"$.data[{index}].{name}"
        if refusal.code == "MANDATORY_NOT_FOUND":  # of a key inside the value: a lookup's id
            place, name = f"{place}.{refusal.details['api_name']}", refusal.details["api_name"]
        details = {**refusal.details, "api_name": name, "json_path": place}
        return Refused(refusal.code, details, refusal.message)


@lru_cache(maxsize=32)
def checks_for(emulator: Emulator, view: ModuleView, switches: Switches) -> Checks:
    """The checks of a module, made once for each version of its schema."""
    return Checks(emulator, view, switches)
