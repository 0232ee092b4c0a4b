"""Orders and the records they point at: lookups given by a parent's value become ids before a batch is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import Family, OwnCode, ZohoCode
from target_zoho_crm.api.errors import TransientError, request_error
from target_zoho_crm.batch import Batch, Channel, Entry
from target_zoho_crm.confirmation.outcomes import Outcome, RecordError, Status, own_refusals, refused
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.mapping.conversion import Conversion, Form
from target_zoho_crm.mapping.field_mapping import FieldMapping, Refusal
from target_zoho_crm.mapping.field_values import UNCONVERTIBLE, reference_csv
from target_zoho_crm.mapping.references import OnMissingParent, ParentKind, ParentLookup, missing_parent
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.writing.lookup_directory import Found, LookupDirectory, NotOne
from target_zoho_crm.writing.workers import Workers

SAMPLE_NAMES = 5

_Answer = str | RecordError | TransientError | None
"""What a value leads to: an id, why the order is refused, why it must wait, or that it goes without a parent."""


class LookupDirectories:
    """The run's directories, one for each field that parents are found by."""

    def __init__(self, client: ZohoClient) -> None:
        self._client = client
        self._directories: dict[tuple[str, str], LookupDirectory] = {}

    def of(self, kind: ParentKind) -> LookupDirectory:
        """The directory of a kind of parents."""
        known = self._directories.get((kind.module, kind.field.api_name))
        if known is None:
            known = self._directories[kind.module, kind.field.api_name] = LookupDirectory(self._client, kind)
        return known


@dataclass
class _LeftOut:
    """Orders that were sent without a parent that is not there."""

    count: int = 0
    names: dict[str, None] = field(default_factory=dict)


