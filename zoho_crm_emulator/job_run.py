"""One run of one bulk write job: rows read, checked and written in a single transaction, and the result's CSVs."""

from __future__ import annotations

import csv
import io
import logging
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from zoho_crm_emulator.alterations import altered_by
from zoho_crm_emulator.automations import Asked
from zoho_crm_emulator.child_batch import batch_for
from zoho_crm_emulator.csv_columns import RowReader
from zoho_crm_emulator.emulator import CURRENT_USER, Emulator
from zoho_crm_emulator.job_plan import Plan, file_of, plans
from zoho_crm_emulator.record_rules import RecordRules
from zoho_crm_emulator.record_writing import Outcome, Row, Rules
from zoho_crm_emulator.records import fail_by_fault, new_choices, refuse_by_fault
from zoho_crm_emulator.refusals import Refused, by_code
from zoho_crm_emulator.schema import PARENT, ModuleView
from zoho_crm_emulator.sheet import Sheet, packed
from zoho_crm_emulator.switches import Switches

LOG = logging.getLogger(__name__)
CHUNK = 2500  # rows read, checked and written together
UNTRIED = Refused("UNPROCESSED")  # marks the rows of a parent that was not tried itself
STATUS = {"insert": "added", "update": "updated", "none": "skipped"}


@dataclass
class Part:
    """One resource of the job: its rows, then what became of each (None: never tried)."""

    plan: Plan
    rows: list[Row]
    echoes: list[tuple[str, ...]]
    tried: int
    outcomes: list[Outcome | None] = field(default_factory=list)

    @property
    def actions(self) -> Counter[str]:
        """How many rows were inserted, updated, or neither."""
        return Counter(outcome.action for outcome in self.outcomes if outcome is not None)


