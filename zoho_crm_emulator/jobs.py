"""The job worker: one thread that runs bulk write jobs when the emulator's clock says they are due."""

from __future__ import annotations

import csv
import io
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from zoho_crm_emulator import callbacks
from zoho_crm_emulator.batch import Batch, Outcome, Row, Rules
from zoho_crm_emulator.clock import SECOND
from zoho_crm_emulator.columns import RowReader
from zoho_crm_emulator.emulator import CURRENT_USER, Emulator
from zoho_crm_emulator.plan import Plan, Planner, file_of, module_name
from zoho_crm_emulator.records import AUTOMATIONS, new_choices, refuse_by_fault
from zoho_crm_emulator.refusals import Refused, by_code
from zoho_crm_emulator.sheet import Sheet, packed

LOG = logging.getLogger(__name__)
FINAL = frozenset({"COMPLETED", "FAILED", "SKIPPED"})
COUNT_NAMES = ("added_count", "updated_count", "skipped_count", "total_count")
CHUNK = 2500  # rows read, checked and written together
STATUS = {"insert": "added", "update": "updated", "none": "skipped"}


@dataclass(frozen=True)
class Job:
    """A job as it stands at this moment."""

    id: int
    created: int
    status: str
    request: dict[str, Any]
    outcome: dict[str, Any]
    has_result: bool


