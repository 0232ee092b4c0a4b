"""What records held before a run wrote them, as the ledger keeps it; and what of it can be set back. Only reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orders_sync.undoing.judging import Person, Record, impossible, kept
from sync_ledger.before_values import rows_of_run, sealed_of
from sync_ledger.ledger import Ledger
from sync_ledger.undoing import Undone
from sync_ledger.written_by_run import WrittenOrder
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.compare.values import RICH_TEXT_CHARACTERS
from target_zoho_crm.writing.values_before import OF_RECORDS, KeptValues, LinesToKeep, Sealing


@dataclass(frozen=True, slots=True)
class HeldBefore:
    """What one order's record held before each of a run's writes, the earliest first; None where nobody can open it."""

    values: Sequence[KeptValues | None]
    records: Sequence[Record]
    lines: Sequence[Record] = ()
    """Its lines before the run."""

    @property
    def of_lines(self) -> LinesToKeep | None:
        """Where its lines are; None where the run wrote none."""
        return self.values[0].besides.lines if self.values and self.values[0] is not None else None

    @property
    def first(self) -> Record:
        """Its record before the run."""
        return self.records[0]


class KeptOfRun:
    """The values that are kept of one run."""

    def __init__(self, ledger: Ledger, run_id: str, sealing: Sealing) -> None:
        """Read which they are; memory grows with the orders' keys."""
        self._ledger = ledger
        self._sealing = sealing
        self._rows: dict[str, list[int]] = {}
        with ledger.connect() as connection:
            for row in rows_of_run(connection, ledger.tables, run_id):
                for key in row.keys:
                    self._rows.setdefault(key, []).append(row.number)

    def times(self, key: str) -> int:
        """How often values of an order are kept."""
        return len(self._rows.get(key, ()))

    def near(self, key: str) -> int:
        """A number that is the same for orders whose values are kept together."""
        return self._rows[key][0] if key in self._rows else 0

    def of(self, keys: Collection[str]) -> dict[str, HeldBefore]:
        """The values of those of these orders of which there are any."""
        asked = {key: self._rows[key] for key in keys if key in self._rows}
        numbers = {number for rows in asked.values() for number in rows}
        with self._ledger.connect() as connection:
            opened = {
                n: self._sealing.opened(sealed) for n, sealed in sealed_of(connection, self._ledger.tables, numbers)
            }
        found = {}
        for key, rows in asked.items():
            values = [opened.get(number) for number in rows]
            opened_of_key = [each for each in values if each is not None]
            lines = opened_of_key[0].lines.get(key, []) if opened_of_key else []
            found[key] = HeldBefore(values, [each.records[key] for each in opened_of_key], lines)
        return found


def names_of(held: Collection[HeldBefore]) -> list[str]:
    """The fields that are to be read to set these back."""
    return list(
        dict.fromkeys(n for each in held for values in each.values if values is not None for n in values.fields)
    )


def by_values(
    order: WrittenOrder, held: HeldBefore, record: Record, fields: Mapping[str, Field], person: Person
) -> Undone | None:
    """Why an order cannot be set back to what is kept, or is not to be; None where it is.

    Of an order that the run made, and wrote again, only who changed it between counts: its record is deleted.
    """
    return next(_reasons(order, held, record, fields, person), None)


def _reasons(
    order: WrittenOrder, held: HeldBefore, record: Record, fields: Mapping[str, Field], person: Person
) -> Iterator[Undone]:
    if None in held.values:
        yield impossible(order, "its values from before were kept under another client secret or refresh token")
        return
    between = held.records if order.inserted else held.records[1:]
    people = [who for each in between if (who := person(each)) is not None]
    if people:
        yield kept(order, "it was changed in the CRM between two writes of the run", people[-1])
    first = held.values[0]
    if order.inserted or first is None:
        return
    if first.besides.partly is not None:
        yield impossible(order, f"{first.besides.partly} of it were written too, and these are not set back")
    hidden = [name for name in first.fields if name not in held.first]
    if hidden:
        yield impossible(order, f"{', '.join(hidden)} was not shown to the API's user")
    cut = [name for name in first.fields if _may_be_cut(fields.get(name), held.first.get(name), record.get(name))]
    if cut:
        yield impossible(
            order, f"{', '.join(cut)} is a rich text of which a read gives {RICH_TEXT_CHARACTERS} characters"
        )


def _may_be_cut(field: Field | None, *texts: Any) -> bool:
    if field is None or not field.rich_text:
        return False
    return any(isinstance(text, str) and len(text) >= RICH_TEXT_CHARACTERS for text in texts)


def to_set_back(held: HeldBefore, record: Record) -> dict[str, Any]:
    """The fields that hold something else by now, and what they held, in the form in which a call takes it."""
    names = [name for name in held.first if name not in {"id", *OF_RECORDS}]
    return {name: _written(held.first[name]) for name in names if record.get(name) != held.first[name]}


def _written(value: Any) -> Any:
    return {"id": value["id"]} if isinstance(value, dict) and "id" in value else value


@dataclass(frozen=True, slots=True)
class LineChanges:
    """What is to be done to an order's lines: ids that go, lines that are set back by id, and those that lack."""

    surplus: Sequence[str]
    changed: Mapping[str, Mapping[str, Any]]
    missing: Sequence[Mapping[str, Any]]

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.surplus or self.changed or self.missing)

    def as_rows(self) -> list[dict[str, Any]]:
        """As a call takes them for a subform."""
        deleted = [{"id": each, "_delete": None} for each in self.surplus]
        return [*({"id": each, **values} for each, values in self.changed.items()), *map(dict, self.missing), *deleted]


def line_changes(lines: LinesToKeep, before: Sequence[Record], now: Sequence[Record]) -> LineChanges:
    """What makes an order's lines what they were; a line that was deleted is made anew, with another id."""
    held, there = ({str(each["id"]): each for each in of} for of in (before, now))
    changed = {
        each: values
        for each in held.keys() & there.keys()
        if (values := {n: _written(held[each].get(n)) for n in lines.names if held[each].get(n) != there[each].get(n)})
    }
    missing = [{n: _written(held[each].get(n)) for n in lines.names} for each in held if each not in there]
    return LineChanges([each for each in there if each not in held], changed, missing)
