"""The product taken step by step: real selection, ledger, recovery and confirmation, on a clock that the test moves.

Only two things are not the product's: Zoho, whose answers the test draws, and the threads that would ask it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from no_waiting import NoWaiting
from reference import LOOKBACK, REFUSED, SETTLE, START, SYNCED, Fates

from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE
from sync_ledger.recovery import adopt, release_uncreated
from sync_ledger.tables import DELETED_VERSION, RUN_COUNTS, AckStatus, JobStep
from sync_ledger.writes_under_way import WriteKind
from sync_processes.process_identity import process_space
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.pages import ReadingSettings
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_reader import UnsyncedOrders
from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.client import ConnectionSettings, ZohoClient
from target_zoho_crm.api.codes import Family
from target_zoho_crm.api.data_centers import endpoints
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.batch import Channel, PendingRecords
from target_zoho_crm.confirmation.in_flight import Flight, InFlight
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.problem_summary import Problems
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.stream_policy import OnRejection, StreamPolicy
from target_zoho_crm.write_settings import Automations, Operation

STREAM = "orders"
NO_SUCH_PROCESS = 2**22 + 1
"""Beyond the largest process id that Linux gives."""


class Clock:
    """One clock for everybody: SQLite's `now`, and the machine's."""

    def __init__(self) -> None:
        self.now = START

    def seconds(self) -> float:
        """What counts the seconds that a run is awake."""
        return self.now.timestamp()

    def teach(self, connection: Any, _record: object) -> None:
        """Let a connection go by this clock."""
        connection.create_function("strftime", 2, self._strftime)
        connection.execute("PRAGMA synchronous = OFF")  # no power fails here, and disks are slow

    def _strftime(self, form: str, when: str) -> str:
        assert (form, when) == ("%Y-%m-%d %H:%M:%f", "now")
        return self.now.isoformat(" ", timespec="milliseconds")


@dataclass
class Sent:
    """An order on its way: its version and content, and the records that it was read with."""

    version: str
    serial: int
    group: PendingRecords


@dataclass
class ReadPage:
    """What the tap read at once, and where its bookmark stands after that."""

    group: PendingRecords
    rows: dict[str, Sent]
    gone: tuple[str, ...]
    bookmark: str | None


@dataclass
class Call:
    """An upsert call that Zoho has answered; nobody has noted the answer yet."""

    rows: dict[str, Sent]
    fates: Fates
    flight: Flight


@dataclass
class Job:
    """A bulk job that this run looks after, its own or an adopted one, which has no group."""

    journalled: JournalledJob
    group: PendingRecords | None
    flight: Flight

    @property
    def job_id(self) -> str:
        return self.journalled.job_id

    @property
    def step(self) -> JobStep:
        return self.journalled.step


class Shop:
    """Where the orders, the ledger and the orchestrator's STATE lie. Kept from example to example, and emptied."""

    def __init__(self, *, elsewhere: bool) -> None:
        self._folder = TemporaryDirectory()
        folder = Path(self._folder.name)
        url = f"sqlite:///{folder}/orders.sqlite"
        self.clock = Clock()
        self.bookmark: str | None = None
        self.elsewhere = elsewhere
        self.engine = sa.create_engine(url)
        self.sql("CREATE TABLE orders (id VARCHAR(10) PRIMARY KEY, content INTEGER, updated_at DATETIME)")
        self.tap = TapLegacyOrders(config={"sqlalchemy_url": url, "orders_table": "orders"})
        self.ledger = Ledger.open(f"sqlite:///{folder}/ledger.sqlite" if elsewhere else url, clock=NoWaiting())
        for engine in (self.engine, self.ledger.engine, self.tap.engine):
            sa.event.listen(engine, "connect", self.clock.teach)
            engine.dispose()
        self.ledger.ensure_tables()
        settings = ConnectionSettings(
            endpoints=endpoints("us"), credentials=Credentials("never", "asked", "for"), cache_dir=folder
        )
        self.client = ZohoClient(settings, credits=CreditMeter())  # never used: Zoho's answers are drawn

    def empty(self) -> None:
        """Begin anew."""
        self.clock.now, self.bookmark = START, None
        self.sql("DELETE FROM orders")
        with self.ledger.begin() as connection:
            for table in self.ledger.tables.metadata.sorted_tables:
                connection.execute(sa.delete(table))

    def reading(self, *, page_size: int, find_deleted: bool) -> ReadingSettings:
        """How the tap reads."""
        return ReadingSettings(
            page_size=page_size,
            lookback=LOOKBACK,
            min_age=SETTLE,
            zone=timezone.utc,
            ledger_beside_orders=not self.elsewhere,
            find_deleted=find_deleted,
        )

    def sql(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def acks(self) -> dict[str, Any]:
        with self.ledger.connect() as connection:
            return {row.record_key: row for row in connection.execute(sa.select(self.ledger.tables.ack))}


class Run:
    """One run of tap and target. The tap begins at once; the target opens before or after its first page."""

    def __init__(self, shop: Shop, settings: ReadingSettings) -> None:
        self.shop = shop
        self._find_deleted = settings.find_deleted
        release_uncreated(shop.ledger, STREAM, watched_for=WHOLE)  # as the tap does before it reads
        table = shop.tap.orders_table
        self.orders = UnsyncedOrders(
            OrdersSource(
                engine=shop.tap.engine,
                table=table,
                columns=table.columns,
                ledger=shop.ledger,
                stream=STREAM,
                settings=settings,
                logger=logging.getLogger(__name__),
            )
        )
        self.buffer: dict[str, Sent] = {}
        self.gone: dict[str, PendingRecords] = {}
        self.calls: list[Call] = []
        self.jobs: list[Job] = []
        self._untaken: list[ReadPage] = []
        self._pages = self._read(shop.bookmark)

    def _read(self, bookmark: str | None) -> Iterator[ReadPage]:
        """Read page by page: orders, then those that are gone."""
        for page in self.orders.pages(bookmark):
            bookmark = page.bookmark or bookmark
            _, contents, _, keys, versions = page.columns
            group = PendingRecords(STREAM)
            rows = [Sent(version, content, group) for version, content in zip(versions, contents, strict=True)]
            yield ReadPage(group, dict(zip(keys, rows, strict=True)), (), bookmark)
        if self._find_deleted:
            for _, keys, *_ in self.orders.deleted_orders().pages():
                yield ReadPage(PendingRecords(STREAM), {}, tuple(keys), bookmark)

    def read_page(self) -> ReadPage | None:
        """Let the tap read one page; None when it is through."""
        page = next(self._pages, None)
        if page is not None:
            self._untaken.append(page)
        return page

    # The target

    def open_target(self, max_attempts: int) -> None:
        """Take the lock and the jobs of dead runs; raises LeaseHeldError."""
        ledger, folding = self.shop.ledger, KeyFolding(folds_case=True)
        self.lock = Lease.acquire(ledger, STREAM)
        self.state_gate = StateGate(self._keep_state)
        policy = StreamPolicy(
            stream=STREAM,
            module="Orders",
            folding=folding,
            operation=Operation.UPSERT,
            automations=Automations(),
            ignore_empty=False,
            on_rejection=OnRejection.SKIP,
        )
        self.in_flight = InFlight(folding)
        self.stream_ledger = StreamLedger(ledger, self.lock, max_attempts=max_attempts, folding=folding)
        self.recorder = Recorder(
            policy,
            ledger=self.stream_ledger,
            state_gate=self.state_gate,
            problems=Problems(),
            credits=CreditMeter(),
        )
        for orphan in adopt(ledger, self.lock):
            self.jobs.append(Job(orphan, None, self.in_flight.begin(orphan.manifest.texts())))

    def _keep_state(self, state: Mapping[str, Any]) -> None:
        self.shop.bookmark = state["bookmark"]

    def take_in(self) -> None:
        """Take in what the tap has read."""
        for page in self._untaken:
            self.state_gate.received(page.group, len(page.rows) + len(page.gone))
            for key, sent in page.rows.items():
                earlier = self.buffer.pop(key, None)
                if earlier is not None:
                    self.state_gate.superseded(earlier.group, 1)
                self.buffer[key] = sent
            self.gone.update(dict.fromkeys(page.gone, page.group))
            self.state_gate.hold({"bookmark": page.bookmark})
        self._untaken.clear()

    def take(self) -> dict[str, Sent]:
        """Take orders that may go now from the buffer, those that were read together."""
        flying = self.in_flight.among(self.buffer)
        ready = {key: sent for key, sent in self.buffer.items() if key not in flying}
        first = next(iter(ready.values()), None)
        rows = {key: sent for key, sent in ready.items() if first is not None and sent.group is first.group}
        for key in rows:
            del self.buffer[key]
        return rows

    def heartbeat(self) -> datetime:
        """When this run last said that it lives."""
        run = self.shop.ledger.tables.run
        with self.shop.ledger.connect() as connection:
            query = sa.select(run.c.heartbeat_at).where(run.c.run_id == self.lock.run_id)
            beat: datetime = connection.execute(query).scalar_one()
        return beat

    def guard(self) -> None:
        """What every send begins with."""
        self.stream_ledger.sending(WriteKind.UPSERT, {}).check()

    def called(self, rows: dict[str, Sent], fates: Fates) -> None:
        """Note in memory that Zoho has answered a call."""
        self.calls.append(Call(rows, fates, self.in_flight.begin(rows)))

    def lose(self, call: Call) -> None:
        """Give a call up; its orders stay unsettled."""
        self.calls.remove(call)
        self.in_flight.end(call.flight)

    def hear(self, call: Call) -> None:
        """Note the answer of a call."""
        self.calls.remove(call)
        outcomes = [_outcome(key, sent.version, call.fates[key]) for key, sent in call.rows.items()]
        self.recorder.record(next(iter(call.rows.values())).group, outcomes, Channel.UPSERT)
        self.in_flight.end(call.flight)

    def intend(self, rows: dict[str, Sent]) -> Job:
        """Note a job of these orders."""
        manifest = {key: sent.version for key, sent in rows.items()}
        journalled = JournalledJob(
            uuid.uuid4().hex, STREAM, "", "Orders", JobStep.INTENT, Manifest.of(manifest), credits=0
        )
        job = Job(journalled, next(iter(rows.values())).group, self.in_flight.begin(manifest))
        self.stream_ledger.intend(journalled, {})
        self.jobs.append(job)
        return job

    def step(self, job: Job, step: JobStep, **facts: Any) -> None:
        """Note how far a job has come."""
        self.stream_ledger.step(job.job_id, step, **facts)
        job.journalled = replace(job.journalled, step=step)

    def give_back(self, job: Job) -> None:
        """Note that a job surely never came into being."""
        self.stream_ledger.give_back(job.journalled, "INTERNAL_ERROR")
        self._over(job)

    def settle(self, job: Job, fates: Fates) -> None:
        """Note a job's result."""
        outcomes = [_outcome(key, version, fates[key]) for key, version in job.journalled.manifest.texts().items()]
        self.recorder.record(job.group, outcomes, Channel.BULK_WRITE, job.journalled)
        self._over(job)

    def _over(self, job: Job) -> None:
        self.jobs.remove(job)
        self.in_flight.end(job.flight)

    def deletable(self) -> list[str]:
        """Those of the orders that are gone whose record can be deleted now."""
        known = self.stream_ledger.known_records(self.gone)
        return [key for key in self.gone if known[key].zoho_id and known[key].status is not AckStatus.SUBMITTED]

    def delete(self, keys: list[str]) -> None:
        """Note that Zoho has deleted records."""
        self.stream_ledger.note_deleted(dict.fromkeys(keys, DELETED_VERSION), "delete")
        for key in keys:
            self.state_gate.confirmed(self.gone[key], [Outcome(key, DELETED_VERSION, Status.DELETED)], 0)

    def finish(self) -> None:
        """End the run; what is not settled is left to the next one."""
        counts = self.state_gate.counts(STREAM)
        statuses = sum(counts[status.value] for status in Status)
        assert counts["read"] == statuses, counts
        self.lock.release("finished", {name: counts[name] for name in RUN_COUNTS}, 0)

    def die_seen(self) -> None:
        """Let this run's process be gone, as any program on the same machine can see."""
        run = self.shop.ledger.tables.run
        with self.shop.ledger.begin() as connection:
            seen = {"pid": NO_SUCH_PROCESS, "process_space": process_space()}
            connection.execute(sa.update(run).where(run.c.run_id == self.lock.run_id).values(seen))


def _outcome(key: str, version: str, fate: str) -> Outcome:
    if fate == SYNCED:
        return Outcome(key, version, Status.SYNCED, zoho_id=str(ord(key)), action="update")
    if fate == REFUSED:
        return Outcome(key, version, Status.REJECTED, code="INVALID_DATA", family=Family.DATA)
    return Outcome(key, version, Status.REJECTED, code="RECORD_LOCKED", family=Family.TRANSIENT)
