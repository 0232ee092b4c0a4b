"""Tags: names that records of a module carry; one that is new to the module is made by its first use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zoho_crm_emulator.accepted_values import wrong_type
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import ModuleView
from zoho_crm_emulator.store import Store


def names_in(value: Any) -> list[str]:
    """The names in `[{"name": ..}, ..]`, each once; raises Refused for another form."""
    if not isinstance(value, list):
        raise wrong_type("jsonarray")
    names = [one.get("name") if isinstance(one, dict) else None for one in value]
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise Refused("INVALID_DATA", {"expected_data_type": "jsonobject"})
    return list(dict.fromkeys(str(name).strip() for name in names))


def names_in_cell(cell: str) -> list[str]:
    """The names in a CSV cell, with semicolons between them."""
    return list(dict.fromkeys(name for part in cell.split(";") if (name := part.strip())))


class Tags:
    """The tags of one module, by name."""

    def __init__(self, store: Store, view: ModuleView) -> None:
        self._store = store
        self._module = view.id
        rows = store.read().execute("SELECT name, id FROM tags WHERE module = ?", (view.id,))
        self._known: dict[str, int] = dict(rows.fetchall())

    def stored(self, names: Iterable[str]) -> list[dict[str, str]]:
        """What a record holds of these names; new ones are made."""
        names = list(names)
        new = [(self._module, name, self._store.new_id()) for name in names if name not in self._known]
        if new:
            with self._store.write() as connection:
                connection.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?, ?)", new)
                rows = connection.execute("SELECT name, id FROM tags WHERE module = ?", (self._module,))
                self._known = dict(rows.fetchall())
        return [{"name": name, "id": str(self._known[name])} for name in names]