class LookupResolver:
    """Puts ids in place of the values by which a stream's orders name their parents."""

    def __init__(
        self,
        policy: StreamPolicy,
        *,
        ledger: StreamLedger,
        recorder: Recorder,
        directories: LookupDirectories,
        workers: Workers,
    ) -> None:
        """`workers` ask for parents, several questions at once."""
        self._policy = policy
        self._ledger = ledger
        self._recorder = recorder
        self._directories = directories
        self._workers = workers
        self._left_out: dict[tuple[str, ParentKind], _LeftOut] = {}

    def resolved(self, batch: Batch, channel: Channel) -> Batch:
        """The batch with ids for parents, without the orders whose outcome is clear by that.

        A bulk job finds by itself what it can. An order that has another error too is refused for that one, as it is
        where the job would find out about the parent.

        Raises:
            ZohoError: what ends the run.
        """
        every = {p: column.parent for p, column in enumerate(batch.mapping.columns) if column.parent is not None}
        by_job = {p for p, lookup in every.items() if channel is Channel.BULK_WRITE and lookup.found_in_jobs}
        lookups = {position: lookup for position, lookup in every.items() if position not in by_job}
        if not lookups:
            return batch
        named = _Named(batch, lookups)
        result = _Resolution(batch, named.unfit)
        for position, lookup in lookups.items():
            names = named.values[position]
            result.take(position, names, self._answers(lookup, dict.fromkeys(names.values())))
        if result.failures and by_job:  # what is refused now no job sees: all its missing parents are named here
            failing = _Named(batch.only(result.failures), {position: every[position] for position in by_job})
            for position, names in failing.values.items():
                result.add_failures(position, names, self._answers(every[position], dict.fromkeys(names.values())))
        mapping = _by_ids(batch.mapping, lookups)
        resolved = replace(batch, mapping=mapping, entries=result.entries)
        refusals = _refusals(batch, named.unfit | result.failures.keys(), channel)
        outcomes = own_refusals(batch, refusals) + [
            refused(key, batch.entries[key].version, [errors[position] for position in sorted(errors)])
            for key, errors in result.failures.items()
            if key not in refusals
        ]
        if outcomes:
            self._recorder.record(batch.pending, outcomes, None)
        for error, keys in result.waiting.items():
            self._recorder.leave_unsynced(batch.only(keys), error)
        taken_out = {outcome.key for outcome in outcomes}.union(*result.waiting.values())
        for position, lookup in lookups.items():
            self._note_left_out(mapping.columns[position].field.api_name, lookup, result.left_out[position], taken_out)
        # An order without its parent is sent again when it is touched: the parent may be there by then.
        unsure = set[str]().union(*result.left_out.values())
        hashes = {key: each for key, each in batch.payload_hashes.items() if key not in unsure}
        return replace(resolved.without(taken_out), payload_hashes=hashes)

    def for_comparing(self, batch: Batch) -> Batch:
        """The batch with ids for parents that are there, to compare it: nothing is created, recorded or counted.

        Orders whose parent is missing though they need it, or of which that cannot be told, are left out.

        Raises:
            ZohoError: what ends the run.
        """
        lookups = {p: column.parent for p, column in enumerate(batch.mapping.columns) if column.parent is not None}
        if not lookups:
            return batch
        named = _Named(batch, lookups)
        result = _Resolution(batch, named.unfit)
        for position, lookup in lookups.items():
            names = named.values[position]
            found = self._found(lookup, dict.fromkeys(names.values()))
            result.take(position, names, {value: _answer(lookup, value, each) for value, each in found.items()})
        left_out = result.failures.keys() | set().union(*result.waiting.values())
        return replace(batch, mapping=_by_ids(batch.mapping, lookups), entries=result.entries).without(left_out)

    def credits(self, batch: Batch, in_jobs: int) -> int:
        """What asking for the batch's parents costs, of whose orders the first `in_jobs` go by bulk jobs.

        A field whose values several parents share may take more pages.
        """
        rows = list(batch.entries.values())
        total = 0
        for position, column in enumerate(batch.mapping.columns):
            if column.parent is not None:
                asking = rows[in_jobs:] if column.parent.found_in_jobs else rows
                values = _texts(column.parent.kind, (row.values[position] for row in asking))
                total += self._directories.of(column.parent.kind).queries_for(values)
        return total

    def lines(self) -> list[str]:
        """One line for each field that orders were sent without: how many, and which parents are missing."""
        return [
            f"{found.count} orders of stream {self._policy.stream!r} were sent without {name}: {kind.module} has no "
            f"{kind.field.api_name} {', '.join(map(repr, found.names))}"
            f"{', ...' if found.count > len(found.names) else ''} (on_missing_parent is null)"
            for (name, kind), found in self._left_out.items()
        ]

    def _answers(self, lookup: ParentLookup, values: Collection[str]) -> dict[str, _Answer]:
        """What each value leads to; a parent that is missing is created where the settings say so."""
        found = self._found(lookup, values)
        answers = {value: _answer(lookup, value, each) for value, each in found.items()}
        if lookup.on_missing is OnMissingParent.CREATE:
            missing = [value for value, each in found.items() if each is NotOne.NONE]
            answers.update(self._create(self._directories.of(lookup.kind), missing))
        return answers

    def _found(self, lookup: ParentLookup, values: Collection[str]) -> dict[str, Found | TransientError]:
        create = lookup.on_missing is OnMissingParent.CREATE
        return self._directories.of(lookup.kind).look_up(values, self._workers.submit, misses_count=not create)

    def _create(self, directory: LookupDirectory, values: Collection[str]) -> dict[str, _Answer]:
        further, fence = self._policy.automations.body(), self._ledger.sending_without_orders()
        created = directory.create(list(values), self._workers.submit, further=further, fence=fence)
        return {
            value: self._created(directory.kind.display_name(value), outcome)
            if isinstance(outcome, Outcome)
            else outcome
            for value, outcome in created.items()
        }

    def _created(self, name: str, outcome: Outcome) -> _Answer:
        if outcome.status is Status.SYNCED:
            return outcome.zoho_id
        code = outcome.code or OwnCode.UNCLEAR_ANSWER
        if outcome.status is Status.UNSYNCED:
            raise request_error(code, where=f"stream {self._policy.stream!r}, creation of {name}", field=outcome.field)
        cause = f"{code}{f' in field {outcome.field}' if outcome.field else ''}"
        message = f"{name} does not exist and was not created: {cause}"
        return RecordError(OwnCode.MISSING_PARENT if outcome.family is Family.DATA else code, None, message)

    def _note_left_out(
        self, name: str, lookup: ParentLookup, keys: Mapping[str, str], taken_out: Collection[str]
    ) -> None:
        values = [value for key, value in keys.items() if key not in taken_out]
        if not values:
            return
        noted = self._left_out.setdefault((name, lookup.kind), _LeftOut())
        noted.count += len(values)
        for value in values:
            if len(noted.names) < SAMPLE_NAMES:
                noted.names[value] = None


