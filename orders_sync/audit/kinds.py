"""What an audit may find of one order, and what it may know of one without its being a finding."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FINGERPRINT_BYTES = 16


class Kind(StrEnum):
    """A difference that nothing under way explains."""

    MISSING_IN_CRM = "missing_in_crm"
    """The table has the order, no record of the CRM has its key, and no run is going to send it."""
    MISSING_IN_DATABASE = "missing_in_database"
    """A record has a key that no order of the table has."""
    DOUBLED = "doubled"
    """Several records have keys that Zoho or we take for one order's."""
    OLDER_VERSION = "older_version"
    """The CRM holds an earlier version than the table, and no run is going to send it."""
    EDITED_BY_PEOPLE = "edited_by_people"
    """Fields differ from what we would write, and another user than ours changed the record last."""
    DIFFERS = "differs"
    """Fields differ for no reason that is known."""
    EARLIER_MAPPING = "earlier_mapping"
    """Fields differ that were not mapped as they are now when the order was written."""
    LINE_MISSING = "line_missing"
    """The CRM lacks lines or links of the order."""
    LINE_UNKNOWN = "line_unknown"
    """The CRM has lines or links of the order that the table has not."""
    LINE_DIFFERS = "line_differs"
    """Fields of lines differ."""
    LINE_DOUBLED = "line_doubled"
    """The CRM has lines or links of the order twice."""
    LINE_ORDER = "line_order"
    """Rows of a subform stand in another order than the table's lines."""
    UNKNOWN_TO_LEDGER = "unknown_to_ledger"
    """Order and record are there, and the ledger has no ack of it."""
    ACK_WITHOUT_RECORD = "ack_without_record"
    """The ledger calls an order synced in a record that is not there, or is not the one that has its key."""


OF_LINES = frozenset({Kind.LINE_MISSING, Kind.LINE_UNKNOWN, Kind.LINE_DIFFERS, Kind.LINE_DOUBLED, Kind.LINE_ORDER})
"""Kinds of lines and links."""

KINDS: Mapping[Kind, str] = {
    Kind.MISSING_IN_CRM: "no record has the key",
    Kind.MISSING_IN_DATABASE: "no order has the record's key",
    Kind.DOUBLED: "several records for one order",
    Kind.OLDER_VERSION: "the CRM holds an earlier version",
    Kind.EDITED_BY_PEOPLE: "changed in the CRM by people",
    Kind.DIFFERS: "differ for no known reason",
    Kind.EARLIER_MAPPING: "written before these fields were mapped as they are now",
    Kind.LINE_MISSING: "the CRM lacks lines or links",
    Kind.LINE_UNKNOWN: "the CRM has lines or links that the database has not",
    Kind.LINE_DIFFERS: "fields of lines differ",
    Kind.LINE_DOUBLED: "the CRM has lines or links twice",
    Kind.LINE_ORDER: "lines stand in another order",
    Kind.UNKNOWN_TO_LEDGER: "record and order without an ack",
    Kind.ACK_WITHOUT_RECORD: "the ledger names a record that is not the order's",
}
"""Each kind in words."""


class Known(StrEnum):
    """Why an order is no finding, though it need not be equal."""

    UNDER_WAY = "under_way"
    """In a job or a call that is not settled, or whose effect is in doubt."""
    WAITING = "waiting"
    """The next run sends it."""
    REFUSED = "refused"
    """Refused or parked, and so never called synced: `orders-sync problems`."""
    HELD = "held"
    """Undone, and not written before `orders-sync release`."""
    FILTERED_OUT = "filtered_out"
    """In the table, but `filter` leaves it out."""
    ACCEPTED = "accepted"
    """A person accepted the very difference."""
    NOT_LOOKED_AT = "not_looked_at"
    """It seemed to differ, and the budget did not suffice for a second look."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `fields` are API names; `who` changed the record last, at `when` as the CRM writes it.

    `lines` are keys of lines, or ids of records that links point at; `fields` are then theirs, or say where they are.
    `detail` adds what the kind alone does not say. `fingerprint` is another one as soon as the difference is.
    """

    kind: Kind
    key: str
    zoho_id: str | None = None
    fields: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    who: str | None = None
    when: str | None = None
    detail: str = ""
    fingerprint: str = ""


def fingerprint_of(kind: Kind, version: str | None, records: Mapping[str, Any]) -> str:
    """A fingerprint of a difference: its kind, the order's version, and what the records hold."""
    return _fingerprint(repr((kind.value, version, sorted(records.items(), key=repr))))


def fingerprint_of_all(findings: Sequence[Finding]) -> str:
    """A fingerprint of all that differs of one order."""
    first, *others = [finding.fingerprint for finding in findings]
    return _fingerprint(" ".join((first, *others))) if others else first


def _fingerprint(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=FINGERPRINT_BYTES).hexdigest()
