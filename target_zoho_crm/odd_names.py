"""Names of properties that no struct of msgspec can have: records with such a name are read under another one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

_NO_STRUCT_TAKES = re.compile(r'[\x00-\x1f"\\]')
_records: msgspec.json.Decoder[list[dict[str, msgspec.Raw]]] = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_encode = msgspec.json.Encoder().encode


class OddNames:
    """The odd ones among the names of a stream's properties, and what stands for each."""

    def __init__(self, names: Iterable[str]) -> None:
        """Find them."""
        every = list(names)
        longer = "_" * (1 + max(map(len, every), default=0))
        self._others = {name: f"{longer}{at}" for at, name in enumerate(every) if _NO_STRUCT_TAKES.search(name)}

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self._others)

    def other(self, name: str) -> str:
        """The name under which a property is read."""
        return self._others.get(name, name)

    def name(self, other: str | None) -> str | None:
        """The property that is read under this name."""
        return next((name for name, stands in self._others.items() if stands == other), other)

    def rename(self, records: bytes) -> bytes:
        """A JSON array of records under the names by which they are read; raises what msgspec's decoder does."""
        return _encode(list(map(self.renamed, _records.decode(records)))) if self._others else records

    def renamed(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The record under the names by which it is read."""
        return {self._others.get(name, name): value for name, value in record.items()} if self._others else record
