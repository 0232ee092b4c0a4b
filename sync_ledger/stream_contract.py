"""What the tap says to the target beyond Singer: four properties of records, twelve keywords of the SCHEMA message.

A record carries its order's key, version and content as the ledger holds them (`docs/database.md`), and the time at
which an order was found to be deleted. The schema says after which runs the records were read, by which ledger and as
which of its streams, or how without a ledger, from which table, which partition of the stream they are, which flag the
tap goes by, in which form contents are taken, which columns of lines are no data, how many orders a first load has,
and that the last STATE will say that it is the last one. Other targets see JSON schema keywords that they do not know,
and ignore them. What STATE says stands in `state_contract.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from sync_databases.flag_statements import ROW_SIGN
from sync_databases.flags import FlaggedTable
from sync_ledger.content_forms import ContentForm
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.run_facts import InPart

KEY_PROPERTY = "_sync_key"
VERSION_PROPERTY = "_sync_version"
CONTENT_PROPERTY = "_sync_content"
"""A fingerprint of the order, where it lies in the window in which its version alone says too little. Behind it may
stand a mark, of an order whose ack has this version already."""

OTHER_CONTENT = "!"
"""The mark of an order that has other content than its ack, or whose ack has none."""
SAME_CONTENT = "="
"""The mark of an order that has the content of its ack, which is of an earlier form: just the new one is noted."""
DELETED_AT_PROPERTY = "_sdc_deleted_at"
"""Singer's usual name for the time at which a deletion was noticed; targets that delete go by it."""

OWN_PROPERTIES: dict[str, dict[str, Any]] = {
    KEY_PROPERTY: {"type": ["string"], "description": "The order's key as text, as the ledger holds it"},
    VERSION_PROPERTY: {"type": ["string"], "description": "A text that differs after each change of the order"},
}
"""What every record carries, as JSON schema."""

CONTENT_SCHEMA: dict[str, Any] = {
    "type": ["string", "null"],
    "description": "A fingerprint of the order, where it may change once more without another version",
}

DELETED_AT_SCHEMA: dict[str, Any] = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "When the order was found to be deleted; the record then holds its key and nothing else",
}

_READ_AFTER = "x-sync-read-after"
_PARTITION = "x-sync-partition"
_SYNC_FLAG = "x-sync-flag"
_LEDGER = "x-sync-ledger"
_STREAM = "x-sync-stream"
_SOURCE = "x-sync-source"
_CONTENT = "x-sync-content"
_BY_HAND = "x-sync-by-hand"
_IN_PART = "x-sync-in-part"
_EXPECTED = "x-sync-expected"
_FOLLOWS = "x-sync-follows"
_NO_LEDGER = "x-sync-no-ledger"
_MARKS_END = "x-sync-marks-end"
_LINE_NAMES = "x-sync-line-names"
_TAP_COLUMNS = "x-sync-tap-columns"


_Struct = TypeVar("_Struct")


class Content(NamedTuple):
    """What a record says of its order's content."""

    text: str
    """The fingerprint; "" where the record says nothing."""
    mark: str
    row: str
    """Where a flag is to be set: what the database made of the columns that were sent. "" where it is not."""


def read_content(text: str) -> Content:
    """Read what a record says of its order's content."""
    content, _, row = text.partition(ROW_SIGN)
    mark = content[-1:] if content.endswith((OTHER_CONTENT, SAME_CONTENT)) else ""
    return Content(content.removesuffix(mark), mark, row)


class AnnouncementError(ValueError):
    """The schema's keywords say what no tap of ours does; the text names the keyword."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the orders are read. The marks are fingerprints: a difference shows, and a filter's text stays at home."""

    table: str
    key: str | None = None
    """The columns of the key."""
    filter_mark: str | None = None
    columns_mark: str | None = None


