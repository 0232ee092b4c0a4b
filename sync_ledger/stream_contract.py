"""What the tap says to the target beyond Singer: three properties of records, three keywords of the SCHEMA message.

A record carries its order's key and version as the ledger holds them (`docs/selection.md`), and the time at which an
order was found to be deleted. The schema says since when the records were read, which partition of the stream they
are, and which flag the tap goes by. Other targets see JSON schema keywords that they do not know, and ignore them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from sync_databases.flags import FlaggedTable
from sync_ledger.partitions import WHOLE, Partition

KEY_PROPERTY = "_sync_key"
VERSION_PROPERTY = "_sync_version"
DELETED_AT_PROPERTY = "_sdc_deleted_at"
"""Singer's usual name for the time at which a deletion was noticed; targets that delete go by it."""

OWN_PROPERTIES: dict[str, dict[str, Any]] = {
    KEY_PROPERTY: {"type": ["string"], "description": "The order's key as text, as the ledger holds it"},
    VERSION_PROPERTY: {"type": ["string"], "description": "A text that differs after each change of the order"},
}
"""What every record carries, as JSON schema."""

DELETED_AT_SCHEMA: dict[str, Any] = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "When the order was found to be deleted; the record then holds its key and nothing else",
}

_READ_SINCE = "x-sync-read-since"
_PARTITION = "x-sync-partition"
_SYNC_FLAG = "x-sync-flag"


class AnnouncementError(ValueError):
    """The schema's keywords say what no tap of ours does; the text names the keyword."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a SCHEMA message says of the run that reads the stream; a tap that is not ours says nothing of it."""

    read_since: datetime | None = None
    """When reading began, by the ledger database's clock: naive UTC."""
    partition: Partition = WHOLE
    """The share of the stream's keys that is read."""
    sync_flag: FlaggedTable | None = None
    """The flag by which the tap knows what is unsynced; no URL is in it."""


def announce(schema: Mapping[str, Any], announcement: Announcement) -> dict[str, Any]:
    """Give the schema with the announcement in it."""
    announced = dict(schema)
    if announcement.read_since is not None:
        announced[_READ_SINCE] = announcement.read_since.isoformat(" ")
    if not announcement.partition.is_whole:
        announced[_PARTITION] = announcement.partition.name
    if announcement.sync_flag is not None:
        announced[_SYNC_FLAG] = msgspec.to_builtins(announcement.sync_flag)
    return announced


def read_announcement(schema: Mapping[str, Any]) -> Announcement:
    """Read what `announce` wrote; a keyword that is absent leaves the default.

    Raises:
        AnnouncementError: a keyword has another form.
    """
    return Announcement(
        read_since=_read_since(schema.get(_READ_SINCE)),
        partition=_partition(schema.get(_PARTITION, WHOLE.name)),
        sync_flag=_sync_flag(schema.get(_SYNC_FLAG)),
    )


def _read_since(text: Any) -> datetime | None:
    if text is None:
        return None
    try:
        timestamp = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        timestamp = None
    if timestamp is None or timestamp.tzinfo is not None:
        raise AnnouncementError(f"the schema says {_READ_SINCE}: {text!r:.60}, which is no timestamp without a zone")
    return timestamp


def _partition(name: Any) -> Partition:
    try:
        return Partition.named(name)
    except (ValueError, AttributeError):
        raise AnnouncementError(f"the schema says {_PARTITION}: {name!r:.60}, which is no partition") from None


def _sync_flag(announced: Any) -> FlaggedTable | None:
    if announced is None:
        return None
    try:
        return msgspec.convert(announced, FlaggedTable)
    except msgspec.ValidationError as error:
        raise AnnouncementError(f"the schema says {_SYNC_FLAG}, which cannot be read: {error}") from None
