"""What is done about findings, where a person asked for it by kind. Nothing is ever deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from orders_sync.audit.judgement import Side
from orders_sync.audit.kinds import OF_LINES, Finding, Kind, fingerprint_of_all
from orders_sync.comparison.written_orders import WrittenOrders
from sync_ledger.audit_repairs import Repair, note_gone, repair_acks
from sync_ledger.audits import accept
from sync_ledger.codes import LedgerCode
from sync_ledger.ledger import Ledger
from sync_ledger.resending import SyncedOrders, resend

REPAIRABLE = tuple(kind for kind in Kind if kind not in {Kind.MISSING_IN_DATABASE, Kind.DOUBLED})
"""Kinds that a write of ours or a row in the ledger mends; the others a person corrects in the CRM, or accepts."""

BINDING = frozenset({Kind.UNKNOWN_TO_LEDGER, Kind.ACK_WITHOUT_RECORD})
"""Kinds whose repair may call an order synced without a write: where all of it is equal."""

Found = tuple[Sequence[Finding], Side]
"""All that was found of one order."""


class Repairer:
    """Repairs findings as they come, and counts."""

    def __init__(
        self,
        ledger: Ledger,
        stream: str,
        written: WrittenOrders,
        *,
        repairs: Collection[Kind],
        accepts: Collection[Kind],
        dry_run: bool,
    ) -> None:
        """`repairs` and `accepts` are the kinds that are meant; with `dry_run` they are only counted."""
        self._ledger = ledger
        self._stream = stream
        self._written = written
        self._repairs = frozenset(repairs)
        self._accepts = frozenset(accepts)
        self._dry_run = dry_run
        self.due = self.bound = self.noted_deleted = self.accepted = 0
        self.meant: Counter[str] = Counter()
        """How many findings of each kind were meant."""

    def take(self, found: Sequence[Found]) -> None:
        """Do what was asked for about these findings.

        Raises:
            DatabaseError: the ledger cannot be written.
        """
        every = [finding for findings, _ in found for finding in findings]
        self.meant.update(each.kind.value for each in every if each.kind in self._repairs)
        self.meant.update(each.kind.value for each in every if each.kind in self._accepts)
        meant = [
            (mended, side)
            for findings, side in found
            if (mended := [each for each in findings if each.kind in self._repairs])
        ]
        # An order is accepted as it is, or not at all.
        accepted = {
            findings[0].key: fingerprint_of_all(findings)
            for findings, _ in found
            if self._accepts.issuperset(each.kind for each in findings)
        }
        if self._dry_run:
            return
        accept(self._ledger, self._stream, accepted)
        self.accepted += len(accepted)
        self._repair(meant)

    def _repair(self, meant: Sequence[Found]) -> None:
        acks: dict[str, Repair] = {}
        again: dict[LedgerCode, list[str]] = {}
        gone = {}
        changed: Mapping[str, str] = self._written.folding.changed([findings[0].key for findings, _ in meant])
        for findings, side in meant:
            ack, finding = side.ack, findings[0]
            key = finding.key
            of_lines = any(each.kind in OF_LINES for each in findings)
            code = LedgerCode.LINES_ASKED if of_lines else LedgerCode.RESEND_ASKED
            if side.version is None and not side.records and ack is not None:
                gone[key] = ack
            elif finding.kind in BINDING and len(side.records) == 1:
                different = (side.key_field,) if side.compared is None else side.compared.different
                # A record whose key is another text may be nobody's of ours: the write finds the right one.
                zoho_id = None if side.key_field in different else str(side.records[0]["id"])
                is_equal = not (different or side.rows or side.rows_refused)
                acks[key] = Repair(ack, zoho_id, side.version if is_equal else None, changed.get(key), code)
            elif ack is None:
                acks[key] = Repair(None, None, None, changed.get(key), code)
            else:
                again.setdefault(code, []).append(key)
        if gone:
            self.noted_deleted += note_gone(self._ledger, self._stream, gone)
        bound = {key: each for key, each in acks.items() if each.version is not None}
        due = {key: each for key, each in acks.items() if each.version is None}
        self.bound += repair_acks(self._ledger, self._stream, bound)
        self.due += repair_acks(self._ledger, self._stream, due)
        for code, keys in again.items():
            self.due += resend(self._ledger, self._stream, SyncedOrders(keys=keys), code)
