"""Writes in doubt, as a run leaves them that is over; and time, which passes for them alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from pair_of_plugins import Shop

from sync_ledger.job_journal import Manifest
from sync_ledger.ledger import Ledger
from sync_ledger.writes_under_way import TOKEN_LASTS_MOST, WriteKind, WriteUnderWay, note


def leave(shop: Shop, versions: Mapping[str, str], kind: WriteKind = WriteKind.UPSERT) -> None:
    """Leave a call in doubt that began just now, of a run that the ledger does not know any more."""
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.begin() as connection:
            now = ledger.now(connection)
            manifest = Manifest.of(versions)
            until = now + TOKEN_LASTS_MOST
            write = WriteUnderWay(
                uuid.uuid4().hex, "orders", "over", kind, manifest, began_at=now, may_land_until=until
            )
            note(connection, ledger.tables, write)
    finally:
        ledger.close()


def time_passes(shop: Shop, **ago: float) -> None:
    """For what the ledger has in doubt alone."""
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.begin() as connection:
            write = ledger.tables.write
            for row in connection.execute(sa.select(write)).all():
                times = {name: getattr(row, name) for name in ("began_at", "may_land_until", "left_at", "verified_at")}
                earlier = {name: at - timedelta(**ago) for name, at in times.items() if at is not None}
                connection.execute(sa.update(write).where(write.c.write_id == row.write_id).values(earlier))
    finally:
        ledger.close()


def in_doubt(shop: Shop) -> list[Any]:
    """The rows of writes that are not settled."""
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.connect() as connection:
            return list(connection.execute(sa.select(ledger.tables.write)))
    finally:
        ledger.close()
