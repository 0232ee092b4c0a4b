"""A ledger as version 0.1 left it: made by commit af59c81's own programs, and kept in `ledger/version_0_1/`.

The tables are that version's own statements, by engine; the rows are those of one real ledger, with an open job.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sync_ledger.job_journal import Manifest

FOLDER = Path(__file__).parent / "ledger" / "version_0_1"
KEPT: dict[str, Any] = json.loads((FOLDER / "rows.json").read_text())
TABLES = ("zoho_sync_version", "zoho_sync_ack", "zoho_sync_job", "zoho_sync_run")
DIGITS = "SELECT 0 AS d" + "".join(f" UNION ALL SELECT {digit}" for digit in range(1, 10))


def make_tables(engine: sa.Engine) -> None:
    """Make the tables as version 0.1 did."""
    name = {"mysql": "mariadb"}.get(engine.dialect.name, engine.dialect.name)
    statements = (FOLDER / f"{name}.sql").read_text().split(";\n")
    with engine.begin() as connection:
        for statement in filter(None, map(str.strip, statements)):
            connection.exec_driver_sql(statement)


def fill(engine: sa.Engine, record_ids: Mapping[str, str] | None = None) -> None:
    """Put the kept rows in; `record_ids` are those of the CRM's records by key, where they are not the kept ones."""
    suffix = "" if engine.dialect.name == "postgresql" else ".000000"  # as the databases write these times
    metadata = sa.MetaData()
    metadata.reflect(engine, only=TABLES)
    with engine.begin() as connection:
        for name in TABLES:
            connection.execute(
                sa.insert(metadata.tables[name]), [_row(row, suffix, record_ids or {}) for row in KEPT[name]]
            )


def fill_many(engine: sa.Engine, stream: str = "orders") -> None:
    """Add a million acks, K-0 to K-999999, as copies of the kept ack of order 7."""
    kept = next(row for row in KEPT["zoho_sync_ack"] if row["record_key"] == "7")
    number = " + ".join(f"{10**place} * d{place}.d" for place in range(6))
    tables = ", ".join(f"({DIGITS}) AS d{place}" for place in range(6))
    key = f"concat('K-', {number})" if engine.dialect.name in {"mysql", "mariadb"} else f"'K-' || ({number})"
    values = {**kept, "stream": stream} | {"record_key": None, "zoho_id": None}
    shown = [
        {"record_key": key, "zoho_id": f"{key.replace('K-', '4876')}"}.get(name)
        or ("NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'")
        for name, value in values.items()
    ]
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO zoho_sync_ack ({', '.join(values)}) SELECT {', '.join(shown)} FROM {tables}"
        )


def _row(row: Mapping[str, Any], suffix: str, record_ids: Mapping[str, str]) -> dict[str, Any]:
    found = {name: _value(name, value) for name, value in row.items()}
    if "record_key" in found:
        if found["stream"] == "orders":
            found["version"] += suffix
        found["zoho_id"] = found["zoho_id"] and record_ids.get(found["record_key"], found["zoho_id"])
    elif found.get("manifest") is not None:
        versions = Manifest(found["manifest"], found["row_count"]).texts()
        found["manifest"] = Manifest.of({key: version + suffix for key, version in versions.items()}).packed
    return found


def _value(name: str, value: Any) -> Any:
    if name == "manifest" and value is not None:
        return base64.b64decode(value)
    return datetime.fromisoformat(value) if name.endswith("_at") and value is not None else value
