"""Which orders of a batch can go by a bulk write job, where some of their values fit no CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sync_databases.chunks import chunks_of
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.costs import FIELD_ROWS, QUERY_VALUES
from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.batch import Batch
from target_zoho_crm.links.link_rows import link_of
from target_zoho_crm.mapping.converters import SecondStep
from target_zoho_crm.mapping.field_mapping import MappedColumn
from target_zoho_crm.mapping.field_values import UNCONVERTIBLE
from target_zoho_crm.writing.routing import LinkCounts

KNOWN_MOST = 200_000
"""Linked records remembered to be there, in some 20 MB. One that is forgotten is only asked for again."""


def for_job(batch: Batch) -> Batch:
    """The orders of a batch that a job can write, with their links: those without a value that only calls can write.

    A value that cannot be converted, or too many links, go by calls too: they are refused there, for all their faults.
    """
    rest, links = {}, {}
    for key, entry in batch.entries.items():
        of_order = _links_of(batch.mapping.second_step, entry.values)
        if of_order is not None:
            rest[key] = entry
            if of_order:
                links[key] = of_order
    return replace(batch, entries=rest, links=links)


def _links_of(columns: Mapping[int, MappedColumn], values: tuple[Any, ...]) -> dict[str, tuple[str, ...]] | None:
    """The links of one order; None where it cannot go by a job."""
    found = {}
    for at, column in columns.items():
        try:
            converted = column.to_json(values[at]) if column.to_json is not None else values[at]
        except UNCONVERTIBLE:
            return None
        if converted is None:
            continue
        others = _ids_in(converted, link_of(column.field)) if column.second_step is SecondStep.LINKS else None
        if others is None or len(others) > FIELD_ROWS:
            return None
        found[column.field.api_name] = others
    return found


def _ids_in(rows: Any, link: str) -> tuple[str, ...] | None:
    """The ids in the JSON form of links; None where it is another, which only `validate: false` lets through."""
    try:
        return tuple(row[link]["id"] for row in rows)
    except (TypeError, KeyError):
        return None


class LinkedRecords:
    """Which records that orders are linked to are there: asked for 50 at a time, known for the run.

    A job would write an order and only then find out that a link of it leads nowhere. So such an order goes by a call,
    which writes all of it or nothing.
    """

    def __init__(self, client: ZohoClient) -> None:
        self._client = client
        self._known: dict[str, set[str]] = {}

    def counts(self, batch: Batch) -> LinkCounts:
        """How many links each order of a batch has, and how many records it would have to be asked for."""
        names = [
            column.field.api_name
            for column in batch.mapping.second_step.values()
            if column.second_step is SecondStep.LINKS
        ]
        modules = _modules(batch)
        seen: set[tuple[str, str]] = set()
        links: dict[str, list[int]] = {name: [] for name in names}
        asked = []
        for key in batch.entries:
            of_order = batch.links.get(key, {})
            before = len(seen)
            for name in names:
                links[name].append(len(of_order.get(name, ())))
                module = modules[name]
                known = self._known.get(module, ())
                seen.update((module, other) for other in of_order.get(name, ()) if other not in known)
            asked.append(len(seen) - before)
        return LinkCounts(list(links.values()), asked)

    def without_unknown(self, batch: Batch) -> Batch:
        """The batch without orders that have a link to a record that is not there, or of which nobody could tell.

        Raises:
            Stopped: the run was asked to stop.
        """
        modules = _modules(batch)
        wanted: dict[str, dict[str, None]] = {}
        for of_order in batch.links.values():
            for name, others in of_order.items():
                wanted.setdefault(modules[name], {}).update(dict.fromkeys(others))
        for module, asked in wanted.items():
            self._ask(module, asked)
        known = self._known
        unsure = {
            key
            for key, of_order in batch.links.items()
            if any(not known.get(modules[name], set()).issuperset(others) for name, others in of_order.items())
        }
        if not unsure:
            return batch
        return replace(batch, entries={key: entry for key, entry in batch.entries.items() if key not in unsure})

    def _ask(self, module: str, others: Iterable[str]) -> None:
        known = self._known.setdefault(module, set())
        if len(known) > KNOWN_MOST:
            known.clear()
        for chunk in chunks_of([other for other in others if other not in known], QUERY_VALUES):
            listed = ", ".join(map(repr, chunk))
            query = f"select id from {module} where id in ({listed}) limit {QUERY_VALUES}"  # noqa: S608 - COQL, of ids
            try:
                rows, _ = self._client.query(query)
            except (TransientError, QuotaError):
                return
            known.update(str(row["id"]) for row in rows)


def _modules(batch: Batch) -> dict[str, str]:
    return {column.field.api_name: column.field.linked_module or "" for column in batch.mapping.second_step.values()}
