"""Orders on their way from one worker to another, through the ledger: compressed, and sealed for those who may send."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.sealing import fernet_of
from target_zoho_crm.batch import Entry
from target_zoho_crm.record_decoding import Rows

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_PURPOSE = b"orders left to another worker, version 1"
_DECIMAL, _INTEGER = 1, 2
_LARGEST = 2**63
_LEVEL = 1


class OrderSealing:
    """Seals orders for whoever has the same client secret and refresh token."""

    def __init__(self, credentials: Credentials, ledger_id: str) -> None:
        self._credentials = credentials
        self._ledger_id = ledger_id

    def seal(self, entries: Mapping[str, Entry]) -> bytes:
        """Compress and encrypt; every value comes back as what it was."""
        rows = [
            (key, each.version, [_packed(value) for value in each.values], each.content)
            for key, each in entries.items()
        ]
        return self._fernet.encrypt(zlib.compress(msgspec.msgpack.encode(rows), _LEVEL))

    def opened(self, sealed: bytes) -> Rows | None:
        """Undo that; None where other credentials have sealed it."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - as in `sealing.py`

        try:
            packed = zlib.decompress(self._fernet.decrypt(sealed))
        except InvalidToken:
            return None
        rows = _decoder.decode(packed)
        contents = [content for *_, content in rows]
        return Rows(
            [key for key, *_ in rows],
            [version for _, version, *_ in rows],
            [tuple(values) for _, _, values, _ in rows],
            contents=contents if any(contents) else None,
        )

    @cached_property
    def _fernet(self) -> Fernet:
        return fernet_of(self._credentials, self._ledger_id, _PURPOSE)


def _packed(value: Any) -> Any:
    """A value as MessagePack holds it: decimals and long integers by a type of ours, everything else as it is."""
    if isinstance(value, Decimal):
        return msgspec.msgpack.Ext(_DECIMAL, str(value).encode())
    if isinstance(value, list):
        return [_packed(each) for each in value]
    if isinstance(value, dict):
        return {name: _packed(each) for name, each in value.items()}
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return msgspec.msgpack.Ext(_INTEGER, str(value).encode())
    return value


def _unpacked(kind: int, data: memoryview) -> Any:
    text = bytes(data).decode()
    return Decimal(text) if kind == _DECIMAL else int(text)


_decoder = msgspec.msgpack.Decoder(list[tuple[str, str, list[Any], str]], ext_hook=_unpacked)
