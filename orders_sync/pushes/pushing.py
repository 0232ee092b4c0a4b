"""Records that somebody has in hand, written by the target as if a tap had sent them: one push from end to end.

All records are looked at before the first one is sent. Each key is sent once, the last record that has it. An ack holds
a fingerprint of the record where a tap's has a version, so a push that was cut short is completed by pushing the same
records again, and the tap's next look at the order finds another version than its own.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from orders_sync.actions.target_runs import run_target
from orders_sync.pushes.push_files import FileProblem, Located
from orders_sync.pushes.push_messages import SchemaOfRecords, digest_of, messages
from orders_sync.reporting.results import Result, results_of, run_document, runs_of_group
from sync_databases.chunks import lookup_chunks
from sync_ledger.bindings import bindings_of
from sync_ledger.history import Packed, Settlement, note_packed
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus
from sync_ledger.undoing import reversed_keys
from sync_processes.exit_codes import ExitCode
from target_zoho_crm.record_decoding import BadRecordError, join_key
from target_zoho_crm.settings import Settings, default_ledger_url

SUPERSEDED = "superseded"
UNSYNCED = "unsynced"
WELL = frozenset({AckStatus.SYNCED.value, SUPERSEDED})
"""Outcomes with which a push is complete."""

_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Push:
    """What is to be pushed: `records` may be gone through several times, and give the same each time."""

    records: Callable[[], Iterator[Located]]
    key: Sequence[str]
    stream: str | None = None
    again: bool = False
    """Whether to send what an earlier push of the same records has written."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a push; `exit_code` is the worst of its run's and its results'."""

    transaction: str
    stream: str
    results: Sequence[Result]
    run: Mapping[str, Any] | None
    problems: Sequence[str] = ()
    exit_code: int = ExitCode.OK

    @property
    def complete(self) -> bool:
        """Whether each key's last record is in the CRM."""
        return not self.problems and all(result.outcome in WELL for result in self.results)


@dataclass(slots=True)
class _Looked:
    """What one look at all records found."""

    schema: SchemaOfRecords = field(default_factory=SchemaOfRecords)
    last: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    superseded: list[str] = field(default_factory=list)
    hash: str = ""


def look(push: Push) -> _Looked:
    """Go through all records: is each whole, and which is the last of its key?

    Raises:
        FileProblem: one is not, or has no key; nothing was sent.
    """
    found, hashed = _Looked(), hashlib.sha256("\0".join(push.key).encode())
    for number, (where, record) in enumerate(push.records()):
        key = _key_of(push.key, where, record)
        if key in found.last:
            found.superseded.append(key)
        found.schema.note(record)
        found.last[key] = number
        found.digests[key] = digest_of(record)
        hashed.update(found.digests[key].encode())
    if not found.last:
        raise FileProblem("there is no record to push")
    found.hash = hashed.hexdigest()
    return found


def _key_of(columns: Sequence[str], where: str, record: Mapping[str, Any]) -> str:
    missing = [name for name in columns if record.get(name) is None]
    if missing:
        raise FileProblem(f"{where}: it has no {', '.join(missing)}, and so no key; --key names the key's columns")
    try:
        return join_key([record[name] for name in columns])
    except BadRecordError:
        raise FileProblem(f"{where}: {', '.join(columns)} holds a list or an object, which is no key") from None


def owning_stream(ledger: Ledger, settings: Settings, named: str | None) -> str:
    """The stream to write under: the one that was named, or the one that the ledger has bound to the module.

    Raises:
        FileProblem: the ledger has none, or several that share the module.
    """
    if named is not None:
        return named
    module = settings.config["module"]
    owners = sorted(each.stream for each in bindings_of(ledger).values() if each.module == module)
    if len(owners) != 1:
        have = f"streams {', '.join(owners)} write to it" if owners else "no stream of the ledger writes to it yet"
        raise FileProblem(f"module {module}: {have}; name one by --stream (the tap's, or one of its own)")
    return owners[0]


def push_records(push: Push, target_config: Mapping[str, Any], transaction: str | None = None) -> Pushed:
    """Push, wait, and say what became of each record.

    `target_config` is the target's, with its defaults. `transaction` names the push where it has a name already.

    Raises:
        FileProblem: the records cannot be taken; nothing was sent.
        DatabaseError: the ledger cannot be used.
        ConfigurationError: a setting is of no use.
    """
    looked = look(push)
    settings = Settings.read(target_config)
    ledger = Ledger.open(settings.ack_url or default_ledger_url(), settings.ack_schema)
    try:
        ledger.ensure_tables()
        stream = owning_stream(ledger, settings, push.stream)
        name = transaction or transaction_of(looked.hash, stream, again=push.again)
        before = {} if push.again else _before(ledger, stream, name, looked.digests)
        problems: Sequence[str] = ()
        code: int = ExitCode.OK
        if len(before) < len(looked.last) or any(each.outcome == AckStatus.SUBMITTED.value for each in before.values()):
            problems, code = _run_target(push, looked, before, {**target_config, **_overrides(name)}, stream)
            if looked.superseded:
                _note_superseded(ledger, stream, name, looked.superseded)
        return _pushed(ledger, stream, name, looked, before, problems, code)
    finally:
        ledger.close()