class WithoutLedger(msgspec.Struct, frozen=True, kw_only=True):
    """How orders were read where nobody had made the ledger yet."""

    looked_at: datetime
    """When the tap looked for it, by the clock of its place: naive UTC."""
    after_bookmark: bool
    """Whether it went on from a bookmark: what came before that stands in no ledger."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a SCHEMA message says of the run that reads the stream; a tap that is not ours says nothing of it."""

    read_after: str | None = None
    """Which runs the ledger had when reading began, as `runs_so_far` says it: another one since then writes newer."""
    partition: Partition = WHOLE
    """The share of the stream's keys that is read."""
    sync_flag: FlaggedTable | None = None
    """The flag by which the tap knows what is unsynced; no URL is in it."""
    ledger_id: str | None = None
    """The ledger by which the tap knows what is unsynced; where there is none yet, an id that says so."""
    stream: str | None = None
    """The stream as that ledger knows it, whatever the message calls it by now."""
    source: Source | None = None
    content_form: ContentForm | None = None
    """The form of the contents that records carry."""
    without_ledger: WithoutLedger | None = None
    marks_end: bool = False
    """Whether the last STATE says that it is the last one (`state_contract.py`): without it the tap did not finish."""
    line_names: tuple[str, ...] = ()
    """Columns of the lines that name the order or the line, and so need no field of their own."""
    tap_columns: tuple[str, ...] = ()
    """Columns that orders carry for the tap alone, such as the replication key: no field is missed for them."""
    by_hand: bool = False
    """Whether these are records that somebody pushes: nothing is remembered of how their stream is read and mapped."""
    in_part: bool = False
    """Whether the tap was asked for some orders only: what else is unsynced is not among them."""
    expected: int | None = None
    """How many orders a first load has, about; None where it is none, or they were not counted."""
    follows: bool = False
    """Whether the tap goes on after the last order: nothing may wait for the end."""

    @property
    def share(self) -> InPart | None:
        """Which orders come, where not all that are unsynced do."""
        if self.by_hand:
            return InPart.BY_HAND
        return InPart.OF_PLAN if self.in_part else None

    def missing(self) -> list[str]:
        """The keywords without which records of our tap cannot be confirmed."""
        needed = {_LEDGER: self.ledger_id, _STREAM: self.stream, _READ_AFTER: self.read_after}
        return [name for name, value in needed.items() if value is None]


def announce(schema: Mapping[str, Any], announcement: Announcement) -> dict[str, Any]:
    """Give the schema with the announcement in it."""
    said = {
        _READ_AFTER: announcement.read_after,
        _PARTITION: None if announcement.partition.is_whole else announcement.partition.name,
        _SYNC_FLAG: msgspec.to_builtins(announcement.sync_flag),
        _LEDGER: announcement.ledger_id,
        _STREAM: announcement.stream,
        _SOURCE: msgspec.to_builtins(announcement.source),
        _CONTENT: msgspec.to_builtins(announcement.content_form),
        _NO_LEDGER: msgspec.to_builtins(announcement.without_ledger),
        _MARKS_END: announcement.marks_end or None,
        _LINE_NAMES: list(announcement.line_names) or None,
        _TAP_COLUMNS: list(announcement.tap_columns) or None,
        _BY_HAND: announcement.by_hand or None,
        _IN_PART: announcement.in_part or None,
        _EXPECTED: announcement.expected,
        _FOLLOWS: announcement.follows or None,
    }
    return {**schema, **{name: value for name, value in said.items() if value is not None}}


def read_announcement(schema: Mapping[str, Any]) -> Announcement:
    """Read what `announce` wrote; a keyword that is absent leaves the default.

    Raises:
        AnnouncementError: a keyword has another form.
    """
    return Announcement(
        read_after=_text(schema, _READ_AFTER),
        partition=_partition(schema.get(_PARTITION, WHOLE.name)),
        sync_flag=_struct(schema, _SYNC_FLAG, FlaggedTable),
        ledger_id=_text(schema, _LEDGER),
        stream=_text(schema, _STREAM),
        source=_struct(schema, _SOURCE, Source),
        content_form=_struct(schema, _CONTENT, ContentForm),
        without_ledger=_struct(schema, _NO_LEDGER, WithoutLedger),
        marks_end=schema.get(_MARKS_END) is True,
        line_names=_struct(schema, _LINE_NAMES, tuple[str, ...]) or (),
        tap_columns=_struct(schema, _TAP_COLUMNS, tuple[str, ...]) or (),
        by_hand=schema.get(_BY_HAND) is True,
        in_part=schema.get(_IN_PART) is True,
        expected=_struct(schema, _EXPECTED, int),
        follows=schema.get(_FOLLOWS) is True,
    )


def _partition(name: Any) -> Partition:
    try:
        return Partition.named(name)
    except (ValueError, AttributeError):
        raise AnnouncementError(f"the schema says {_PARTITION}: {name!r:.60}, which is no partition") from None


def _text(schema: Mapping[str, Any], name: str) -> str | None:
    text = schema.get(name)
    if text is not None and not (isinstance(text, str) and text):
        raise AnnouncementError(f"the schema says {name}: {text!r:.60}, which is no text")
    return text


def _struct(schema: Mapping[str, Any], name: str, kind: type[_Struct]) -> _Struct | None:
    announced = schema.get(name)
    if announced is None:
        return None
    try:
        return msgspec.convert(announced, kind)
    except msgspec.ValidationError as error:
        raise AnnouncementError(f"the schema says {name}, which cannot be read: {error}") from None