class Run:
    """One run of one job."""

    def __init__(self, emulator: Emulator, job: int, request: dict[str, Any]) -> None:
        self._emulator = emulator
        self._job = job
        self._request = request
        self._switches = emulator.switches

    def run(self) -> str:
        """Run the job to its end and return its final status."""
        emulator = self._emulator
        try:
            planned = plans(emulator, self._request, self._switches)
            fault = emulator.faults.take_for_job("job_failed", planned[0].view.name)
            if fault is not None:
                return self._fail(fault.fault.code)
            return self._write([self._read(plan) for plan in planned])
        except Refused as refusal:
            return self._fail(refusal.code)
        except Exception:
            LOG.exception("bulk write job %s broke off", self._job)
            return self._fail("INTERNAL_ERROR")

    def _fail(self, code: str) -> str:
        with self._emulator.store.write() as connection:
            connection.execute(
                "UPDATE jobs SET status = 'FAILED', outcome = ? WHERE id = ?",
                (msgspec.json.encode({"code": code, "ended": self._emulator.clock.now()}), self._job),
            )
        return "FAILED"

    def _read(self, plan: Plan) -> Part:
        """The rows of one resource, with every fault found in them, and pick lists grown by them."""
        emulator = self._emulator
        reader = RowReader(emulator, plan, self._switches)
        rows: list[Row] = []
        echoes: list[tuple[str, ...]] = []
        for chunk in Sheet(file_of(emulator, plan.resource), plan.file_name, plan.encoding).chunks(CHUNK):
            read, echoed = reader.read(chunk)
            rows += read
            echoes += echoed
        part = Part(plan, rows, echoes, len(rows) - self._untried(plan, len(rows)))
        tried = rows[: part.tried]
        poison = emulator.faults.record_faults("poison", plan.view.name, "bulk_write")
        if poison:
            fail_by_fault(emulator.faults, list(poison), plan.view, tried, CURRENT_USER)
        active = emulator.faults.record_faults("record_error", plan.view.name, "bulk_write")
        if active:
            refuse_by_fault(emulator.faults, list(active), plan.view, tried, CURRENT_USER)
        self._grow_pick_lists(plan, tried)
        return part

    def _untried(self, plan: Plan, total: int) -> int:
        fault = self._emulator.faults.take_for_job("unprocessed", plan.view.name)
        if fault is None:
            return 0
        if fault.fault.rows is not None:
            return min(total, fault.fault.rows)
        return int(total * (fault.fault.share or 0))

    def _grow_pick_lists(self, plan: Plan, rows: list[Row]) -> None:
        for column in plan.columns:
            field_ = column.field
            if field_.data_type in {"picklist", "multiselectpicklist"} and field_.pick_list_open:
                new = new_choices(field_, (row.values.get(field_.api_name) for row in rows if row.refused is None))
                if new:
                    self._emulator.catalog.add_choices(plan.view.name, field_.api_name, new)

    def _write(self, parts: list[Part]) -> str:
        emulator = self._emulator
        now = emulator.clock.now()
        with emulator.store.write() as connection:
            self._note_rows(parts)
            for part in parts:
                if part is not parts[0]:
                    self._find_parents(part, parts[0])
                self._write_part(part, connection, now)
            told = [self._told(part) for part in parts]
            outcome = {**told[0], "children": told[1:]} if len(told) > 1 else told[0]
            shown = parts if self._switches.child_results == "own_csv" else parts[:1]
            result = packed(
                {f"{part.plan.view.name}-{part.plan.file_name}": _result(part, self._switches) for part in shown}
            )
            status = str(outcome["code"])
            connection.execute(
                "UPDATE jobs SET status = ?, outcome = ?, result = ? WHERE id = ?",
                (status, msgspec.json.encode({**outcome, "ended": emulator.clock.now()}), result, self._job),
            )
        wanted = Asked() if self._switches.bulk_automations == "all" else None
        emulator.journal.wrote("bulk_write", sum((part.actions for part in parts), Counter()), wanted)
        return status

    def _note_rows(self, parts: Sequence[Part]) -> None:
        """Note of which records of the job line items come in the same zip; by a switch, all are taken to have some."""
        head = parts[0]
        if not head.plan.view.mandatory_rows:
            return
        if self._switches.line_items_in_job == "later":
            for row in head.rows:
                row.rows_follow = True
        for part in parts[1:]:
            named = {row.values.get(PARENT) for row in part.rows if row.refused is None}
            for row, cell in zip(head.rows, self._parent_cells(part, head), strict=True):
                row.rows_follow = row.rows_follow or cell in named

    def _parent_cells(self, part: Part, parent: Part) -> list[str]:
        """The cells by which the rows of a child CSV name the rows of their parent's, row by row of the latter."""
        index = next(c.parent_index for c in part.plan.columns if c.field.api_name == PARENT) or 0
        sheet = Sheet(file_of(self._emulator, parent.plan.resource), parent.plan.file_name, parent.plan.encoding)
        return [row[index] if index < len(row) else "" for chunk in sheet.chunks(CHUNK) for row in chunk]

    def _find_parents(self, part: Part, parent: Part) -> None:
        """Turn the cell by which a child names its parent into the record that the parent's row became."""
        made = dict(zip(self._parent_cells(part, parent), parent.outcomes, strict=True))
        for row in part.rows[: part.tried]:
            cell = row.values.get(PARENT) or ""
            outcome = made.get(cell)
            record = self._record_of(outcome) if outcome is not None else None
            row.values[PARENT] = {"id": str(record)} if record is not None else None
            if cell in made and outcome is None:
                row.refused = UNTRIED
            elif row.values[PARENT] is None and row.refused is None:
                row.refused = Refused("INVALID_DATA", {"api_name": PARENT}, "the id given seems to be invalid")

    def _record_of(self, outcome: Outcome) -> int | None:
        """The record that rows of a parent's row go to; by a switch also one that was there, so that it was skipped."""
        if outcome.id or outcome.refused is None or self._switches.rows_of_skipped == "refuse":
            return outcome.id or None
        there = outcome.refused.details.get("id") if outcome.refused.code == "DUPLICATE_DATA" else None
        return None if there is None else int(there)

    def _write_part(self, part: Part, connection: sqlite3.Connection, now: int) -> None:
        plan = part.plan
        match_by = [plan.find_by] if plan.find_by and plan.find_by.is_key else []
        if match_by and plan.operation == "upsert" and self._switches.bulk_duplicate_checks == "all":
            match_by += [field for field in plan.view.keys if field not in match_by]
        rules = Rules(
            plan.operation,
            match_by,
            links_repeat=self._switches.repeated_links == "again",
            of_records=RecordRules.of(plan.view, self._switches),
            alterations=altered_by(plan.view.module.alterations, "jobs"),
            rows_reversed=self._rows_reversed(plan.view),
        )
        batch = batch_for(self._emulator.store, connection, plan.view, rules, user=CURRENT_USER, now=now)
        for start in range(0, part.tried, CHUNK):
            part.outcomes += batch.write(part.rows[start : min(start + CHUNK, part.tried)])
        if plan.view.module.rows_of:
            part.outcomes = [None if one is not None and one.refused is UNTRIED else one for one in part.outcomes]
        part.outcomes += [None] * (len(part.rows) - part.tried)

    def _rows_reversed(self, view: ModuleView) -> bool:
        """Whether the org puts these rows of a subform into the other order."""
        head = self._emulator.catalog.get(view.module.rows_of or "")
        if head is None:
            return False
        fields = {each.api_name for each in head.row_fields if each.rows == view.name}
        return any(
            each.does == "reverse" and each.field in fields for each in altered_by(head.module.alterations, "jobs")
        )

    def _told(self, part: Part) -> dict[str, Any]:
        actions, total = part.actions, len(part.rows)
        counts = {
            "added_count": actions["insert"],
            "updated_count": actions["update"],
            "skipped_count": actions["none"],
            "total_count": total,
        }
        all_skipped = total > 0 and actions["none"] == total
        code = self._switches.all_rows_skipped if all_skipped else "COMPLETED"
        untried = sum(outcome is None for outcome in part.outcomes)
        return {"code": code, "counts": counts, "file_name": part.plan.file_name, "untried": untried}