def transaction_of(hashed: str, stream: str, *, again: bool) -> str:
    """The name of a push: the same for the same records and stream, unless they are pushed again on purpose."""
    nonce = uuid.uuid4().hex if again else ""
    return f"push-{hashlib.sha256(f'{hashed} {stream} {nonce}'.encode()).hexdigest()[:_ID_DIGITS]}"


def _overrides(name: str) -> dict[str, Any]:
    """A push ends, goes past refusals, and its runs are known by its name."""
    return {"run_group": name, "on_rejection": "skip", "max_age_seconds": None}


def _run_target(
    push: Push, looked: _Looked, before: Mapping[str, Result], config: Mapping[str, Any], stream: str
) -> tuple[Sequence[str], int]:
    """Run the target itself on what is not done yet; returns what it complains of, and how it would end."""

    def due() -> Iterator[tuple[str, Mapping[str, Any]]]:
        for number, (where, record) in enumerate(push.records()):
            key = _key_of(push.key, where, record)
            if looked.last[key] == number and key not in before:
                yield looked.digests[key], record

    return run_target(config, messages(stream, looked.schema.properties(), push.key, due()))


def _before(ledger: Ledger, stream: str, name: str, digests: Mapping[str, str]) -> dict[str, Result]:
    """What earlier pushes of the same records have done: these are not sent again.

    That is what a run of this push settled, or an ack that has the very record: its job may be another run's by now.
    """
    with ledger.connect() as connection:
        runs = [run.run_id for run in runs_of_group(ledger, name)]
        undone = reversed_keys(connection, ledger.tables, runs) if runs else set()
    done = {
        result.key: result
        for result in _results(ledger, name)
        if result.outcome in {AckStatus.SYNCED.value, AckStatus.SUBMITTED.value}
        and result.key in digests.keys() - undone
    }
    ack = ledger.tables.ack
    columns = (ack.c.record_key, ack.c.version, ack.c.status, ack.c.zoho_id, ack.c.job_id, ack.c.acked_at)
    query = sa.select(*columns).where(
        ack.c.stream == stream, ack.c.status.in_([AckStatus.SYNCED.value, AckStatus.SUBMITTED.value])
    )
    with ledger.connect() as connection:
        for chunk in lookup_chunks(connection, digests):
            for row in connection.execute(query.where(ack.c.record_key.in_(chunk))):
                if row.version == digests[row.record_key]:
                    key = row.record_key
                    done[key] = Result(
                        key, row.status, record_id=row.zoho_id, version=row.version, job=row.job_id, at=row.acked_at
                    )
    return done


def _results(ledger: Ledger, name: str) -> Iterator[Result]:
    for run in runs_of_group(ledger, name):
        yield from results_of(ledger, run)


def _note_superseded(ledger: Ledger, stream: str, name: str, keys: Sequence[str]) -> None:
    """Let `results` know of the records that were not sent since a later one of their key was."""
    runs = runs_of_group(ledger, name)
    if not runs:
        return
    packed = Packed(keys, [""] * len(keys), [None] * len(keys))

    def write(connection: sa.Connection) -> None:
        settlement = Settlement(stream, runs[-1].run_id, 0)
        note_packed(connection, ledger.tables, settlement, ledger.now(connection), packed, status=SUPERSEDED)

    ledger.transact(write)


def _pushed(
    ledger: Ledger,
    stream: str,
    name: str,
    looked: _Looked,
    before: Mapping[str, Result],
    problems: Sequence[str],
    code: int,
) -> Pushed:
    found = dict(before)
    for one in runs_of_group(ledger, name):
        with ledger.connect() as connection:
            undone = reversed_keys(connection, ledger.tables, [one.run_id])
        for result in results_of(ledger, one):
            if result.outcome != SUPERSEDED and result.key in looked.last and result.key not in undone:
                found[result.key] = result
    results = [found.get(key) or Result(key, UNSYNCED) for key in looked.last]
    results += [Result(key, SUPERSEDED) for key in looked.superseded]
    runs = runs_of_group(ledger, name)
    run = run_document(runs[-1]) if runs else None
    well = all(result.outcome in WELL for result in results)
    return Pushed(name, stream, results, run, problems, code or (ExitCode.OK if well else ExitCode.FAILED))
