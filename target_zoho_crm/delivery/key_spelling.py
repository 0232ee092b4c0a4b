"""Keys that are numbers: 7 and 7.0 are one key, in its shortest form, unless the ledger has it in another spelling.

Earlier programs kept a number as it was written; what they called an order stays its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync_databases.keys import join_key, split_key
from sync_ledger.stream_contract import KEY_PROPERTY
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.record_decoding import Rows

_NUMBERS = frozenset({"number", "integer"})
_DECIMAL_PLACES = range(1, 7)
"""So many zeros may stand behind the point of a spelling, beyond the digits that count."""


class KeySpelling:
    """The spelling of one stream's keys."""

    def __init__(self, ledger: StreamLedger, numbers: Sequence[bool]) -> None:
        """`numbers` says of each part of a key whether it may be a number."""
        self._ledger = ledger
        self._numbers = numbers
        self._any_other: bool | None = None

    @classmethod
    def of(
        cls, properties: Mapping[str, Mapping[str, Any]], key_properties: Sequence[str], ledger: StreamLedger
    ) -> KeySpelling | None:
        """The spelling of a stream with this schema; None where no part of its key is a number."""
        if KEY_PROPERTY in properties:  # our tap's: texts that the database rendered
            return None
        numbers = [_may_be_number(properties.get(name, {})) for name in key_properties]
        return cls(ledger, numbers) if any(numbers) else None

    def spelled(self, rows: Rows) -> Rows:
        """The rows with keys as the ledger spells them; the ledger is asked once whether it has any such."""
        if self._any_other is None:
            self._any_other = self._ledger.has_long_numbers()
        if not self._any_other:
            return rows
        shortest = {spelling: key for key in rows.keys for spelling in self._spellings(key)}
        known = self._ledger.acked_keys({**shortest, **dict.fromkeys(rows.keys)})
        first = {shortest[spelling]: spelling for spelling in shortest if spelling in known}
        return replace(rows, keys=[key if key in known else first.get(key, key) for key in rows.keys])

    def _spellings(self, key: str) -> Iterator[str]:
        """How earlier programs may have written a key that has its shortest form here."""
        parts = split_key(key, len(self._numbers))
        if parts is None:
            return
        numbers = [may_be and _is_number(part) for part, may_be in zip(parts, self._numbers, strict=True)]
        if not any(numbers):
            return
        for places in _DECIMAL_PLACES:
            yield join_key([_with_zeros(part, places) if n else part for part, n in zip(parts, numbers, strict=True)])


def _may_be_number(definition: Mapping[str, Any]) -> bool:
    kinds = definition.get("type", ())
    return not kinds or bool(_NUMBERS.intersection([kinds] if isinstance(kinds, str) else kinds))


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()


def _with_zeros(number: str, places: int) -> str:
    return number + ("" if "." in number else ".") + "0" * places
