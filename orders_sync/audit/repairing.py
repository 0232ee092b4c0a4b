"""What is done about findings, where a person asked for it by kind. Nothing is ever deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from orders_sync.audit.judgement import Side
from orders_sync.audit.kinds import Finding, Kind
from orders_sync.comparison.written_orders import WrittenOrders
from sync_ledger.audit_repairs import Repair, note_gone, repair_acks
from sync_ledger.audits import accept
from sync_ledger.ledger import Ledger
from sync_ledger.resending import SyncedOrders, resend

REPAIRABLE = tuple(kind for kind in Kind if kind not in {Kind.MISSING_IN_DATABASE, Kind.DOUBLED})
"""Kinds that a write of ours or a line in the ledger mends; the others a person corrects in the CRM, or accepts."""

Found = tuple[Finding, Side]


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
        meant = [each for each in found if each[0].kind in self._repairs]
        accepted = {finding.key: finding.fingerprint for finding, _ in found if finding.kind in self._accepts}
        self.meant.update(finding.kind.value for finding, _ in meant)
        self.meant.update(finding.kind.value for finding, _ in found if finding.kind in self._accepts)
        if self._dry_run:
            return
        accept(self._ledger, self._stream, accepted)
        self.accepted += len(accepted)
        self._repair(meant)

    def _repair(self, meant: Sequence[Found]) -> None:
        acks: dict[str, Repair] = {}
        again: list[str] = []
        gone = {}
        changed: Mapping[str, str] = self._written.folding.changed([finding.key for finding, _ in meant])
        for finding, side in meant:
            ack, key = side.ack, finding.key
            if side.version is None and not side.records and ack is not None:
                gone[key] = ack
            elif finding.kind in {Kind.UNKNOWN_TO_LEDGER, Kind.ACK_WITHOUT_RECORD} and len(side.records) == 1:
                different = (side.key_field,) if side.compared is None else side.compared.different
                # A record whose key is another text may be nobody's of ours: the write finds the right one.
                zoho_id = None if side.key_field in different else str(side.records[0]["id"])
                acks[key] = Repair(ack, zoho_id, None if different else side.version, changed.get(key))
            elif ack is None:
                acks[key] = Repair(None, None, None, changed.get(key))
            else:
                again.append(key)
        if gone:
            self.noted_deleted += note_gone(self._ledger, self._stream, gone)
        bound = {key: each for key, each in acks.items() if each.version is not None}
        due = {key: each for key, each in acks.items() if each.version is None}
        self.bound += repair_acks(self._ledger, self._stream, bound)
        self.due += repair_acks(self._ledger, self._stream, due)
        if again:
            self.due += resend(self._ledger, self._stream, SyncedOrders(keys=again))
