"""What a module demands of a record as a whole: validation rules, and pick lists that depend on another one.

Both are judged over the record as it would be, when a write touches a field that they look at. Which code the API gives
for a validation rule, and for a value that does not fit the other, is a switch each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoho_crm_emulator.conditions import holds, names_in
from zoho_crm_emulator.criteria import condition_of
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import ModuleView
from zoho_crm_emulator.switches import Switches


class RecordRules:
    """The rules and dependencies of one module."""

    def __init__(self, view: ModuleView, switches: Switches) -> None:
        self._switches = switches
        self._dependencies = view.module.dependencies
        conditions = [(one, condition_of(one.criteria, view)) for one in view.module.validations]
        self._validations = [(one, condition, names_in(condition)) for one, condition in conditions]

    @classmethod
    def of(cls, view: ModuleView, switches: Switches) -> RecordRules | None:
        """Those of a module; None where it has none."""
        return cls(view, switches) if view.module.validations or view.module.dependencies else None

    def check(self, values: Mapping[str, Any], doc: Mapping[str, Any] | None) -> None:
        """Raise Refused for a write of `values` that a rule forbids; `doc` is what the record has, if it is there."""
        whole = {**(doc or {}), **values}
        touched = whole.keys() if doc is None else values.keys()
        for one in self._dependencies:
            child, parent = whole.get(one.child), whole.get(one.parent)
            if child is None or not touched & {one.child, one.parent}:
                continue
            details = {"api_name": one.child, "mapped_field": one.parent}
            if parent is None:
                raise Refused("DEPENDENT_FIELD_MISSING", details)
            if parent in one.values and child not in one.values[parent]:
                raise Refused(self._switches.dependency_code, details)
        for rule, condition, names in self._validations:
            if (doc is None or touched & names) and holds(condition, whole):
                raise Refused(self._switches.validation_rule_code, {"api_name": rule.field}, rule.message)
