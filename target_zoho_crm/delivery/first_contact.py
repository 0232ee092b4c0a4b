"""A stream's first contact with its destination: ten orders go by calls, are read back and compared, then the others.

What Zoho makes of a value (rounding, zones, pick lists, owners, automations) no document says for an org; ten orders
say it before sixty thousand are written. Values never reach a log: `orders-sync accept` reads them again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sync_databases.waiting import CLOCK, Clock
from sync_ledger import first_contact
from sync_ledger.first_contact import FIRST_ORDERS, FieldKind
from sync_ledger.leases import Lease
from sync_ledger.retry_schedules import FIRST_CONTACT_SECONDS
from sync_ledger.tables import AckStatus
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import OwnCode, ZohoCode
from target_zoho_crm.api.errors import stopped
from target_zoho_crm.batch import Batch, Channel
from target_zoho_crm.compare.difference_kinds import WHY, DifferenceKind, shape_of
from target_zoho_crm.compare.records import Difference, RecordComparer
from target_zoho_crm.confirmation.outcomes import CREATED
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.lines.line_order import line_differences
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.writing.lookup_resolver import LookupResolver
from target_zoho_crm.writing.records_read import RecordsRead
from target_zoho_crm.writing.workers import RunWorkers

ROUNDS = 10
"""So many times ten orders go by themselves where Zoho refuses them: a run of refused orders ends some time."""

_OTHER_MATCH = frozenset({OwnCode.KEY_CONFLICT.value, ZohoCode.DUPLICATE_DATA.value})

NAME = "Name"
"""The field that Zoho may fill by itself where nothing is written to it."""

logger = logging.getLogger("target-zoho-crm")


class FirstContactError(Exception):
    """The first orders are in the CRM otherwise than they were meant; `lines` are the table, and what to do."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = list(lines)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of difference in one field: a sample of it, and all orders that have it."""

    sample: Difference
    keys: tuple[str, ...]