def _answer(lookup: ParentLookup, value: str, found: Found | TransientError) -> _Answer:
    """What a value leads to, by what was found for it."""
    if not isinstance(found, NotOne):
        return found
    name = lookup.kind.display_name(value)
    if found is NotOne.SEVERAL:
        return RecordError(ZohoCode.DUPLICATE_DATA, None, f"{name} is there more than once; merge them")
    if lookup.on_missing is OnMissingParent.NULL:
        return None
    return RecordError(OwnCode.MISSING_PARENT, None, missing_parent(name))


class _Named:
    """The parents that a batch names: by position of the column, the value by order; and orders with unfit values."""

    def __init__(self, batch: Batch, lookups: Mapping[int, ParentLookup]) -> None:
        self.values: dict[int, dict[str, str]] = {position: {} for position in lookups}
        self.unfit: set[str] = set()
        for position, lookup in lookups.items():
            texts = self.values[position]
            for key, entry in batch.entries.items():
                try:
                    text = lookup.kind.text(entry.values[position])
                except UNCONVERTIBLE:
                    self.unfit.add(key)
                else:
                    if text is not None:
                        texts[key] = text


class _Resolution:
    """What the parents' answers make of a batch's orders."""

    def __init__(self, batch: Batch, refused_already: Collection[str]) -> None:
        self._names = [column.field.api_name for column in batch.mapping.columns]
        self.entries = {key: entry for key, entry in batch.entries.items() if key not in refused_already}
        self.failures: dict[str, dict[int, RecordError]] = {}
        self.waiting: dict[TransientError, set[str]] = {}
        self.left_out: dict[int, dict[str, str]] = {}

    def take(self, position: int, names: Mapping[str, str], answers: Mapping[str, _Answer]) -> None:
        """Put the answers for one column into the rows."""
        left_out = self.left_out[position] = {}
        for key, entry in self.entries.items():
            name = names.get(key)
            answer = answers[name] if name is not None else None
            if isinstance(answer, RecordError):
                self._add_failure(key, position, answer)
            elif isinstance(answer, TransientError):
                self.waiting.setdefault(answer, set()).add(key)
            elif answer is None and name is not None:
                left_out[key] = name
            value = answer if isinstance(answer, str) else None
            values = (*entry.values[:position], value, *entry.values[position + 1 :])
            self.entries[key] = Entry(entry.version, values, entry.content)

    def add_failures(self, position: int, names: Mapping[str, str], answers: Mapping[str, _Answer]) -> None:
        """Add what is wrong in one column to the failures of the orders that `names` holds."""
        for key, name in names.items():
            answer = answers[name]
            if isinstance(answer, RecordError):
                self._add_failure(key, position, answer)

    def _add_failure(self, key: str, position: int, error: RecordError) -> None:
        self.failures.setdefault(key, {})[position] = replace(error, field=self._names[position])


def _texts(kind: ParentKind, values: Iterable[Any]) -> Iterator[str]:
    """The values as they are asked for, without those that are unfit or missing."""
    for value in values:
        try:
            text = kind.text(value)
        except UNCONVERTIBLE:
            continue
        if text is not None:
            yield text


def _by_ids(mapping: FieldMapping, lookups: Collection[int]) -> FieldMapping:
    """The mapping of rows that hold ids where they held values."""
    columns = list(mapping.columns)
    for position in lookups:
        columns[position] = replace(columns[position], to_csv=reference_csv, csv_find_by="id", parent=None)
    return replace(mapping, columns=tuple(columns))


def _refusals(batch: Batch, keys: Collection[str], channel: Channel) -> dict[str, Refusal]:
    """Which of these orders, unresolved yet, are refused for values of theirs, whatever becomes of their parents."""
    if not keys:
        return {}
    columns = [
        column if column.parent is None else replace(column, to_json=column.parent.kind.text)
        for column in batch.mapping.columns
    ]
    form = Form.CSV if channel is Channel.BULK_WRITE else Form.JSON
    conversion = Conversion(replace(batch.mapping, columns=tuple(columns)), form)
    return conversion.convert(list(keys), [batch.entries[key].values for key in keys], look_at_text=True).refusals
