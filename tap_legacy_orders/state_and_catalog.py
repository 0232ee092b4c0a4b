"""The STATE and the catalog of a run, checked before anything reads them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sync_ledger.partitions import WHOLE, Partition
from tap_legacy_orders.tap_errors import TapConfigError


class _Bookmark(msgspec.Struct):
    """One stream's bookmark, as far as we or the SDK read it."""

    replication_key: str | None = None
    replication_key_value: str | int | float | None = None
    progress_markers: dict[str, Any] = {}
    partitions: list[Any] = []
    partition: str = WHOLE.name
    """The share of the keys that the bookmark is of."""

    def __post_init__(self) -> None:
        """Check that there is such a share."""
        try:
            Partition.named(self.partition)
        except ValueError:
            raise ValueError(f"{self.partition!r:.60} is no partition") from None


class _State(msgspec.Struct):
    bookmarks: dict[str, _Bookmark] = {}


class _Metadata(msgspec.Struct):
    breadcrumb: list[str]
    metadata: dict[str, Any]


class _Schema(msgspec.Struct):
    properties: dict[str, dict[str, Any]] = {}


class _Stream(msgspec.Struct):
    schema: _Schema
    tap_stream_id: str | None = None
    stream: str | None = None
    metadata: list[_Metadata] = []
    replication_key: str | None = None
    replication_method: str | None = None
    key_properties: list[str] | None = None


class _Catalog(msgspec.Struct):
    streams: list[_Stream]


def check_state(state: object) -> Mapping[str, Any]:
    """The state, unchanged.

    Raises:
        TapConfigError: it is no STATE; the message names the place.
    """
    return _checked("state", state, _State, "take one that this tap wrote, or none to start anew")


def check_catalog(catalog: object) -> Mapping[str, Any]:
    """The catalog, unchanged.

    Raises:
        TapConfigError: it is no catalog; the message names the place.
    """
    return _checked("catalog", catalog, _Catalog, "run discovery again")


def _checked(name: str, document: object, shape: type[msgspec.Struct], remedy: str) -> Mapping[str, Any]:
    try:
        msgspec.convert(document, shape)
    except msgspec.ValidationError as error:
        raise TapConfigError(f"{name}: {error}; {remedy}") from None
    assert isinstance(document, Mapping)  # noqa: S101 - what fits a struct is one
    return document
