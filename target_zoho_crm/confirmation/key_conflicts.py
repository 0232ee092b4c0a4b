"""A record is one order's: where two orders were written to one, none of them is called synced, and both are named.

Zoho matches an upsert by every unique field, not by the key alone, and overwrites whichever record it finds. It says so
where `duplicate_field` names another field; the result of a job says nothing, but the id that it gives is another
order's already: in the same call or job, or by the ledger.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

import sqlalchemy as sa

from sync_ledger.bindings import read_bindings
from sync_ledger.record_owners import Claim, claims_on, disown
from sync_ledger.tables import LedgerTables
from target_zoho_crm.api.codes import Family, OwnCode
from target_zoho_crm.confirmation.outcomes import CREATED, Outcome, Status, matched_by
from target_zoho_crm.confirmation.problem_summary import SAMPLE_KEYS

logger = logging.getLogger("target-zoho-crm")

_ACTION, _CONFLICT, _ZOHO_ID = attrgetter("action"), attrgetter("conflict_id"), attrgetter("zoho_id")


@dataclass(frozen=True, slots=True)
class Lost:
    """An order that is no longer called synced: its record was written for the order `by` too."""

    key: str
    zoho_id: str
    by: str


class Conflicts:
    """Those of one stream's run. Safe for threads."""

    def __init__(self, tables: LedgerTables, stream: str, *, shares_module: bool = False) -> None:
        """`shares_module`: other streams of the ledger write to the module too."""
        self._tables = tables
        self._ack = tables.ack
        self._stream = stream
        self._shares_module = shares_module
        self._others: frozenset[str] = frozenset()
        """The streams with which the module is shared."""
        self._lock = threading.Lock()
        self._met: dict[str, set[str]] = {}
        """By record id, the keys that met a conflict over it: an order in flight beside them lost it too."""
        self._unproven = False
        """Whether a record was updated of which the ledger knew nothing: a job may have just made it for another."""

    def refuse(
        self, connection: sa.Connection, outcomes: Sequence[Outcome], *, look_at_new: bool = False
    ) -> list[Outcome]:
        """The outcomes, with a refusal for each order whose record is another order's too.

        A new record has a new id, so the ledger is asked for the others only; with `look_at_new` for all, since a dead
        run may have written orders beside them.
        """
        if not (look_at_new or self._unproven or self._met) and _all_new(outcomes):
            return list(outcomes)
        ids = {each.key: zoho_id for each in outcomes if (zoho_id := each.zoho_id or each.conflict_id)}
        shared = _shared(ids)
        known = {ids[each.key] for each in outcomes if each.key in ids and each.action != CREATED}
        asked = ids.values() if look_at_new or self._unproven else known
        if not (asked or shared or self._met):
            return list(outcomes)
        claims = claims_on(connection, self._ack, asked)
        if self._shares_module and claims:
            self._others = frozenset(read_bindings(connection, self._tables)) - {self._stream}
        if known.difference(claims):
            self._unproven = True
        refused = []
        for outcome in outcomes:
            zoho_id = ids.get(outcome.key)
            rivals = self._rivals(outcome, zoho_id, shared, claims, ids) if zoho_id else []
            refused.append(_conflict(outcome, rivals) if rivals else outcome)
        return refused

    def _rivals(
        self,
        outcome: Outcome,
        zoho_id: str,
        shared: Mapping[str, Sequence[str]],
        claims: Mapping[str, Sequence[Claim]],
        ids: Mapping[str, str],
    ) -> list[str]:
        """The keys of the other orders that have an order's record."""
        key = outcome.key
        others = [
            f"{claim.key} of stream {claim.stream}" if claim.stream in self._others else claim.key
            for claim in claims.get(zoho_id, ())
            # The same key of a stream that runs no more is this order under an earlier name.
            if claim.key != key or claim.stream in self._others
        ]
        if not (others or outcome.conflict_id or zoho_id in shared or zoho_id in self._met):
            return []
        # One that has another record by now claims this one no more.
        others = [other for other in others if ids.get(other, zoho_id) == zoho_id]
        with self._lock:
            met = self._met.get(zoho_id, set())
            before = [] if key in met else sorted(met)
            rivals = dict.fromkeys([*shared.get(zoho_id, ()), *others, *before])
            rivals.pop(key, None)
            if rivals or outcome.conflict_id:
                self._met.setdefault(zoho_id, met).add(key)
        return list(rivals)

    def disown(self, connection: sa.Connection, outcomes: Collection[Outcome], now: datetime) -> list[Lost]:
        """Take the records of these conflicts from all orders that have them in the ledger."""
        by_record = {each.conflict_id: each.key for each in outcomes if each.conflict_id}
        if not by_record:
            return []
        in_conflict = {each.key for each in outcomes}
        lost = []
        for zoho_id, claims in claims_on(connection, self._ack, by_record).items():
            by = by_record[zoho_id]
            for claim in claims:
                was_synced = disown(connection, self._ack, claim, zoho_id, now, message=written_too(zoho_id, [by]))
                if was_synced and claim.key not in in_conflict:
                    lost.append(Lost(claim.key, zoho_id, by))
        return lost


def written_too(zoho_id: str, rivals: Sequence[str]) -> str:
    """The message of an order whose record is not its own."""
    more = f" and {len(rivals) - 1} more" if len(rivals) > 1 else ""
    return f"record {zoho_id} was written for order {rivals[0]!r}{more} too"


def _all_new(outcomes: Sequence[Outcome]) -> bool:
    """Whether each outcome is of a record that was just created, and of no other's."""
    if set(map(_ACTION, outcomes)) != {CREATED} or set(map(_CONFLICT, outcomes)) != {None}:
        return False
    return len(set(map(_ZOHO_ID, outcomes)) - {None}) == len(outcomes)


def _shared(ids: Mapping[str, str]) -> dict[str, list[str]]:
    """The keys of each record that several orders of one answer have."""
    if len(set(ids.values())) == len(ids):
        return {}
    by_id: dict[str, list[str]] = {}
    for key, zoho_id in ids.items():
        by_id.setdefault(zoho_id, []).append(key)
    return {zoho_id: keys for zoho_id, keys in by_id.items() if len(keys) > 1}


def key_conflict(key: str, version: str, message: str, *, field: str | None, conflict_id: str | None = None) -> Outcome:
    """The refusal of an order whose record, or key, is another order's; the fields are those of `Outcome`."""
    return Outcome(
        key=key,
        version=version,
        status=Status.REJECTED,
        code=OwnCode.KEY_CONFLICT,
        field=field,
        message=message,
        family=Family.DATA,
        conflict_id=conflict_id,
    )


def _conflict(outcome: Outcome, rivals: Sequence[str]) -> Outcome:
    zoho_id = outcome.zoho_id or outcome.conflict_id or ""
    by_field = outcome.field if outcome.conflict_id else None
    text = written_too(zoho_id, rivals)
    message = f"{matched_by(zoho_id, by_field)}; {text}" if by_field else text
    return key_conflict(outcome.key, outcome.version, message, field=by_field, conflict_id=zoho_id)


def log_lost(stream: str, lost: Sequence[Lost]) -> None:
    """Name orders that are no longer called synced."""
    for each in lost[:SAMPLE_KEYS]:
        why = written_too(each.zoho_id, [each.by])
        logger.warning("Stream %r: order %r is no longer called synced: %s", stream, each.key, why)
    if len(lost) > SAMPLE_KEYS:
        logger.warning("Stream %r: so are %d more", stream, len(lost) - SAMPLE_KEYS)