class FirstContact:
    """The first contact of one stream in one run."""

    def __init__(
        self,
        policy: StreamPolicy,
        client: ZohoClient,
        *,
        lease: Lease,
        ledger: StreamLedger,
        lookups: LookupResolver,
        workers: RunWorkers,
        compared: int | None,
        reads_name: bool,
        clock: Clock = CLOCK,
    ) -> None:
        """`compared` orders were compared by earlier runs; None: no contact is to be made, or it was.

        `reads_name`: the module has a field `Name`.
        """
        self._policy = policy
        self._client = client
        self._lease = lease
        self._ledger = ledger
        self._lookups = lookups
        self._workers = workers
        self._records = RecordsRead(client, policy.module)
        self._reads_name = reads_name
        self._clock = clock
        self._lines: CompiledLines | None = None
        self._compared = compared or 0
        self._sent: list[Batch] = []
        self._matched: list[Difference] = []
        self._sent_at = 0.0
        self._rounds = 0
        self.is_open = compared is not None

    def begin_schema(self, lines: CompiledLines | None) -> None:
        """Go on under another schema; what was sent under the one before is compared. Raises as `settle_full`."""
        self.settle()
        self._lines = lines

    @property
    def room(self) -> int:
        """How many orders may still be written before the first ones are compared."""
        return FIRST_ORDERS - self._compared - sum(len(batch.entries) for batch in self._sent) - len(self._matched)

    def send(self, batch: Batch, send: Callable[[Batch, Channel], None]) -> None:
        """Send some of the first orders, and wait for their outcomes; those that are refused are not counted.

        Raises:
            ZohoError, DatabaseError, RejectedError: what ends the run.
        """
        send(batch, Channel.UPSERT)
        self._workers.wait()
        self._rounds += 1
        known = self._ledger.known_records(batch.entries)
        self._note_others(batch)
        there = [key for key in batch.entries if key in known and known[key].status is AckStatus.SYNCED]
        if there:
            self._sent.append(batch.only(there))
            self._sent_at = self._clock.seconds()

    def _note_others(self, batch: Batch) -> None:
        """Note orders for which the CRM found a record that is another's: a job would have written to it."""
        key_field = batch.mapping.key_field.api_name.casefold()
        for key, (code, name) in first_contact.refused_fields(self._lease, batch.entries).items():
            if code in _OTHER_MATCH and name.casefold() != key_field:
                self._matched.append(Difference(key, name, DifferenceKind.OTHER_MATCH, None, None))

    def settle_full(self) -> None:
        """Once the first orders are all in the CRM: wait, read them back, and compare.

        Raises:
            FirstContactError: what is held differs, in a way that nobody has accepted.
            ZohoError, DatabaseError: they cannot be read, or what was found cannot be noted.
        """
        if self.is_open and self.room <= 0:
            rest = FIRST_CONTACT_SECONDS - (self._clock.seconds() - self._sent_at)
            if rest > 0:
                logger.info(
                    "Stream %r: the first %d orders are in the CRM; they are read back in %.0f s and compared, before "
                    "the others go (`first_contact`)",
                    self._policy.stream,
                    FIRST_ORDERS,
                    rest,
                )
                self._clock.wait(rest, self._client.stop)
            if self._client.stop.is_set():
                raise stopped()
            self.settle()
        elif self.is_open and self._rounds >= ROUNDS:
            self.is_open = False  # nothing is to be learned from orders that Zoho refuses

    def settle_aged(self) -> None:
        """Compare what has lain in the CRM for long enough, without waiting. Raises as `settle_full`."""
        if self.is_open and self._sent and self._clock.seconds() - self._sent_at >= FIRST_CONTACT_SECONDS:
            self.settle()

    def settle(self) -> None:
        """Compare what was sent so far, at once. Raises as `settle_full`."""
        if not (self.is_open and (self._sent or self._matched)):
            return
        batches, self._sent = self._sent, []
        matched, self._matched = self._matched, []
        count = sum(len(batch.entries) for batch in batches) + len(matched)
        found = _kinds([*(each for batch in batches for each in self._differences(batch)), *matched])
        self._compared += count
        self.is_open = self._compared < FIRST_ORDERS
        left = first_contact.note(self._lease, self._compared, {kind: each.keys for kind, each in found.items()})
        if left:
            self.is_open = False
            raise FirstContactError(self._report({kind: found[kind] for kind in left}, count))
        logger.info(
            "Stream %r: first contact: %d orders were read back, and hold what was sent%s",
            self._policy.stream,
            count,
            f", but for {len(found)} differences that were accepted" if found else "",
        )

    def at_end(self) -> Sequence[str]:
        """Compare what was sent so far, at the end of the run; gives the lines of `FirstContactError`, if any."""
        try:
            self.settle()
        except FirstContactError as error:
            return error.lines
        return ()

    def _differences(self, batch: Batch) -> list[Difference]:
        batch = self._lookups.resolved(batch, Channel.UPSERT)
        known = self._ledger.known_records(batch.entries)
        ids = {key: known[key].zoho_id or "" for key in batch.entries if key in known}
        comparer = RecordComparer(batch.mapping, ignore_empty=self._policy.ignore_empty)
        own_name = [NAME] if self._reads_name and NAME not in comparer.fields else []
        held = self._records.by_id(ids.values(), (*comparer.fields, *own_name))
        there = [key for key in batch.entries if ids.get(key) in held]
        columns = len(batch.mapping.columns)  # lines stand behind them
        rows = [batch.entries[key].values[:columns] for key in there]
        found = comparer.differences(there, rows, [held[ids[key]] for key in there])
        filled = [
            Difference(key, NAME, DifferenceKind.FILLED, None, name)
            for key in there
            # A record that was there before may have its name from people.
            if own_name and known[key].action == CREATED and (name := held[ids[key]].get(NAME))
        ]
        of_lines = line_differences(self._client, self._lines, batch, {key: ids[key] for key in there})
        return [*found, *filled, *of_lines]

    def _report(self, found: Mapping[FieldKind, _Kind], count: int) -> list[str]:
        stream = self._policy.stream
        head = ("field", "difference", "sent", "held", "orders", "why that may be")
        rows = [
            (
                name,
                kind.replace("_", " "),
                shape_of(each.sample.sent),
                shape_of(each.sample.held),
                str(len(each.keys)),
                WHY[each.sample.kind],
            )
            for (name, kind), each in found.items()
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
        what_to_do = (
            f"`orders-sync accept --stream {stream}` shows the values, and accepts what is right as it is; else change "
            "the mapping or the CRM. Then run again: it goes on from here"
        )
        return [
            f"Stream {stream!r}: of the first {count} orders some are not in the CRM as they were sent:",
            *(f"  {line.rstrip()}" for line in table),
            f"No other order was sent. {what_to_do}",
        ]


def _kinds(found: Iterable[Difference]) -> dict[FieldKind, _Kind]:
    kinds: dict[FieldKind, _Kind] = {}
    for each in found:
        kind = each.field, each.kind.value
        known = kinds.get(kind)
        kinds[kind] = _Kind(each, (each.key,)) if known is None else replace(known, keys=(*known.keys, each.key))
    return kinds
