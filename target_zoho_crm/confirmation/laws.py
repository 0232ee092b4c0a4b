"""Laws that hold in production too: what is confirmed is what was sent, and a job's outcomes are those of its rows.

A broken law is a defect of ours, or somebody wrote into the ledger. It holds up that order or that job, by name, and
never the run.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter

from sync_ledger.job_journal import JournalledJob
from target_zoho_crm.confirmation.outcomes import Outcome
from target_zoho_crm.confirmation.problem_summary import SAMPLE_KEYS

logger = logging.getLogger("target-zoho-crm")

_KEY, _VERSION, _KEY_AND_VERSION = attrgetter("key"), attrgetter("version"), attrgetter("key", "version")


def as_sent(outcomes: Sequence[Outcome], sent: Mapping[str, str], stream: str) -> list[Outcome]:
    """The outcomes that are of what a call sent, each order's first one; the others are named and left out.

    `sent` are versions by key; `stream` is for the message.
    """
    kept: dict[str, Outcome] = {}
    strange: list[str] = []
    for outcome in outcomes:
        if sent.get(outcome.key) == outcome.version and outcome.key not in kept:
            kept[outcome.key] = outcome
        else:
            strange.append(outcome.key)
    if strange:
        logger.error("Stream %r: outcomes of orders that were not sent so are not believed: %s", stream, _some(strange))
    return list(kept.values())


def are_of_rows(outcomes: Sequence[Outcome], sent: Mapping[str, str]) -> bool:
    """Whether a job's outcomes are those of its rows: one each, at its version. `sent` are versions by key."""
    if list(map(_KEY, outcomes)) == list(sent):  # in the order of its rows, as nearly always
        return list(map(_VERSION, outcomes)) == list(sent.values())
    return len(outcomes) == len(sent) and dict(map(_KEY_AND_VERSION, outcomes)) == sent


def not_of_job(job: JournalledJob, keys: Collection[str]) -> str:
    """Say that the ledger holds something else by now about orders of a job."""
    return (
        f"Stream {job.stream!r}: the ledger had other acks by now than those of bulk write job {job.zoho_job_id} for "
        f"{len(keys)} of its orders, and keeps them: {_some(sorted(keys))}; `orders-sync forget` or a change of the "
        "order sends it again"
    )


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(map(repr, keys[:SAMPLE_KEYS]))
    return f"{shown} and {len(keys) - SAMPLE_KEYS} more" if len(keys) > SAMPLE_KEYS else shown
