"""Refused orders, grouped by cause, for the log: codes, fields and a few keys, never a record's contents."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sync_ledger.run_facts import RefusalCause
from target_zoho_crm.api.codes import Family, Standing, advice, advice_by_hand, find, place_of
from target_zoho_crm.confirmation.outcomes import Outcome, RecordError, Status

SAMPLE_KEYS = 5
TEXTS_MOST = 20
"""Causes distinguished by their text for one code and field; all others are counted together."""


_Place: TypeAlias = "tuple[str, str, str, Standing, Family | None]"
"""Stream, code, fields, what the ledger says of the orders, and the family by which it does."""


@dataclass
class Cause:
    """One cause and how often it came."""

    count: int = 0
    keys: list[str] = field(default_factory=list)


class Problems:
    """Collects refusals of a run. Memory grows with the number of causes, not of orders."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._causes: dict[_Place, dict[str, Cause]] = {}
        self._by_hand: set[str] = set()

    def note_by_hand(self, stream: str) -> None:
        """From now on this stream's orders are those of a file: what to do about them is another thing."""
        with self._lock:
            self._by_hand.add(stream)

    def note(self, stream: str, outcomes: Sequence[Outcome]) -> None:
        """Take in those outcomes that are refusals."""
        with self._lock:
            for outcome in outcomes:
                if outcome.code is None:
                    continue
                standing = standing_of(outcome)
                for cause in outcome.causes or (RecordError(outcome.code, outcome.field, None),):
                    place = (stream, cause.code, cause.field or "", standing, outcome.family)
                    self._count(place, cause.message or "", outcome.key)

    def _count(self, place: _Place, text: str, key: str) -> None:
        texts = self._causes.setdefault(place, {})
        if text not in texts and len(texts) >= TEXTS_MOST:
            text = ""
        found = texts.setdefault(text, Cause())
        found.count += 1
        if len(found.keys) < SAMPLE_KEYS:
            found.keys.append(key)

    def causes(self, stream: str) -> list[RefusalCause]:
        """Why orders of one stream were refused, and how many; without their keys."""
        with self._lock:
            return [
                RefusalCause(code, fields, standing.value, text, found.count)
                for (of, code, fields, standing, _), texts in self._causes.items()
                for text, found in texts.items()
                if of == stream
            ]

    def lines(self) -> list[str]:
        """One line a cause, the most frequent first: how many, why, which, and what to do."""
        with self._lock:
            every = [(place, text, found) for place, texts in self._causes.items() for text, found in texts.items()]
            every.sort(key=lambda each: -each[-1].count)
            return [_line(*each, by_hand=each[0][0] in self._by_hand) for each in every]


def standing_of(outcome: Outcome) -> Standing:
    """What the ledger says of a refused order, once it has the outcome."""
    due = outcome.family is Family.TRANSIENT
    return Standing.of(outcome.family, parked=outcome.status is Status.PARKED, due=due)


def _line(place: _Place, text: str, found: Cause, *, by_hand: bool) -> str:
    stream, code, fields, standing, family = place
    info = find(code, place_of(code, family))
    how_many = f"{found.count:,} order{'' if found.count == 1 else 's'}"
    where = f" in field {fields}" if fields else ""
    keys = ", ".join(found.keys) + (", ..." if found.count > len(found.keys) else "")
    why = f"{text}; " if text else ""
    meaning = f" {info.meaning}" if info and not text else ""
    parked = ", parked" if standing is Standing.PARKED else ""
    remedy = (advice_by_hand if by_hand else advice)(code, standing, family)
    return f"Stream {stream!r}, {how_many}{parked}: {why}{code}{where} (orders {keys}).{meaning} {remedy}"
