"""Keys that a unique field may take for one: which orders of a stream stand against each other by their folded form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.tables import AckStatus, LedgerTables
from sync_ledger.writes_under_way import keys_that_may_land


def keys_folded_alike(
    connection: sa.Connection, table: sa.Table, stream: str, keys: Iterable[str], folded: Mapping[str, str]
) -> dict[str, str]:
    """Find those of `keys` that coincide with another order's key once both are folded: key -> the other order's key.

    The other order is one of `keys` as well, or is in the CRM, or on its way. Two orders whose acks have two records
    are proven two; and where one of `keys` has a record and another has none, the latter alone is refused.

    `folded` maps those keys to their folded form that differ from it.
    """
    known_folded = connection.execute(_any_folded(table), {"stream": stream}).scalar()
    if not folded and not known_folded:
        return {}
    by_fold: dict[str, list[str]] = {}
    for key in keys:
        by_fold.setdefault(folded.get(key, key), []).append(key)
    rivals = {key: dict[str, str | None]() for alike in by_fold.values() if len(alike) > 1 for key in alike}
    together = {fold: alike for fold, alike in by_fold.items() if len(alike) > 1}
    for fold, other, zoho_id in _owned(connection, table, stream, by_fold, folded, known_folded=bool(known_folded)):
        for key in by_fold[fold]:
            if key != other:
                rivals.setdefault(key, {})[other] = zoho_id
    if not rivals:
        return {}
    own = _records(connection, table, stream, rivals)
    for alike in together.values():
        for key in alike:
            # One of these keys without a record stands against those only that have none either.
            others = (other for other in alike if other != key and (own.get(other) or not own.get(key)))
            rivals[key] |= {other: own.get(other) for other in others}
    found = {key: _first(own.get(key), others) for key, others in rivals.items()}
    return {key: other for key, other in found.items() if other is not None}


class KeysAlike(NamedTuple):
    """Keys that may be taken for another order's, each with that one's key."""

    taken: dict[str, str]
    """By an order that has a record, or is on its way, or goes now."""
    in_doubt: dict[str, str]
    """These have no record, and a write of the other one is in doubt: what lands late would take theirs."""


def keys_alike(
    connection: sa.Connection,
    tables: LedgerTables,
    stream: str,
    run_id: str,
    keys: Collection[str],
    folded: Mapping[str, str],
    fold: Callable[[str], str],
) -> KeysAlike:
    """Find those of `keys` that stand against another order's.

    `run_id` is the run that asks; `folded` is what `fold` makes of those keys that differ from it.
    """
    taken = keys_folded_alike(connection, tables.ack, stream, keys, folded)
    keys_in_doubt = keys_that_may_land(connection, tables, stream, run_id)
    if not keys_in_doubt:
        return KeysAlike(taken, {})
    by_fold: dict[str, list[str]] = {}
    for key in sorted(keys_in_doubt):
        by_fold.setdefault(fold(key), []).append(key)
    others = {key: other for key in keys for other in by_fold.get(fold(key), ()) if other != key}
    free = others.keys() - taken.keys() - _records(connection, tables.ack, stream, others).keys()
    return KeysAlike(taken, {key: others[key] for key in others if key in free})


def _first(own: str | None, others: Mapping[str, str | None]) -> str | None:
    """The first other order that is not proven to be another one."""
    return next((other for other, zoho_id in others.items() if not (own and zoho_id and own != zoho_id)), None)


def _owned(
    connection: sa.Connection,
    table: sa.Table,
    stream: str,
    by_fold: Mapping[str, object],
    folded: Mapping[str, str],
    *,
    known_folded: bool,
) -> Iterable[tuple[str, str, str | None]]:
    """The orders of the ledger in the CRM or on their way that have one of these forms: form, key, record's id."""
    owned = sa.or_(table.c.zoho_id.is_not(None), table.c.status == AckStatus.SUBMITTED.value)
    columns = sa.select(table.c.folded_key, table.c.record_key, table.c.zoho_id)
    query = columns.where(table.c.stream == stream, owned)
    if known_folded:
        for chunk in lookup_chunks(connection, by_fold):
            yield from connection.execute(query.where(table.c.folded_key.in_(chunk))).tuples()
    # A key that is its own folded form is found by the primary key.
    own_form = query.where(table.c.folded_key.is_(None))
    for chunk in lookup_chunks(connection, set(folded.values())):
        for _, key, zoho_id in connection.execute(own_form.where(table.c.record_key.in_(chunk))):
            yield key, key, zoho_id


def _records(connection: sa.Connection, table: sa.Table, stream: str, keys: Iterable[str]) -> dict[str, str]:
    """The records of those of these orders that have one, by key."""
    found: dict[str, str] = {}
    query = sa.select(table.c.record_key, table.c.zoho_id).where(
        table.c.stream == stream, table.c.zoho_id.is_not(None), table.c.status != AckStatus.DELETED.value
    )
    for chunk in lookup_chunks(connection, keys):
        found.update((key, zoho_id) for key, zoho_id in connection.execute(query.where(table.c.record_key.in_(chunk))))
    return found


@cache
def _any_folded(table: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.exists().where(table.c.stream == sa.bindparam("stream"), table.c.folded_key.is_not(None)))
