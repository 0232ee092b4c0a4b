"""Automations: which of them a write call lets run, and for how many records they did.

`trigger` names them (absent: all, `[]`: none). Of the two features, cadences run unless they are skipped and layout
rules only where they are applied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoho_crm_emulator.refusals import Refused

AUTOMATIONS = ("workflow", "approval", "blueprint", "pathfinder", "orchestration")
SKIPPABLE = frozenset({"cadences"})
APPLICABLE = frozenset({"layout_rules"})
ACTIONS = ("insert", "update")

Features = frozenset[tuple[str, str]]  # (feature, insert or update)


@dataclass(frozen=True)
class Asked:
    """What a call wants run for its records."""

    triggers: tuple[str, ...] = AUTOMATIONS
    skipped: Features = frozenset()
    applied: Features = frozenset()


def asked(body: Mapping[str, Any]) -> Asked:
    """The part of a request that speaks of automations; raises Refused for a name nobody knows."""
    return Asked(
        _triggers(body.get("trigger")),
        _features(body, "skip_feature_execution", SKIPPABLE),
        _features(body, "apply_feature_execution", APPLICABLE),
    )


def _triggers(given: Any) -> tuple[str, ...]:
    if given is None:
        return AUTOMATIONS
    if not isinstance(given, list) or any(name not in AUTOMATIONS for name in given):
        details = {"api_name": "trigger", "json_path": "$.trigger", "supported_values": list(AUTOMATIONS)}
        raise Refused("INVALID_DATA", details)
    return tuple(given)


def _features(body: Mapping[str, Any], key: str, known: frozenset[str]) -> Features:
    """`[{"name": "cadences"}]`, or with `action` insert or update for one of the two."""
    given = body.get(key)
    if given is None:
        return frozenset()
    if not isinstance(given, list):
        raise Refused("INVALID_DATA", {"expected_data_type": "jsonarray", "api_name": key, "json_path": f"$.{key}"})
    found: set[tuple[str, str]] = set()
    for index, one in enumerate(given):
        name = one.get("name") if isinstance(one, dict) else None
        action = one.get("action") if isinstance(one, dict) else None
        if name not in known or action not in {None, *ACTIONS}:
            details = {"api_name": key, "json_path": f"$.{key}[{index}].name", "supported_values": sorted(known)}
            raise Refused("INVALID_DATA", details)
        found.update((name, each) for each in ((action,) if action else ACTIONS))
    return frozenset(found)


class Ran:
    """Counters: for how many records each automation ran, in all and by the way they were written."""

    def __init__(self) -> None:
        self._by_way: dict[str, Counter[str]] = {}
        self._skipped: Counter[str] = Counter()

    def count(self, way: str, actions: Mapping[str, int], wanted: Asked) -> None:
        """Note records written (`upsert`, `bulk_write`, ...: insert and update counts) under these wishes."""
        written = {action: actions.get(action, 0) for action in ACTIONS}
        ran = self._by_way.setdefault(way, Counter())
        for name in wanted.triggers:
            ran[name] += sum(written.values())
        for action, count in written.items():
            for name in SKIPPABLE:
                if (name, action) in wanted.skipped:
                    self._skipped[name] += count
                else:
                    ran[name] += count
            for name in APPLICABLE:
                if (name, action) in wanted.applied:
                    ran[name] += count

    def count_deleted(self, count: int) -> None:
        """Note records deleted, for which workflows ran."""
        self._by_way.setdefault("delete", Counter())["workflow"] += count

    def counts(self) -> dict[str, Any]:
        """`automations` and `features` in all, `automations_by_way`, `features_skipped`; names that never ran lack."""
        by_way = {way: {name: n for name, n in ran.items() if n} for way, ran in self._by_way.items()}
        total: Counter[str] = Counter()
        for ran in by_way.values():
            total.update(ran)
        return {
            "automations": {name: total[name] for name in AUTOMATIONS if total[name]},
            "features": {name: total[name] for name in sorted(SKIPPABLE | APPLICABLE) if total[name]},
            "features_skipped": {name: n for name, n in self._skipped.items() if n},
            "automations_by_way": {
                way: {name: n for name, n in ran.items() if name in AUTOMATIONS} for way, ran in by_way.items()
            },
        }
