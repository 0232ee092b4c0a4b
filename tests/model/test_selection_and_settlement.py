"""Selection and settlement as a state machine: at every step the tap streams what the reference model says is due.

Rules change the legacy table, let time pass, and take runs forward step by step, two of them at once if need be; they
die and sleep at any step. `NIGHTLY=all pytest tests/model` looks longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import pytest
from depth import examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from legacy_table import KEYS, LegacyTable, one_of_them
from reference import LOCKED, MAX_ATTEMPTS, REFUSED, START, SYNCED, Fates, Version, Zoho
from steps import Job, Run, Shop

from sync_ledger import leases
from sync_ledger.leases import LeaseHeldError, LeaseLostError
from sync_ledger.retry_schedules import LEASE_SILENT_SECONDS
from sync_ledger.tables import DELETED_VERSION, AckStatus, JobStep

BEYOND_ALL_PAUSES = timedelta(hours=25)
RUNS_TO_SETTLE = 5

fates = st.tuples(*[st.sampled_from([SYNCED, SYNCED, SYNCED, REFUSED, LOCKED])] * len(KEYS)).map(
    lambda each: dict(zip(KEYS, each, strict=True))
)
good = dict.fromkeys(KEYS, SYNCED)


@cache
def shop_with_ledger(*, elsewhere: bool) -> Shop:
    """The shop of all examples with such a ledger: engines, and the SQL that they know, are kept."""
    return Shop(elsewhere=elsewhere)


@dataclass(eq=False)
class Watched:
    """A run, and what the model knows of it."""

    run: Run
    beat: datetime
    awake: bool = True
    seen_dead: bool = False
    lost: bool = False
    """Taken for dead: whatever it writes must be refused."""
    reading: bool = True
    must: set[Version] | None = None
    """Due ever since it began to read."""
    may: set[Version] | None = None
    """Due at any moment since."""

    def __post_init__(self) -> None:
        self.streamed: set[Version] = set()


class SelectionAndSettlement(LegacyTable):
    def __init__(self) -> None:
        super().__init__()
        self.closing = ExitStack()
        self.zoho = Zoho()
        self.serials: dict[str, dict[str, int]] = {}
        self.runs: list[Watched] = []
        self.holder: Watched | None = None
        self.orphans: list[Job] = []

    @initialize(elsewhere=st.booleans(), find_deleted=st.booleans(), page_size=st.integers(1, 3))
    def open_shop(self, *, elsewhere: bool, find_deleted: bool, page_size: int) -> None:
        self.shop = shop_with_ledger(elsewhere=elsewhere)
        self.shop.empty()
        self.reading = self.shop.reading(page_size=page_size, find_deleted=find_deleted)
        patch = pytest.MonkeyPatch()
        patch.setattr(leases, "seconds_since_boot", self.shop.clock.seconds)
        patch.setattr(leases, "process_space", lambda: "another machine")  # unless a run's end is seen
        self.closing.callback(patch.undo)
        self.write("A", START)  # never removed: a table without any row is taken for a mistake

    def teardown(self) -> None:
        with self.closing:
            if hasattr(self, "shop"):
                self._come_to_rest()

    @rule(seconds=st.sampled_from([1, 1, 2, 3, 10, 20, 61, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.reference.now += timedelta(seconds=seconds)
        self.shop.clock.now = self.reference.now
        for watched in list(self.runs):
            if watched.awake:
                with self._writing(watched):
                    watched.run.lock.beat()

    # Runs

    def _bury(self) -> None:
        """The reference's word on who is dead: what a run does before it reads."""
        holder = self.holder
        if holder is None or not (holder.seen_dead or self.now - holder.beat > timedelta(seconds=LEASE_SILENT_SECONDS)):
            return
        holder.lost, self.holder = True, None
        self._leave_jobs(holder)

    def _leave_jobs(self, watched: Watched) -> None:
        for job in watched.run.jobs:
            if job.step is JobStep.INTENT:
                self.reference.given_back(job.journalled.manifest.texts())
            else:
                self.orphans.append(job)

    @contextmanager
    def _writing(self, watched: Watched) -> Iterator[None]:
        """A write to the ledger: refused just when another run took over."""
        try:
            yield
        except LeaseLostError:
            assert watched.lost, "a living run lost its lock"
            self.runs.remove(watched)
        else:
            assert not watched.lost, "a run wrote that was taken for dead"
            beat = watched.run.heartbeat()
            assert beat in (self.now, watched.beat)
            watched.beat = beat

    @precondition(lambda self: len(self.runs) < 2)
    @rule(reads_first=st.booleans(), state_is_lost=st.sampled_from([False, False, True]))
    def a_run_starts(self, *, reads_first: bool, state_is_lost: bool) -> None:
        if state_is_lost:
            self.shop.bookmark = None
        self._start(reads_first=reads_first)

    def _start(self, *, reads_first: bool) -> Watched | None:
        self._bury()
        watched = Watched(Run(self.shop, self.reading), self.now)
        if reads_first:
            self._read(watched)
        try:
            watched.run.open_target(MAX_ATTEMPTS)
        except LeaseHeldError:
            assert self.holder is not None, "a lock is held that nobody holds"
            return None
        assert self.holder is None, "two runs of one stream are live"
        assert {job.job_id for job in watched.run.jobs} == {job.job_id for job in self.orphans}
        self.orphans.clear()
        self.holder = watched
        self.runs.append(watched)
        watched.run.take_in()
        return watched

    def _read(self, watched: Watched) -> None:
        if watched.must is None or watched.may is None:
            watched.must = watched.may = self._due()
        page = watched.run.read_page()
        if page is None:
            watched.reading = False
            assert watched.must <= watched.streamed, f"not streamed: {watched.must - watched.streamed}"
            return
        orders = {(key, sent.serial) for key, sent in page.rows.items()}
        assert all(self.reference.orders[key].serial == serial for key, serial in orders)
        watched.streamed |= orders | {(key, 0) for key in page.gone}
        assert watched.streamed <= watched.may, f"streamed without need: {watched.streamed - watched.may}"

    def _due(self) -> set[Version]:
        gone = self.reference.gone() if self.reading.find_deleted else set()
        return self.reference.due() | {(key, 0) for key in gone}

    @precondition(lambda self: any(watched.reading for watched in self.runs))
    @rule(which=one_of_them)
    def a_run_reads_a_page(self, which: int) -> None:
        readers = [watched for watched in self.runs if watched.reading]
        watched = readers[which % len(readers)]
        self._read(watched)
        watched.run.take_in()

    @precondition(lambda self: self.runs)
    @rule(which=one_of_them, fates=fates, arrives=st.sampled_from([True, True, False]))
    def a_run_makes_a_call(self, which: int, fates: Fates, *, arrives: bool) -> None:
        watched = self._one(which)
        rows = watched.run.take()
        if rows:
            with self._writing(watched):
                watched.run.guard()
                watched.run.called(rows, fates)
                if arrives:
                    self.zoho.take_effect({key: sent.serial for key, sent in rows.items()}, fates)
                else:
                    watched.run.lose(watched.run.calls[-1])

    def _one(self, which: int) -> Watched:
        return self.runs[which % len(self.runs)]

    @precondition(lambda self: any(watched.run.calls for watched in self.runs))
    @rule(which=one_of_them, heard=st.sampled_from([True, True, False]))
    def a_call_is_answered(self, which: int, *, heard: bool) -> None:
        callers = [watched for watched in self.runs if watched.run.calls]
        watched = callers[which % len(callers)]
        call = watched.run.calls[which % len(watched.run.calls)]
        if not heard:
            watched.run.lose(call)
            return
        with self._writing(watched):
            watched.run.hear(call)
            self._told({key: sent.serial for key, sent in call.rows.items()}, call.fates)

    def _told(self, rows: dict[str, int], fates: Fates) -> None:
        acks = self.shop.acks()
        for key, serial in rows.items():
            if fates[key] == SYNCED:
                self.reference.synced(key, serial)
            elif fates[key] == REFUSED:
                self.reference.refused(key, serial)
            else:
                self.reference.locked(key, serial, acks[key].next_attempt_at)

    @precondition(lambda self: self.runs)
    @rule(which=one_of_them)
    def a_run_notes_a_job(self, which: int) -> None:
        watched = self._one(which)
        rows = watched.run.take()
        if rows:
            with self._writing(watched):
                job = watched.run.intend(rows)
                serials = {key: sent.serial for key, sent in rows.items()}
                self.serials[job.job_id] = serials
                self.reference.submitted(serials)

    @precondition(lambda self: any(watched.run.jobs for watched in self.runs))
    @rule(which=one_of_them, smoothly=st.sampled_from([True, True, True, False]))
    def a_job_comes_a_step_further(self, which: int, *, smoothly: bool) -> None:
        watchers = [watched for watched in self.runs if watched.run.jobs]
        watched = watchers[which % len(watchers)]
        job = watched.run.jobs[which % len(watched.run.jobs)]
        if job.step is JobStep.CREATED and job.job_id not in self.zoho.results:
            return  # Zoho says that it is still at it
        with self._writing(watched):
            self._further(watched, job, smoothly=smoothly)

    def _further(self, watched: Watched, job: Job, *, smoothly: bool) -> None:
        run, serials = watched.run, self.serials[job.job_id]
        if job.step is JobStep.INTENT and not smoothly:
            run.give_back(job)
            self.reference.given_back(serials)
        elif job.step is JobStep.INTENT:
            run.step(job, JobStep.UPLOADED, file_id="1", create_body="{}")
        elif job.step is JobStep.UPLOADED:
            run.guard()
            self.zoho.create(job.job_id, serials)
            if smoothly:
                run.step(job, JobStep.CREATED, zoho_job_id="1", credits=500)
        else:  # unless the result can no longer be fetched
            fates = self.zoho.results[job.job_id] if smoothly else dict.fromkeys(KEYS, LOCKED)
            run.settle(job, fates)
            self._told(serials, fates)

    @precondition(lambda self: self.zoho.waiting)
    @rule(which=one_of_them, fates=fates)
    def zoho_works_off_a_job(self, which: int, fates: Fates) -> None:
        job_id = list(self.zoho.waiting)[which % len(self.zoho.waiting)]
        self.zoho.work_off(job_id, fates)

    @precondition(lambda self: self.runs)
    @rule(which=one_of_them, seen=st.booleans())
    def a_run_is_killed(self, which: int, *, seen: bool) -> None:
        watched = self._one(which)
        self.runs.remove(watched)
        if seen:
            watched.run.die_seen()
            watched.seen_dead = True

    @precondition(lambda self: self.runs)
    @rule(which=one_of_them)
    def a_run_falls_asleep_or_wakes(self, which: int) -> None:
        watched = self._one(which)
        watched.awake = not watched.awake

    @precondition(lambda self: self.runs)
    @rule(which=one_of_them)
    def a_run_ends(self, which: int) -> None:
        watched = self._one(which)
        run = watched.run
        if watched.reading or run.calls or any(job.step is JobStep.INTENT for job in run.jobs):
            return
        with self._writing(watched):
            run.lock.beat()
            keys = run.deletable()
            run.delete(keys)
            for key in keys:
                self.zoho.crm.pop(key, None)
                self.reference.deleted(key)
            run.finish()
            self.runs.remove(watched)
            self.holder = None
            self._leave_jobs(watched)

    # The law

    @invariant()
    def readers_know_what_is_due(self) -> None:
        due = self._due() if self.runs else set()
        for watched in self.runs:
            if watched.must is not None and watched.may is not None:
                watched.must = watched.must & due
                watched.may = watched.may | due

    @invariant()
    def the_ledger_says_what_was_said(self) -> None:
        if not hasattr(self, "shop"):
            return
        acks, told = self.shop.acks(), self.reference.told
        assert acks.keys() == told.keys()
        for key, ack in acks.items():
            word = told[key]
            version = DELETED_VERSION if word.serial is None else self.versions[key, word.serial]
            assert (ack.version, ack.status, ack.next_attempt_at, ack.attempts) == (
                version,
                word.status.value,
                word.due,
                word.attempts,
            ), key
            if word.status is AckStatus.SYNCED:
                assert word.serial is not None
                assert self.zoho.crm[key] >= word.serial, f"{key} is called synced, and the CRM has an older version"

    def _come_to_rest(self) -> None:
        """However it went: after a few good runs nothing is due, and each order is in the CRM or named for a reason."""
        while self.late:
            self.a_transaction_is_committed(0)
        self.runs.clear()
        for _ in range(RUNS_TO_SETTLE):
            self.time_passes(BEYOND_ALL_PAUSES.days * 86_400 + BEYOND_ALL_PAUSES.seconds)
            watched = self._start(reads_first=False)
            assert watched is not None
            adopted = len(watched.run.jobs)
            while watched.run.jobs:
                for job_id in list(self.zoho.waiting):
                    self.zoho.work_off(job_id, good)
                self.a_job_comes_a_step_further(0, smoothly=True)
            while watched.reading:
                self.a_run_reads_a_page(0)
                while watched.run.buffer:
                    self.a_run_makes_a_call(0, good, arrives=True)
                    self.a_call_is_answered(0, heard=True)
            self.a_run_ends(0)
            self.the_ledger_says_what_was_said()
            if not adopted and not watched.streamed:
                break
        else:
            raise AssertionError("orders are streamed for ever")
        for key, order in self.reference.orders.items():
            told = self.reference.told[key]
            assert (told.serial, told.due) == (order.serial, None), f"{key} is lost"
            if told.status is AckStatus.SYNCED:
                assert self.zoho.crm[key] == order.serial, f"{key} is called synced, and the CRM has another version"
            else:
                assert told.status in (AckStatus.REJECTED, AckStatus.PARKED)


TestSelectionAndSettlement = SelectionAndSettlement.TestCase
TestSelectionAndSettlement.settings = settings(stateful_step_count=40, deadline=None, max_examples=examples(40, 5_000))
