"""Zoho in one process: the emulator's own application, called without sockets, over a network that loses and garbles.

What a call meets is decided when it is made: slow, lost before or after its effect, throttled, a gateway's page in
place of JSON, a token that Zoho takes back. What a job meets when it is created or runs.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from simulation.application import BASE, at_once, install_small_module, serve
from simulation.blameless import GATEWAY_DAY, NO_ANSWER
from simulation.carriage import Carriage, Loss, Parcel
from simulation.chance import Chance
from simulation.connections import CallFault, Connection
from simulation.http_messages import WRITING, Answer, aborted, arrived, content_of, kind_of_call
from simulation.job_files import in_other_order, rows_of_file
from simulation.network_faults import CALL_FAULTS, CALLBACKS, GATEWAY_PAGES, JOB_FAULTS, PAGE, UNSURE
from simulation.scheduler import Process, Scheduler
from simulation.write_log import Row, WriteLog

import target_zoho_crm.api.http_sessions
import zoho_crm_emulator.emulator
import zoho_crm_emulator.gate
import zoho_crm_emulator.jobs
from zoho_crm_emulator.app import build
from zoho_crm_emulator.emulator import Emulator, Settings
from zoho_crm_emulator.faults import Fault
from zoho_crm_emulator.jobs import Jobs


class Zoho:
    """The emulator and what lies between it and us. One for the life of a real process; `begin` starts anew."""

    def __init__(self, folder: Path) -> None:
        """Keep the emulator's data in `folder`."""
        zoho_crm_emulator.emulator.standard.install = install_small_module
        self.emulator = Emulator(Settings(data=str(folder / "crm.sqlite")))
        self.emulator.base_url = BASE
        self.jobs = Jobs(self.emulator)
        self._app = build(self.emulator, self.jobs)
        self._log = WriteLog(self.emulator.store)
        zoho_crm_emulator.gate.run_in_threadpool = at_once
        zoho_crm_emulator.jobs.callbacks.send = self._called_back
        zoho = self

        class Adapter(HTTPAdapter):
            """Hands requests over without a socket, once they are checked, as `CheckingAdapter` does."""

            def __init__(self, before: Callable[[Any], None]) -> None:
                self._before = before
                super().__init__()

            def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
                fault = zoho.decide_fault()
                self._before(Connection(zoho.scheduler, kind_of_call(request), fault))
                return zoho.travel(self, request, fault)

        target_zoho_crm.api.http_sessions.CheckingAdapter = Adapter  # type: ignore[misc, assignment]

    def begin(
        self,
        scheduler: Scheduler,
        chance: Chance,
        *,
        rate: float,
        job_seconds: tuple[float, float],
        result_words: Mapping[str, Any],
        world: Process,
        tick: Callable[[], int],
        carriage: Carriage | None = None,
        keep_log: bool = True,
    ) -> None:
        """Start an empty CRM for one history; `keep_log` remembers each write, which takes memory.

        With a `carriage` bodies land by themselves.
        """
        self.scheduler = scheduler
        self.chance = chance
        self.rate = rate
        self.job_seconds = job_seconds
        self._world = world
        self.carriage = carriage
        self.losses: Mapping[str, float] = {}
        """With a carriage: how often the answer to a kind of call is lost."""
        self.jobs_end_late = False
        """Whether a job that nobody knows of may end after its replacement."""
        self.on_loss: Callable[[random.Random], None] = lambda _draw: None
        """Called where the answer to a call that writes will be lost."""
        self.emulator.reset()
        self.emulator.seed = chance.seed
        self.turn(**result_words)
        self.violations: list[str] = []
        self.spent: Counter[int] = Counter()
        self.unsure: set[int] = set()
        self.undoing_pids: set[int] = set()
        """The processes that take runs back: what they write is older on purpose, and may be a person's."""
        self.continuous: list[int] = []
        self.gateway_day = False
        self.live_jobs: dict[int, dict[str, str]] = {}
        self.unanswered: set[int] = set()
        """Jobs whose creation had no answer: their orders go by calls as they are, and the job is in doubt."""
        self.on_callback: Callable[[list[str]], None] = lambda _jobs: None
        self.on_new_job: Callable[[Iterable[str]], None] = lambda _keys: None
        self._log.begin(tick, keep=keep_log)

    # Calls

    def decide_fault(self) -> CallFault:
        """What the next call meets, from its connection on."""
        kind, generator = self.chance.decide("call", self.rate, CALL_FAULTS)
        if self.gateway_day:
            kind, generator = self.chance.decide("gateway", GATEWAY_DAY, {"504_before": 2.0, "504_after": 1.0})
        return CallFault(kind, generator)

    def travel(self, adapter: HTTPAdapter, request: requests.PreparedRequest, fault: CallFault) -> requests.Response:
        """Take one request to Zoho and its answer back, as far as chance lets it; its connection stands."""
        process, checked = self.scheduler.current.process, self.scheduler.now
        if process.on_point is not None:
            process.on_point(process, "sends" if kind_of_call(request) in WRITING else "call")
        kind, generator = fault
        if kind in UNSURE:
            self.unsure.add(process.pid)
        self._lose_before(kind, generator)
        if kind == "504_before":
            return arrived(adapter, request, (504, {"content-type": "text/html"}, PAGE))
        if kind == "token_expired":
            self.emulator.oauth.revoke_tokens()
        status, headers, body = self._there_and_back(request, process, fault, checked)
        if process.on_point is not None:
            process.on_point(process, "answer")
        if kind == "lost_after" or status == NO_ANSWER:
            raise requests.exceptions.ReadTimeout("no answer")
        if kind in GATEWAY_PAGES:
            (status, body), headers = GATEWAY_PAGES[kind], {"content-type": "text/html"}
        return arrived(adapter, request, (status, headers, body), cut=kind == "cut")

    def _there_and_back(
        self, request: requests.PreparedRequest, process: Process, fault: CallFault, checked: float
    ) -> Answer:
        content, (kind, generator) = content_of(request), fault

        def land(parcel: Parcel | None = None) -> Answer:
            return self._carry_out(request, content, process, kind, generator, parcel)

        def back() -> float:
            return (generator.choice([2.0, 20.0, 55.0]) if kind == "slow" else 0.0) + generator.uniform(0.01, 0.5)

        if self.carriage is None:
            answer = land()
            self.scheduler.sleep(back())
            return answer
        try:
            loss = self._loss(request)
            seconds = generator.uniform(0.01, 0.3), back()
            return self.carriage.carry(request, content, seconds, land, loss, checked=checked, garbled=kind in UNSURE)
        except requests.exceptions.RequestException:
            self.unsure.add(process.pid)
            raise

    def _loss(self, request: requests.PreparedRequest) -> Loss | None:
        """Whether the answer to this call is lost, and when its body lands."""
        call = kind_of_call(request)
        rate = self.losses.get(call, 0.0)
        kind, draw = self.chance.decide(f"loss of {call}", rate, {f"no answer: {call}": 1.0})
        if kind is None:
            return None
        if call in WRITING:
            self.on_loss(draw)
        lands = draw.choice([None, (0.0, 1.0), (1.0, 50.0), (60.0, 130.0), (130.0, 3_000.0)])
        return Loss(draw.choice([0.0, 5.0, 60.0]), None if lands is None else draw.uniform(*lands))

    def _lose_before(self, kind: str | None, generator: random.Random) -> None:
        """Fail before Zoho has heard of the call."""
        if kind == "lost_before":
            self.scheduler.sleep(generator.choice([0.0, 5.0]))
            raise aborted()

    def _carry_out(
        self,
        request: requests.PreparedRequest,
        content: bytes,
        process: Process,
        kind: str | None,
        generator: random.Random,
        parcel: Parcel | None,
    ) -> Answer:
        """The effect of a call, all at once."""
        path = urlsplit(request.url or "").path
        canned = {"429": "too_many_requests", "500": "internal_error", "503_page": "unavailable"}.get(kind or "")
        faults = self.emulator.faults
        active = []
        if canned:
            wait = {"Retry-After": str(generator.choice([1, 5]))} if generator.random() < 0.5 else {}
            active.append(faults.add(Fault(kind="answer", canned=canned, times=1, headers=wait)))
        elif content and path.endswith(("/upsert", "/Orders")):
            active += self._refusals(content)
        elif "/bulk-write/" in path:
            gone, _ = self.chance.decide("result", self.rate / 3, {"result_gone": 1.0})
            if gone:
                active.append(faults.add(Fault(kind="answer", canned="link_gone", times=1)))
        before = sum(self.emulator.credits.by_kind.values())
        fired = self._fired()
        status, headers, body = serve(self._app, request, path, content)
        if self._fired() != fired:
            self.unsure.add(process.pid)
        self.spent[process.pid] += sum(self.emulator.credits.by_kind.values()) - before
        for each in active:
            faults.remove(each.id)
        self._log.take(process.pid)
        if path.endswith("/bulk/v8/write") and status < 300:
            job = int(msgspec.json.decode(body)["details"]["id"])
            self.unanswered |= {job} if kind in UNSURE else set()
            self._job_created(job, parcel)
        if "/bulk-write/" in path and status == 200:
            body = self._in_other_order(body)
        return status, headers, body

    def _fired(self) -> int:
        """How often faults that last have met a call."""
        return sum(each.fired for each in self.emulator.faults.active if each.asks_contents)

    def _refusals(self, content: bytes) -> list[Any]:
        """Refuse some orders of a call for a moment; and see that none of them is in a live job."""
        sent = msgspec.json.decode(content)["data"]
        names = {record: key for key, _, record in self.records()} if any("id" in row for row in sent) else {}
        keys = {row.get("parent_id") or names.get(str(row["id"])): row.get("Notes") for row in sent}
        for job, rows in self.live_jobs.items():
            for key in sorted((rows.keys() & keys.keys()) - self.in_doubt):
                if job in self.unanswered and rows[key] == keys[key]:
                    continue
                self.violations.append(
                    f"two writes at once: order {key} ({keys[key]}) by upsert, job {job} ({rows[key]}) is under way"
                )
        kind, generator = self.chance.decide("rows", self.rate, {"record_locked": 1.0})
        if kind is None:
            return []
        some = tuple(key for key in keys if generator.random() < 0.5)
        return [self.emulator.faults.add(Fault(kind="record_error", keys=some, code="RECORD_LOCKED"))]

    # Jobs

    def _job_created(self, job: int, parcel: Parcel | None) -> None:
        """Let the job run when its time has come; an older job of the same file is worked off first."""
        store = self.emulator.store
        kind, generator = self.chance.decide("job", self.rate * 3, JOB_FAULTS)
        seconds = generator.uniform(*self.job_seconds)
        if self.jobs_end_late and generator.random() < 0.6:
            seconds = generator.uniform(0.1, 8.0)
        if kind == "slow_job":
            seconds += generator.choice([30.0, 120.0])
        request = msgspec.json.decode(
            store.read().execute("SELECT request FROM jobs WHERE id = ?", (job,)).fetchone()[0]
        )
        file_id = request["resource"][0]["file_id"]
        rows = self._rows_of(int(file_id))
        if self.carriage is not None and parcel is not None:
            self.carriage.carries(parcel, rows.keys())
        for other, theirs in self.live_jobs.items():
            twins = store.read().execute("SELECT request FROM jobs WHERE id = ?", (other,)).fetchone()[0]
            if msgspec.json.decode(twins)["resource"][0]["file_id"] == file_id:
                if self.carriage is not None and self.jobs_end_late:
                    self.carriage.in_doubt.update(theirs)
                else:
                    self._set_due(other, 0.0)
                continue
            if other in self.unanswered:
                continue  # nobody can find it: it is in doubt, and its orders are compared once it cannot land
            for key in sorted((rows.keys() & theirs.keys()) - self.in_doubt):
                self.violations.append(f"two writes at once: order {key} in jobs {other} and {job}")
        self._set_due(job, seconds)
        self.live_jobs[job] = rows
        self.on_new_job(rows.keys() - self.in_doubt)
        callback, _ = self.chance.decide("callback", self.rate * 3, CALLBACKS)
        self.scheduler.spawn(self._world, lambda: self._run_job(job, kind, callback, generator), f"job {job}")

    def _rows_of(self, file_id: int) -> dict[str, str]:
        body = self.emulator.store.read().execute("SELECT body FROM files WHERE id = ?", (file_id,)).fetchone()[0]
        return rows_of_file(body)

    def _set_due(self, job: int, seconds: float) -> None:
        due = self.emulator.clock.now() + int(seconds * 1000)
        with self.emulator.store.write() as connection:
            connection.execute("UPDATE jobs SET due = ? WHERE id = ?", (due, job))

    def _run_job(self, job: int, kind: str | None, callback: str | None, generator: random.Random) -> None:
        store, faults = self.emulator.store, self.emulator.faults
        while True:
            due = store.read().execute("SELECT due FROM jobs WHERE id = ?", (job,)).fetchone()[0]
            left = (due - self.emulator.clock.now()) / 1000
            if left <= 0 or job not in self.live_jobs:
                break
            self.scheduler.sleep(min(left + 0.001, 5.0 if left < 300.0 else 60.0))
        active = []
        keys = sorted(self.live_jobs.get(job, ()))
        if job not in self.live_jobs:
            kind = None
        if kind == "job_failed":
            code = generator.choice(["INTERNAL_ERROR", "INTERNAL_ERROR", "INVALID_FILE_FORMAT"])
            active.append(faults.add(Fault(kind="job_failed", code=code)))
        elif kind == "unprocessed":
            active.append(faults.add(Fault(kind="unprocessed", share=generator.choice([0.3, 0.6, 1.0]))))
        elif kind == "partly_done":
            some = tuple(key for key in keys if generator.random() < 0.5)
            active.append(
                faults.add(Fault(kind="record_error", endpoint="bulk_write", keys=some, code="RECORD_LOCKED"))
            )
        while job in self.live_jobs:
            ran = self.jobs.run_due()  # others that are due as well come first
            self._log.take()
            self.live_jobs.pop(ran or 0)
        for each in active:
            faults.remove(each.id)
        for _ in range({"never": 0, "twice": 2}.get(callback or "", 1)):
            self.on_callback([str(job)])

    def _called_back(self, *_: Any) -> None:
        """The emulator's own callbacks need sockets; the simulation delivers them itself."""

    def _in_other_order(self, body: bytes) -> bytes:
        """Tell a result's rows in another order: only the echoed key says whose they are."""
        kind, generator = self.chance.decide("result order", self.rate * 3, {"other_order": 1.0})
        return body if kind is None else in_other_order(body, generator)

    # What the CRM holds

    @property
    def in_doubt(self) -> AbstractSet[str]:
        """The orders of which something may have landed late."""
        return frozenset() if self.carriage is None else self.carriage.in_doubt

    @property
    def writes(self) -> list[Row]:
        """What was written, in the order of it."""
        return self._log.writes

    @property
    def deletions(self) -> list[Row]:
        """What was deleted, in the order of it."""
        return self._log.deletions

    def records(self) -> list[tuple[str, str, str]]:
        """Every order in the CRM: key, value, id."""
        found = self.emulator.store.read().execute(
            "SELECT json_extract(doc, '$.parent_id'), json_extract(doc, '$.Notes'), id FROM records ORDER BY id"
        )
        return [(key, value, str(record)) for key, value, record in found]

    def documents(self) -> list[tuple[str, str | None, str | None, str | None]]:
        """Every record: id, key, notes, invoice number."""
        columns = ", ".join(f"json_extract(doc, '$.{name}')" for name in ("parent_id", "Notes", "Invoice_No"))
        found = self.emulator.store.read().execute(f"SELECT id, {columns} FROM records")
        return [(str(record), *values) for record, *values in found]

    @contextmanager
    def by_others(self) -> Iterator[sqlite3.Connection]:
        """What is written here is not ours, and not among the writes that are looked at."""
        self._log.take()
        with self.emulator.store.write() as connection:
            yield connection
            self._log.forget(connection)

    def turn(self, **switches: Any) -> None:
        """Turn switches of the emulator."""
        self.emulator.switches = msgspec.structs.replace(self.emulator.switches, **switches)

    def refuse_for_ever(self, key: str, code: str) -> None:
        """Refuse an order in every call and job, until `forgive`."""
        self.continuous.append(self.emulator.faults.add(Fault(kind="record_error", keys=(key,), code=code)).id)
