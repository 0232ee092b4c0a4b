"""The records that orders point at, found by a unique value of theirs: asked for in batches, known for the run."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from enum import Enum
from typing import Any, Generic, TypeVar

from sync_ledger.retry_schedules import MISSING_PARENT_SECONDS
from target_zoho_crm.api.calls import Fence
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.costs import CALL_RECORDS, QUERY_VALUES
from target_zoho_crm.api.errors import TransientError, ZohoError
from target_zoho_crm.confirmation.outcomes import Outcome, Status, upsert_outcomes
from target_zoho_crm.mapping.field_values import any_to_text
from target_zoho_crm.mapping.references import ParentKind

KNOWN_MOST = 200_000
"""Parents remembered, in some 40 MB. One that is forgotten is only asked for again."""

_T = TypeVar("_T")


class NotOne(Enum):
    """Why a value leads to no single record."""

    NONE = "none"
    SEVERAL = "several"


Found = str | NotOne
"""The id of the one record that holds a value, or why there is not one."""

Begin = Callable[[Callable[[], None]], None]
"""Begins a piece of work, here or on another thread."""


class LookupDirectory:
    """Which record holds a value: asked once, known for the run. Safe for threads."""

    def __init__(self, client: ZohoClient, kind: ParentKind, clock: Callable[[], float] = time.monotonic) -> None:
        self.kind = kind
        self._client = client
        self._fold = kind.folding.fold
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[Found, float]] = OrderedDict()
        self._asked: dict[str, Future[dict[str, Found]]] = {}

    def queries_for(self, values: Iterable[str]) -> int:
        """How many queries it would take to ask for those of these values that are not known yet; 1 credit each."""
        with self._lock:
            unknown = {folded for folded in map(self._fold, values) if folded not in self._known}
        return -(-len(unknown) // QUERY_VALUES)

    def look_up(
        self, values: Iterable[str], begin: Begin, *, misses_count: bool = True
    ) -> dict[str, Found | TransientError]:
        """The record of each value. What several threads want at once is asked for once.

        Args:
            values: as `ParentKind.text` gives them.
            begin: begins each query; they are awaited here.
            misses_count: whether a record that was missing a moment ago is believed to be missing still.

        Returns:
            What was found by value; the error where it could not be asked for, after all attempts.

        Raises:
            ZohoError: what ends the run.
        """
        by_value = {value: self._fold(value) for value in values}
        wanted = {folded: value for value, folded in by_value.items()}
        found: dict[str, Found | TransientError] = {}
        tasks: list[_Task[dict[str, Found]]] = []
        with self._lock:
            for folded in wanted:
                known = self._remembered(folded, misses_count=misses_count)
                if known is not None:
                    found[folded] = known
            unknown = [folded for folded in wanted if folded not in found]
            answers = {folded: self._asked[folded] for folded in unknown if folded in self._asked}
            mine = [folded for folded in unknown if folded not in answers]
            for batch in _batches(mine, QUERY_VALUES):
                task = _Task(self._ask, {folded: wanted[folded] for folded in batch})
                tasks.append(task)
                self._asked.update(dict.fromkeys(batch, task.answer))
                answers.update(dict.fromkeys(batch, task.answer))
        _begin_all(tasks, begin)
        for folded, answer in answers.items():
            try:
                found[folded] = answer.result()[folded]
            except TransientError as error:
                found[folded] = error
        return {value: found[folded] for value, folded in by_value.items()}

    def create(
        self,
        values: Sequence[str],
        begin: Begin,
        *,
        further: Mapping[str, Any],
        fence: Fence,
    ) -> dict[str, Outcome | TransientError]:
        """Create a record for each value; one that is there by now is taken.

        Args:
            values: as `ParentKind.text` gives them.
            begin: begins each call; they are awaited here.
            further: other keys of the calls' bodies, such as `trigger`.
            fence: of each call.

        Returns:
            The outcome by value, with `zoho_id` where the record is there; the error where the call failed, after all
            attempts.

        Raises:
            ZohoError: what ends the run.
        """
        distinct: dict[str, str] = {}
        for value in values:
            distinct.setdefault(self._fold(value), value)

        def send(batch: Sequence[str]) -> list[Outcome]:
            body = self.kind.creation(batch, further)
            answer = self._client.upsert(self.kind.module, body, records=len(batch), fence=fence)
            key_field = self.kind.field.api_name
            return upsert_outcomes(batch, batch, answer.status, answer.body, key_field=key_field)

        batches = list(_batches(list(distinct.values()), CALL_RECORDS))
        tasks = [_Task(send, batch) for batch in batches]
        _begin_all(tasks, begin)
        created: dict[str, Outcome | TransientError] = {}
        for batch, task in zip(batches, tasks, strict=True):
            try:
                outcomes: Sequence[Outcome | TransientError] = task.answer.result()
            except TransientError as error:
                outcomes = [error] * len(batch)
            created.update(zip(map(self._fold, batch), outcomes, strict=True))
        with self._lock:
            for folded, outcome in created.items():
                if isinstance(outcome, Outcome) and outcome.status is Status.SYNCED and outcome.zoho_id:
                    self._remember(folded, outcome.zoho_id)
        return {value: created[self._fold(value)] for value in values}

    def _ask(self, batch: dict[str, str]) -> dict[str, Found]:
        """Ask for up to 50 values, by their folded form, and remember what is found."""
        ids: dict[str, set[str]] = {folded: set() for folded in batch}
        try:
            offset, more = 0, True
            while more:
                rows, more = self._client.query(self.kind.query(batch.values(), offset))
                offset += len(rows)
                for row in rows:
                    value = any_to_text(row.get(self.kind.field.api_name))
                    holders = ids.get(self._fold(value)) if value is not None else None
                    if holders is not None:
                        holders.add(str(row["id"]))
                more = more and bool(rows)
            answer = {folded: _one_of(holders) for folded, holders in ids.items()}
            with self._lock:
                for folded, found in answer.items():
                    self._remember(folded, found)
            return answer
        finally:
            with self._lock:
                for folded in batch:
                    self._asked.pop(folded, None)

    def _remembered(self, folded: str, *, misses_count: bool) -> Found | None:
        found, since = self._known.get(folded, (None, 0.0))
        if isinstance(found, str):
            self._known.move_to_end(folded)
        elif not misses_count or self._clock() - since > MISSING_PARENT_SECONDS:
            return None
        return found

    def _remember(self, folded: str, found: Found) -> None:
        self._known[folded] = found, self._clock()
        self._known.move_to_end(folded)
        if len(self._known) > KNOWN_MOST:
            self._known.popitem(last=False)


class _Task(Generic[_T]):
    """A piece of work whose result, or failure, somebody waits for."""

    def __init__(self, work: Callable[[Any], _T], argument: Any) -> None:
        self._work = work
        self._argument = argument
        self.answer: Future[_T] = Future()

    def __call__(self) -> None:
        if not self.answer.set_running_or_notify_cancel():
            return
        try:
            result = self._work(self._argument)
        except BaseException as error:
            self.answer.set_exception(error)
            if not isinstance(error, ZohoError):
                raise
        else:
            self.answer.set_result(result)


def _begin_all(tasks: Sequence[_Task[Any]], begin: Begin) -> None:
    try:
        for task in tasks:
            begin(task)
    except BaseException:
        for task in tasks:  # nobody is to wait for what never begins
            task.answer.cancel()
        raise


def _one_of(ids: Collection[str]) -> Found:
    if len(ids) > 1:
        return NotOne.SEVERAL
    return next(iter(ids), NotOne.NONE)


def _batches(values: Sequence[str], size: int) -> list[Sequence[str]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