def _result(part: Part, switches: Switches) -> str:
    """The CSV of one resource: the first three mapped columns, then what became of each row."""
    by_header = switches.result_names == "header"
    names = {c.field.api_name: c.header if by_header else c.field.api_name for c in part.plan.columns}
    change = {"lower": str.lower, "upper": str.upper, "title": str.title}[switches.result_status]
    words = {action: change(word) for action, word in STATUS.items()}
    unprocessed = (change("unprocessed"), "", "")
    rows = [(*[names[c.field.api_name] for c in part.plan.echoed], "STATUS", "RECORD_ID", "ERRORS")]
    rows += [
        (*echo, *unprocessed)
        if outcome is None
        else (*echo, words[outcome.action], str(outcome.id or ""), _errors(outcome.refused, names))
        for echo, outcome in zip(part.echoes, part.outcomes, strict=True)
    ]
    return _csv(rows)


def _csv(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of equal width as CSV; where nothing needs quotes, as is usual, cells are only joined."""
    text = "\r\n".join(map(",".join, rows)) + "\r\n"
    ends = len(rows)
    plain = '"' not in text and text.count(",") == ends * (len(rows[0]) - 1)
    if plain and text.count("\r") == text.count("\n") == ends:
        return text
    quoted = io.StringIO()
    csv.writer(quoted).writerows(rows)
    return quoted.getvalue()


def _errors(refused: Refused | None, names: dict[str, str]) -> str:
    if refused is None:
        return ""
    return ":".join(
        f"{code}-{','.join(names.get(name, name) for name in fields)}" if fields else code
        for code, fields in by_code(refused).items()
    )
