"""The links of orders and other fields that no CSV holds, written once their orders are in the CRM.

A call brings its orders' links along, but only adds them: those that an order has no more are taken away after it.
A job cannot bring them. The links of orders that have none yet go by jobs of the linking module, or by calls where that
costs less; links that an order has no more are taken away by a call, and so are fields cleared. A job adds links, so it
is created once and by nobody again: after a lost answer its orders are due again, and what they have is read anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync_databases.chunks import chunks_of
from sync_ledger.job_journal import JournalledJob
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.coql_rows import id_in
from target_zoho_crm.api.costs import CALL_RECORDS
from target_zoho_crm.api.errors import QuotaError, TransientError, blames_nobody
from target_zoho_crm.api.metadata import LINKS as LINK_TYPES
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.outcomes import CREATED, Outcome, Status, ids_of
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.links.link_calls import Changes, LinkCalls
from target_zoho_crm.links.link_jobs import LinkJobs, LinksToAdd
from target_zoho_crm.links.link_rows import Held, filled, link_of, links_held, missing, surplus
from target_zoho_crm.links.link_spool import LinkSpool, SpooledLinks
from target_zoho_crm.mapping.field_mapping import FieldMapping, MappedColumn
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.writing.child_failures import LINKS, ChildFailures, of_outcome, unknown, with_failures
from target_zoho_crm.writing.routing import Routing, links_way


def has_links(mapping: FieldMapping) -> bool:
    """Whether orders have anything that is to be followed up here."""
    return bool(mapping.second_step) or any(map(_is_linked, mapping.columns))


@dataclass
class _LinkChanges:
    """What is to be written of the links of a job's orders: added by jobs or calls, or changed by calls."""

    to_add: LinksToAdd = field(default_factory=dict)
    changes: dict[str, Changes] = field(default_factory=dict)
    failures: ChildFailures = field(default_factory=ChildFailures)


