"""The end of a run in one line a stream: what became of every record, what it cost, and what is wrong, if anything."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sync_ledger.credit_usage import credits_of_a_day
from sync_ledger.in_doubt import InDoubt
from sync_ledger.ledger import Ledger
from sync_ledger.made_again import MadeAgain
from sync_ledger.tables import RUN_COUNTS
from target_zoho_crm.api.costs import CALL_RECORDS, upsert_credits
from target_zoho_crm.api.limits import CreditKind, CreditMeter
from target_zoho_crm.confirmation.outcomes import Status
from target_zoho_crm.confirmation.problem_summary import SAMPLE_KEYS
from target_zoho_crm.confirmation.state_gate import DUE_AGAIN, READ
from target_zoho_crm.delivery.verification import Verified
from target_zoho_crm.stream_policy import OnRejection

logger = logging.getLogger("target-zoho-crm")

_WORDS = {status: "left unsynced" if status is Status.UNSYNCED else status.value for status in Status}


_RARE = frozenset({Status.DELETED.value, Status.HELD.value})
"""Words that most runs have no use for."""

KINDS = {"bulk_write": CreditKind.BULK_WRITE, "upsert": CreditKind.UPSERT, "other": CreditKind.OTHER}
"""The kinds of credits that are counted apart, by the names that other programs read."""


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """What is to be said of one stream at the end of a run; the defaults hold where it ended too early to ask.

    `counts` are as the STATE gate has them, `adopted` orders of earlier runs. `made_again`: how many orders have
    another record than before, and some of them. `kept`: fields left to people. `in_doubt`: what may still land late.
    `of_columns`: what was not written of the orders.
    """

    stream: str
    counts: Mapping[str, int]
    seconds: float
    adopted: int = 0
    made_again: tuple[int, Sequence[MadeAgain]] = (0, ())
    verified: Verified = field(default_factory=Verified)
    kept: int = 0
    in_doubt: InDoubt = field(default_factory=InDoubt)
    of_columns: str = ""

    def document(self) -> dict[str, Any]:
        """All of it, for other programs."""
        remade, samples = self.made_again
        counts = dict(self.counts)
        return {
            "stream": self.stream,
            "read": counts.pop(READ),
            "due_again": counts.pop(DUE_AGAIN),
            "outcomes": counts,
            "adopted": self.adopted,
            "made_again": {"orders": remade, "samples": [each._asdict() for each in samples]},
            "compared": asdict(self.verified),
            "fields_kept": self.kept,
            "in_doubt": asdict(self.in_doubt),
            "not_written": self.of_columns,
            "seconds": round(self.seconds, 1),
        }


def log_summary(summary: StreamSummary, meter: CreditMeter) -> None:
    """Write the summary line of a stream, and warn of what a person should look at."""
    stream, counts = summary.stream, summary.counts
    parts = [(counts[status.value], word) for status, word in _WORDS.items()]
    if counts[READ] != sum(number for number, _ in parts):
        raise AssertionError(f"stream {stream!r}: the outcomes do not add up to the records read: {counts}")
    remade, samples = summary.made_again
    verified = summary.verified
    due = f" ({counts[DUE_AGAIN]:,} of them due again by themselves)" if counts[DUE_AGAIN] else ""
    logger.info(
        "Stream %r: read %s = %s%s%s%s%s%s%s; credits: %s for bulk write, %s for upserts, %s for others; %.1f s",
        stream,
        f"{counts[READ]:,}",
        " + ".join(f"{number:,} {word}" for number, word in parts if number or word not in _RARE),
        due,
        f"; {summary.adopted:,} adopted from earlier runs" if summary.adopted else "",
        f"; made again: {remade:,}" if remade else "",
        _of_in_doubt(verified, summary.in_doubt),
        f"; {summary.kept:,} fields kept as people left them" if summary.kept else "",
        f"; {summary.of_columns}" if summary.of_columns else "",
        *(f"{meter.spent(kind):,}" for kind in KINDS.values()),
        summary.seconds,
    )
    if remade:
        some = ", ".join(f"{each.key!r} (record {each.earlier_id} before, {each.zoho_id} now)" for each in samples)
        logger.warning(
            "Stream %r: made again: %s orders, whose records were deleted in the CRM or had lost their key: %s%s; "
            "`orders-sync problems` has all of them",
            stream,
            f"{remade:,}",
            some,
            ", ..." if remade > len(samples) else "",
        )
    if verified.of_people:
        logger.warning(
            "Stream %r: people had changed %d of the orders that were in doubt; they were written once: %s%s",
            stream,
            len(verified.of_people),
            ", ".join(verified.of_people[:SAMPLE_KEYS]),
            ", ..." if len(verified.of_people) > SAMPLE_KEYS else "",
        )
    if meter.short:
        logger.warning(
            "Stream %r: %s records are left to the next run: this one may spend no more credits (%s spent)",
            stream,
            f"{counts[Status.UNSYNCED.value] + counts[DUE_AGAIN]:,}",
            f"{meter.total:,}",
        )


def _of_in_doubt(verified: Verified, left: InDoubt) -> str:
    """What was compared, and what stays in doubt with what its comparison may cost at most."""
    parts = []
    if verified.orders:
        counts = {
            "compared": verified.orders,
            "written once more": verified.different,
            "left as drift": verified.drift,
            "not comparable in all fields": verified.not_comparable,
        }
        parts.append("in doubt: " + ", ".join(f"{count:,} {what}" for what, count in counts.items() if count))
    if left.writes:
        most = -(-left.orders // CALL_RECORDS) + upsert_credits(left.orders)
        parts.append(
            f"still in doubt: {left.orders:,} orders of {left.writes:,} writes that may land late, to be compared for "
            f"up to {most:,} credits"
        )
    return "".join(f"; {part}" for part in parts)


def kept_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """What the ledger keeps of the counts of a run, if there are any: what was deleted is synced, too."""
    if not counts:
        return {}
    synced = counts[Status.SYNCED.value] + counts[Status.DELETED.value]
    return {name: counts[name] for name in RUN_COUNTS} | {Status.SYNCED.value: synced}


def complaint(
    stream: str,
    counts: Mapping[str, int],
    *,
    deletions_refused: str | None,
    calls_failed: int,
    on_rejection: OnRejection,
) -> str | None:
    """What is wrong at the end of a run, in one sentence; None where all is well."""
    if deletions_refused is not None:
        return (
            f"stream {stream!r}: {deletions_refused}; none is deleted or marked, all else is done. Check the source; "
            "if it is right, raise `max_delete_percent` for one run"
        )
    if calls_failed:
        left = counts[Status.UNSYNCED.value] or counts[DUE_AGAIN]
        return f"stream {stream!r}: {left} records are left unsynced after failed calls"
    refused = counts[Status.REJECTED.value] + counts[Status.PARKED.value] - counts[DUE_AGAIN]
    if refused and on_rejection is not OnRejection.SKIP:
        return f"stream {stream!r}: {refused} orders were refused, and on_rejection is {on_rejection.value}"
    return None


def log_credits(ledger: Ledger) -> None:
    """Say what the runs of a ledger spent of late."""

    def look_up() -> int:
        with ledger.connect() as connection:
            return credits_of_a_day(connection, ledger.tables.run, ledger.now(connection))

    spent = f"{ledger.with_retries(look_up):,}"
    logger.info("Credits that this ledger's runs spent in the last 24 hours: %s", spent)
