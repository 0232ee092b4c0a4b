"""Lines as records of a module of their own: upserted by their unique key, so that repeating it is safe."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sync_databases.chunks import chunks_of
from sync_ledger.writes_under_way import WriteKind
from target_zoho_crm.api.calls import Fence
from target_zoho_crm.api.codes import family_of
from target_zoho_crm.api.costs import CALL_RECORDS
from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.confirmation.outcomes import CREATED, Outcome, Status, ids_of, upsert_outcomes
from target_zoho_crm.lines.existing_lines import surplus
from target_zoho_crm.lines.line_calls import LineCalls
from target_zoho_crm.lines.line_reader import LineRows
from target_zoho_crm.writing.child_failures import LINES, ChildFailure, ChildFailures, of_outcome, with_failures
from target_zoho_crm.writing.upsert_body import upsert_body

logger = logging.getLogger("target-zoho-crm")


class ModuleLines(LineCalls):
    """Writes the lines of orders that are in the CRM by upsert calls, and takes away those that they have no more."""

    def write(self, outcomes: Sequence[Outcome], rows: LineRows, *, splits: bool = False) -> list[Outcome]:
        """Write the lines of the orders that are in the CRM; the orders' outcomes with those of their lines.

        Raises:
            ZohoError: what ends the run.
        """
        ids = ids_of(outcomes)
        failures = ChildFailures()
        mine = [index for index, order in enumerate(rows.orders) if order in ids]
        with self.move_lock.writing():
            versions = {outcome.key: outcome.version for outcome in outcomes}
            for call in chunks_of(mine, CALL_RECORDS):
                brought = {order: versions[order] for order in map(rows.orders.__getitem__, call)}
                fence = self._ledger.sending(WriteKind.LINES, brought)
                self._call(call, ids, rows, failures, fence, splits=splits)
        self.delete_surplus(outcomes, rows, failures, splits=splits)
        return with_failures(outcomes, failures)

    def delete_surplus(
        self, outcomes: Sequence[Outcome], rows: LineRows, failures: ChildFailures, *, splits: bool = False
    ) -> None:
        """Delete the lines that orders have in the CRM only; what is not deleted is added to `failures`."""
        ids = ids_of(outcomes)
        created = {outcome.key for outcome in outcomes if outcome.action == CREATED}
        order_of = {ids[order]: order for order in rows.stated if order in ids and order not in {*created, *failures}}
        if not order_of:
            return
        wanted: dict[str, set[str]] = {id_: set() for id_ in order_of}
        for order, key in zip(rows.orders, self._lines.folding.folded(rows.keys), strict=True):
            if order in ids and ids[order] in wanted:
                wanted[ids[order]].add(key)
        try:
            found = surplus(self._existing.of_orders(wanted), wanted, self._lines)
            if not found:
                return
            with self.move_lock.deleting():
                now = self._existing.of_ids([line.id for line in found])
                ids_found = {line.id for line in found}
                still = [line for line in now if line.id in ids_found and line.order_id in wanted]
                versions = {outcome.key: outcome.version for outcome in outcomes}
                orders = map(order_of.__getitem__, (line.order_id for line in still))
                fence = self._ledger.sending(WriteKind.LINES, {order: versions[order] for order in orders})
                refused = self._existing.delete(still, fence)
        except (TransientError, QuotaError) as error:
            self._failed(error, order_of.values(), failures, splits=splits)
            return
        for line in still:
            if line.id in refused:
                code = refused[line.id]
                failure = ChildFailure(code, family_of(code), message="it was not deleted", key=line.key)
                failures.add(failure, order_of[line.order_id])

    def _call(
        self,
        call: Sequence[int],
        ids: Mapping[str, str],
        rows: LineRows,
        failures: ChildFailures,
        fence: Fence,
        *,
        splits: bool,
    ) -> None:
        lines, policy = self._lines, self._policy
        keys = [rows.keys[index] for index in call]
        orders = [rows.orders[index] for index in call]
        values = [(ids[order], *rows.values[index]) for order, index in zip(orders, call, strict=True)]
        further = policy.automations.body()
        body, refused = upsert_body(lines.with_order, keys, values, further, ignore_empty=policy.ignore_empty)
        if refused:
            raise AssertionError("lines were checked before their orders were sent")
        try:
            answer = self._client.upsert(lines.module, body, records=len(keys), fence=fence, splits=splits)
            key_field = lines.mapping.key_field.api_name
            outcomes = upsert_outcomes(keys, [""] * len(keys), answer.status, answer.body, key_field=key_field)
        except (TransientError, QuotaError) as error:
            self._failed(error, set(orders), failures, splits=splits)
            return
        self._recorder.call_succeeded()
        for order, outcome in zip(orders, outcomes, strict=True):
            if outcome.status is not Status.SYNCED:
                failures.add(of_outcome(outcome, LINES), order)