class LinkFollowUp:
    """Follows orders up by their links."""

    def __init__(
        self,
        policy: StreamPolicy,
        mapping: FieldMapping,
        *,
        client: ZohoClient,
        recorder: Recorder,
        calls: LinkCalls,
        jobs: LinkJobs,
        spool: Path,
        routing: Routing,
    ) -> None:
        """`mapping` is the stream's; links lie in `spool` until their orders are in the CRM."""
        self._policy = policy
        self._client = client
        self._recorder = recorder
        self._calls = calls
        self._jobs = jobs
        self._spool = spool
        self._routing = routing
        self._columns = {column.field.api_name: column for column in mapping.second_step.values()}
        self._kept: dict[str, LinkSpool] = {}

    def refuse(self, batch: Batch) -> tuple[Batch, list[Outcome]]:
        """Refuse none: a call that brings a bad link refuses its order itself."""
        return batch, []

    @property
    def comes_with_new(self) -> bool:
        """Links are fields of their orders, and go with any call."""
        return False

    def with_new(self, batch: Batch) -> dict[str, dict[str, Any]]:  # noqa: ARG002 - as `FollowUp` has it
        """Nothing beside the fields of the orders."""
        return {}

    def rows_in_zip(self, batch: Batch) -> None:
        """Nothing: links are there once their orders are."""

    # After a call

    def after_call(self, batch: Batch, outcomes: list[Outcome]) -> list[Outcome]:
        """Take away the links that orders have no more.

        An order without a value is left alone here: the call itself has cleared its links, or was to keep them.
        """
        ids = ids_of([each for each in outcomes if each.action != CREATED])
        try:
            return self._without_surplus(batch, outcomes, ids) if ids else outcomes
        except TransientError as error:
            if not blames_nobody(error):
                raise
            failures = ChildFailures()
            failures.of_error(error, ids, LINKS)
            return with_failures(outcomes, failures)

    def _without_surplus(self, batch: Batch, outcomes: list[Outcome], ids: Mapping[str, str]) -> list[Outcome]:
        changes: dict[str, Changes] = {}
        for position, column in enumerate(batch.mapping.columns):
            if _is_linked(column):
                wanted = {key: _wanted(column, batch.entries[key].values[position]) for key in ids}
                linked = [key for key in ids if wanted[key]]
                held = links_held(self._client, column.field, [ids[key] for key in linked])
                for key in linked:
                    rows = surplus(held.get(ids[key], {}), wanted[key])
                    if rows:
                        changes.setdefault(key, {})[column.field.api_name] = rows
        if not changes:
            return outcomes
        changed = [each for each in outcomes if each.key in changes]
        answered = self._calls.change(changed, [changes[each.key] for each in changed], splits=True)
        refused = {each.key: each for each in answered if each.status is not Status.SYNCED}
        return [refused.get(each.key, each) for each in outcomes]

    # After a job

    def keep(self, job_id: str, batch: Batch) -> None:
        """Keep the links of a job's orders."""
        if self._columns:
            self._kept[job_id] = LinkSpool.write(self._spool / f"{job_id}.links", batch)

    def discard(self, job_id: str) -> None:
        """Remove them."""
        kept = self._kept.pop(job_id, None)
        if kept is not None:
            kept.remove()

    def after_job(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        """Write the links of a job's orders, and clear their fields that hold nothing."""
        if not self._columns:
            return outcomes
        spool = self._kept.get(job.job_id)
        if spool is None:
            return self._after_adopted_job(job, outcomes)
        kept = spool.read()
        self.discard(job.job_id)
        found = self._compare(outcomes, kept)
        orders = {key for links in found.to_add.values() for key in links}
        counts = [sum(map(len, links.values())) for links in found.to_add.values()]
        if links_way(counts, len(orders), self._routing).jobs:
            self._jobs.add(job, ids_of(outcomes), found.to_add, found.failures)
        else:
            for name, links in found.to_add.items():
                for key, others in links.items():
                    found.changes.setdefault(key, {})[name] = missing(self._columns[name].field, {}, others)
        if found.changes:
            self._change([outcome for outcome in outcomes if outcome.key in found.changes], found)
        return with_failures(outcomes, found.failures)

    def _after_adopted_job(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        """A dead run's job: once its jobs of links are over, its orders are due again, whose links nobody knows."""
        for child in self._jobs.of_parent(job.job_id):
            self._jobs.resume(child)
        failure = unknown("the run ended before they were written", LINKS)
        return with_failures(outcomes, {outcome.key: [failure] for outcome in outcomes})

    def _compare(self, outcomes: Collection[Outcome], kept: SpooledLinks) -> _LinkChanges:
        """What the orders have in the CRM against what they name."""
        found = _LinkChanges()
        in_the_crm = [outcome for outcome in outcomes if outcome.status is Status.SYNCED]
        keys = {outcome.key for outcome in in_the_crm}
        known = [outcome for outcome in in_the_crm if outcome.action != CREATED]
        clears = not self._policy.ignore_empty
        for name in kept.fields:
            column = self._columns[name]
            if not column.field.linking_module:
                continue
            wanted = {key: links[name] for key, links in kept.links.items() if name in links and key in keys}
            held = self._held(column, [each for each in known if clears or each.key in wanted], found.failures)
            for key in {**dict.fromkeys(wanted), **held}:
                there, links = held.get(key, {}), wanted.get(key, ())
                if key in found.failures:
                    continue
                if not there:
                    found.to_add.setdefault(name, {})[key] = links
                elif rows := [*surplus(there, links), *missing(column.field, there, links)]:
                    found.changes.setdefault(key, {})[name] = rows
        if clears:
            self._clear([name for name in kept.fields if not self._columns[name].field.linking_module], known, found)
        return found

    def _held(self, column: MappedColumn, orders: Collection[Outcome], failures: ChildFailures) -> dict[str, Held]:
        """The links that orders have, by their key; what cannot be asked for is a failure of theirs."""
        key_of = {outcome.zoho_id or "": outcome.key for outcome in orders}
        try:
            held = links_held(self._client, column.field, key_of)
        except (TransientError, QuotaError) as error:
            self._failed(error, key_of.values(), failures)
            return {}
        return {key_of[order]: links for order, links in held.items()}

    def _clear(self, names: Collection[str], orders: Collection[Outcome], found: _LinkChanges) -> None:
        """Clear fields of orders that hold something in the CRM: their legacy orders have nothing there."""
        if not names:
            return
        key_of = {outcome.zoho_id or "": outcome.key for outcome in orders}
        try:
            fields = filled(self._client, self._policy.module, names, key_of)
        except (TransientError, QuotaError) as error:
            self._failed(error, key_of.values(), found.failures)
            return
        for order, key in key_of.items():
            if fields[order]:
                found.changes.setdefault(key, {}).update(dict.fromkeys(fields[order]))

    def _change(self, orders: Collection[Outcome], found: _LinkChanges) -> None:
        for call in chunks_of(orders, CALL_RECORDS):
            try:
                answered = self._calls.change(call, [found.changes[order.key] for order in call])
            except (TransientError, QuotaError) as error:
                self._failed(error, [order.key for order in call], found.failures)
                continue
            self._recorder.call_succeeded()
            for outcome in answered:
                if outcome.status is not Status.SYNCED:
                    found.failures.add(of_outcome(outcome, LINKS), outcome.key)

    def _failed(self, error: TransientError | QuotaError, orders: Collection[str], failures: ChildFailures) -> None:
        self._recorder.call_failed(error, settled=blames_nobody(error))
        failures.of_error(error, orders, LINKS)


def _is_linked(column: MappedColumn) -> bool:
    return column.field.data_type in LINK_TYPES and bool(column.field.linking_module)


def _wanted(column: MappedColumn, value: Any) -> set[str]:
    """The ids of the records that the order is linked to; none where it has no value."""
    rows = column.to_json(value) if column.to_json is not None else value
    if not isinstance(rows, list):
        return set()
    link = link_of(column.field)
    return {id_in(row.get(link)) for row in rows if isinstance(row, dict)}