class Jobs:
    """All jobs, and the thread that runs them."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._wake = threading.Condition()
        self._busy = threading.Lock()
        self._stopping = False
        self._running: int | None = None
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Start the worker; jobs left over from before a restart run again."""
        self._thread.start()

    def stop(self) -> None:
        """Let the running job end, then end the worker."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join()

    def wake(self) -> None:
        """Tell the worker that the clock or the list of jobs has changed."""
        with self._wake:
            self._wake.notify_all()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """No job runs within the block."""
        with self._busy:
            yield

    def add(self, request: dict[str, Any]) -> tuple[int, int]:
        """Take a job in; (id, time of creation in milliseconds)."""
        emulator = self._emulator
        created = emulator.clock.now()
        duration = int(emulator.draw(emulator.job_seconds) * SECOND)
        job = emulator.store.new_id()
        fault = emulator.faults.take_for_job("callback", module_name(request["resource"][0]))
        mode = fault.fault.callback if fault else "once"
        with emulator.store.write() as connection:
            connection.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, 'ADDED', ?, NULL, NULL, ?)",
                (job, created, created + duration // 10, created + duration, msgspec.json.encode(request), mode),
            )
        if mode == "early":
            callbacks.send(emulator, request, job, "COMPLETED")
        self.wake()
        return job, created

    def get(self, job: int) -> Job | None:
        """The job of that id."""
        row = (
            self._emulator.store.read()
            .execute(
                "SELECT id, created, starts, status, request, outcome, result IS NOT NULL FROM jobs WHERE id = ?",
                (job,),
            )
            .fetchone()
        )
        return None if row is None else self._job(row)

    def recent(self, count: int) -> list[Job]:
        """The last jobs, newest first."""
        rows = self._emulator.store.read().execute(
            "SELECT id, created, starts, status, request, outcome, result IS NOT NULL FROM jobs "
            "ORDER BY id DESC LIMIT ?",
            (count,),
        )
        return [self._job(row) for row in rows.fetchall()]

    def _job(self, row: tuple[Any, ...]) -> Job:
        job, created, starts, status, request, outcome, has_result = row
        if status == "ADDED" and (self._emulator.clock.now() >= starts or self._running == job):
            status = "INPROGRESS"
        told = msgspec.json.decode(outcome) if outcome else {}
        return Job(job, created, status, msgspec.json.decode(request), told, bool(has_result))

    def _work(self) -> None:
        while not self._stopping:
            with self._wake:
                wait = self._wait_seconds()
                if wait is None or wait > 0:
                    self._wake.wait(min(wait, 1.0) if wait is not None else 1.0)
                    continue
            with self._busy:
                row = self._due()
                if row is not None:
                    self._run_one(*row)

    def _wait_seconds(self) -> float | None:
        if self._stopping:
            return None
        row = self._emulator.store.read().execute("SELECT min(due) FROM jobs WHERE status = 'ADDED'").fetchone()
        return None if row[0] is None else max(0.0, (row[0] - self._emulator.clock.now()) / SECOND)

    def _due(self) -> tuple[int, dict[str, Any], str] | None:
        row = (
            self._emulator.store.read()
            .execute(
                "SELECT id, request, callback FROM jobs WHERE status = 'ADDED' AND due <= ? ORDER BY due, id LIMIT 1",
                (self._emulator.clock.now(),),
            )
            .fetchone()
        )
        return None if row is None else (row[0], msgspec.json.decode(row[1]), row[2])

    def _run_one(self, job: int, request: dict[str, Any], callback: str) -> None:
        self._running = job
        try:
            status = Run(self._emulator, job, request).run()
        finally:
            self._running = None
        times = {"once": 1, "twice": 2}.get(callback, 0)
        for _ in range(times):
            callbacks.send(self._emulator, request, job, status)


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
            plan = Planner(emulator, self._request, self._switches).plan()
            fault = emulator.faults.take_for_job("job_failed", plan.view.name)
            return self._write(plan) if fault is None else self._fail(fault.fault.code)
        except Refused as refusal:
            return self._fail(refusal.code)
        except Exception:
            LOG.exception("bulk write job %s broke off", self._job)
            return self._fail("INTERNAL_ERROR")

    def _fail(self, code: str) -> str:
        with self._emulator.store.write() as connection:
            connection.execute(
                "UPDATE jobs SET status = 'FAILED', outcome = ? WHERE id = ?",
                (msgspec.json.encode({"code": code}), self._job),
            )
        return "FAILED"

    def _write(self, plan: Plan) -> str:
        emulator = self._emulator
        rows, echoes = self._read(plan)
        untried = self._untried(plan, len(rows))
        tried = rows[: len(rows) - untried]
        active = emulator.faults.record_faults(plan.view.name, "bulk_write")
        if active:
            refuse_by_fault(emulator.faults, list(active), plan.view, tried, CURRENT_USER)
        self._grow_pick_lists(plan, tried)
        now = emulator.clock.now()
        outcomes: list[Outcome] = []
        with emulator.store.write() as connection:
            rules = Rules(plan.operation, [plan.find_by] if plan.find_by and plan.find_by.is_key else [])
            batch = Batch(emulator.store, connection, plan.view, rules, user=CURRENT_USER, now=now)
            for start in range(0, len(tried), CHUNK):
                outcomes += batch.write(tried[start : start + CHUNK])
            actions: Counter[str] = Counter(outcome.action for outcome in outcomes)
            counts = {
                "added_count": actions["insert"],
                "updated_count": actions["update"],
                "skipped_count": actions["none"],
                "total_count": len(rows),
            }
            all_skipped = bool(rows) and actions["none"] == len(rows)
            status = self._switches.all_rows_skipped if all_skipped else "COMPLETED"
            outcome = {"code": status, "counts": counts, "file_name": plan.file_name, "untried": untried}
            result = self._result(plan, echoes, outcomes, untried)
            connection.execute(
                "UPDATE jobs SET status = ?, outcome = ?, result = ? WHERE id = ?",
                (status, msgspec.json.encode(outcome), result, self._job),
            )
        emulator.journal.wrote("bulk_write", actions, list(AUTOMATIONS))
        return status

    def _read(self, plan: Plan) -> tuple[list[Row], list[tuple[str, ...]]]:
        reader = RowReader(self._emulator, plan, self._switches)
        body = file_of(self._emulator, self._request["resource"][0])
        rows: list[Row] = []
        echoes: list[tuple[str, ...]] = []
        for chunk in Sheet(body, plan.file_name, plan.encoding).chunks(CHUNK):
            read, echoed = reader.read(chunk)
            rows += read
            echoes += echoed
        return rows, echoes

    def _untried(self, plan: Plan, total: int) -> int:
        fault = self._emulator.faults.take_for_job("unprocessed", plan.view.name)
        if fault is None:
            return 0
        if fault.fault.rows is not None:
            return min(total, fault.fault.rows)
        return int(total * (fault.fault.share or 0))

    def _grow_pick_lists(self, plan: Plan, rows: list[Row]) -> None:
        for column in plan.columns:
            field = column.field
            if field.data_type in {"picklist", "multiselectpicklist"} and field.pick_list_open:
                new = new_choices(field, (row.values.get(field.api_name) for row in rows if row.refused is None))
                if new:
                    self._emulator.catalog.add_choices(plan.view.name, field.api_name, new)

    def _result(self, plan: Plan, echoes: list[tuple[str, ...]], outcomes: list[Outcome], untried: int) -> bytes:
        switches = self._switches
        by_header = switches.result_names == "header"
        names = {c.field.api_name: c.header if by_header else c.field.api_name for c in plan.columns}
        change = {"lower": str.lower, "upper": str.upper, "title": str.title}[switches.result_status]
        words = {action: change(word) for action, word in STATUS.items()}
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([*[names[c.field.api_name] for c in plan.echoed], "STATUS", "RECORD_ID", "ERRORS"])
        writer.writerows(
            (*echo, words[outcome.action], outcome.id or "", self._errors(outcome.refused, names))
            for echo, outcome in zip(echoes, outcomes, strict=False)
        )
        writer.writerows((*echo, change("unprocessed"), "", "") for echo in echoes[len(echoes) - untried :])
        return packed(f"{plan.view.name}-{plan.file_name}", text.getvalue())

    @staticmethod
    def _errors(refused: Refused | None, names: dict[str, str]) -> str:
        if refused is None:
            return ""
        return ":".join(
            f"{code}-{','.join(names.get(name, name) for name in fields)}" if fields else code
            for code, fields in by_code(refused).items()
        )
