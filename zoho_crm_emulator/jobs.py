"""The job worker: one thread that runs bulk write jobs, and others, when the emulator's clock says they are due."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from zoho_crm_emulator import callbacks
from zoho_crm_emulator.clock import SECOND
from zoho_crm_emulator.documents import DOC_DECODER, DOC_ENCODER
from zoho_crm_emulator.emulator import Emulator
from zoho_crm_emulator.job_plan import OPERATIONS, module_name
from zoho_crm_emulator.job_run import Run

FINAL = frozenset({"COMPLETED", "FAILED", "SKIPPED"})
COUNT_NAMES = ("added_count", "updated_count", "skipped_count", "total_count")


ELSEWHERE = "_result_elsewhere"
"""Added to the request of a job whose result has its link on a host of somebody else's, by a fault."""
NEVER = 10 * 365 * 86_400 * SECOND

RunJob = Callable[[Emulator, int, dict[str, Any]], str]
"""Runs a job to its end, by its id and request, and returns its final status."""


@dataclass(frozen=True)
class Job:
    """A job as it stands now."""

    id: int
    created: int
    due: int
    status: str
    request: dict[str, Any]
    outcome: dict[str, Any]
    has_result: bool

    @property
    def module(self) -> Any:
        """The module that it is for, or that of its first resource, as its request names it."""
        request = self.request
        return request["resource"][0]["module"] if "resource" in request else request["module"]


class Jobs:
    """All jobs, and the thread that runs them."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._wake = threading.Condition()
        self._busy = threading.Lock()
        self._stopping = False
        self._running: int | None = None
        self._run_of: dict[str, RunJob] = dict.fromkeys(OPERATIONS, _write)
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def runs(self, operation: str, run: RunJob) -> None:
        """Let jobs of another operation be run so; before `start`."""
        self._run_of[operation] = run

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
        duration = int(emulator.draw("job", emulator.job_seconds) * SECOND)
        job = emulator.store.new_id()
        named = request["resource"][0] if "resource" in request else request
        fault = emulator.faults.take_for_job("callback", module_name(named))
        mode = fault.fault.callback if fault else "once"
        if emulator.faults.take_for_job("result_elsewhere", module_name(named)) is not None:
            request = {**request, ELSEWHERE: True}
        if emulator.faults.take_for_job("never_ends", module_name(named)) is not None:
            duration = NEVER
        with emulator.store.write() as connection:
            connection.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, 'ADDED', ?, NULL, NULL, ?)",
                (job, created, created + duration // 10, created + duration, DOC_ENCODER.encode(request), mode),
            )
        if mode == "early":
            callbacks.send(emulator, request, job, "COMPLETED")
        self.wake()
        return job, created

    def get(self, job: int, *operations: str) -> Job | None:
        """The job of that id, if it is of one of these operations."""
        row = (
            self._emulator.store.read()
            .execute(
                "SELECT id, created, starts, due, status, request, outcome, result IS NOT NULL FROM jobs WHERE id = ?",
                (job,),
            )
            .fetchone()
        )
        found = None if row is None else self._job(row)
        return found if found is not None and found.request["operation"] in operations else None

    def recent(self, count: int) -> list[Job]:
        """The last jobs, newest first."""
        rows = self._emulator.store.read().execute(
            "SELECT id, created, starts, due, status, request, outcome, result IS NOT NULL FROM jobs "
            "ORDER BY id DESC LIMIT ?",
            (count,),
        )
        return [self._job(row) for row in rows.fetchall()]

    def _job(self, row: tuple[Any, ...]) -> Job:
        job, created, starts, due, status, request, outcome, has_result = row
        if status == "ADDED" and (self._emulator.clock.now() >= starts or self._running == job):
            status = "INPROGRESS"
        told = msgspec.json.decode(outcome) if outcome else {}
        return Job(job, created, due, status, DOC_DECODER.decode(request), told, bool(has_result))

    def _work(self) -> None:
        while not self._stopping:
            with self._wake:
                wait = self._wait_seconds()
                if wait is None or wait > 0:
                    self._wake.wait(min(wait, 1.0) if wait is not None else 1.0)
                    continue
            self.run_due()

    def run_due(self) -> int | None:
        """Run the job that is due first, if any is; its id. For the worker, and for whoever has none."""
        with self._busy:
            row = self._due()
            if row is not None:
                self._run_one(*row)
        return None if row is None else row[0]

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
        return None if row is None else (row[0], DOC_DECODER.decode(row[1]), row[2])

    def _run_one(self, job: int, request: dict[str, Any], callback: str) -> None:
        self._running = job
        try:
            status = self._run_of[request["operation"]](self._emulator, job, request)
        finally:
            self._running = None
        times = {"once": 1, "twice": 2}.get(callback, 0)
        for _ in range(times):
            callbacks.send(self._emulator, request, job, status)


def _write(emulator: Emulator, job: int, request: dict[str, Any]) -> str:
    return Run(emulator, job, request).run()
