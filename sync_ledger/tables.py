"""The ledger's tables: what became of each order, the journal of bulk jobs, and the runs; and the ledger's version.

Keys are exact. Every text that identifies something is compared byte by byte on every engine, because MySQL,
MariaDB and SQL Server otherwise take 'A1' and 'a1', or 'A1' and 'A1 ', for one order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from sync_databases import dialects

KEY_LENGTH = 255
"""Characters in a key or a version; Zoho's single-line text field holds no more either."""

NO_VERSION = "-"
"""The version of an order that has none, because its column is NULL or absent: it changes when the order gets one."""

CODE_LENGTH = 100
FIELD_LENGTH = 255
MESSAGE_LENGTH = 500
"""Characters kept of an error's code, field and text, so that the ledger cannot grow by what a server answers."""

SQL_SERVER_ENCODING = "utf-16-le"
"""How an NVARCHAR lies in memory, and so what CAST(nvarchar AS varbinary) gives."""


DELETED_VERSION = "(deleted)"
"""The version of an order that is gone; none that a database renders, so an order that comes back is unsynced."""


class AckStatus(StrEnum):
    """What the ledger says of one order."""

    SUBMITTED = "submitted"
    """In a bulk job; the outcome is not known yet."""
    SYNCED = "synced"
    REJECTED = "rejected"
    """Refused by Zoho or by our own check, or due again at `next_attempt_at`."""
    PARKED = "parked"
    """Retries are used up, or a person dismissed it."""
    DELETED = "deleted"
    """Gone from the legacy table, and the CRM knows: its record is deleted or marked, as `action` says."""


class JobStep(StrEnum):
    """How far a bulk job has come; each step is journalled before the next one begins."""

    INTENT = "intent"
    """Its rows are `submitted`; Zoho knows nothing of it."""
    CALLING = "calling"
    """No job but an insert call: it may have had its effect."""
    UPLOADED = "uploaded"
    """Zoho has the file; the job may have been created."""
    CREATED = "created"
    """Zoho has the job."""
    APPLIED = "applied"
    """Every row's outcome is in the ack table."""
    ABANDONED = "abandoned"
    """Never created; its rows are due again."""


OPEN_STEPS = (JobStep.INTENT, JobStep.CALLING, JobStep.UPLOADED, JobStep.CREATED)


FILLED_PERCENT = 45
"""Of a page of acks on PostgreSQL: each is written twice, and its outcome has room beside it. So no index changes."""


class ExactText(sa.types.TypeDecorator[str]):
    """Text compared byte by byte: no case folding, no padding, no locale."""

    impl = sa.Unicode
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the engine's own exact type."""
        length = self.impl_instance.length  # type: ignore[attr-defined]
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(
                dialects.mysql.VARCHAR(length, charset="utf8mb4", collation=_mysql_collation(dialect))
            )
        if dialect.name == "postgresql":
            return dialect.type_descriptor(dialects.postgresql.VARCHAR(length, collation="C"))
        if dialect.name == "mssql":
            return dialect.type_descriptor(sa.VARBINARY(length * 2))
        if dialect.name == "oracle":
            return dialect.type_descriptor(dialects.oracle.VARCHAR2(length))
        return dialect.type_descriptor(sa.VARCHAR(length))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Encode for SQL Server, whose text comparisons ignore trailing spaces under every collation."""
        if value is not None and dialect.name == "mssql":
            return value.encode(SQL_SERVER_ENCODING)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Decode what `process_bind_param` encoded."""
        if value is not None and dialect.name == "mssql":
            return bytes(value).decode(SQL_SERVER_ENCODING)
        return None if value is None else str(value)


def _mysql_collation(dialect: Dialect) -> str:
    """Name the binary collation without padding: MariaDB and MySQL spell it differently."""
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"


def exact_key(expression: sa.ColumnElement[Any], dialect: Dialect) -> sa.ColumnElement[Any]:
    """Make an SQL text expression comparable with `record_key` so that the ack's index is used.

    SQLite carries a column's collation through a CAST, hence the explicit one there too.
    """
    if dialect.name in {"mysql", "mariadb"}:
        return sa.collate(expression, _mysql_collation(dialect))
    if dialect.name == "postgresql":
        return sa.collate(expression, "C")
    if dialect.name == "sqlite":
        return sa.collate(expression, "BINARY")
    if dialect.name == "mssql":
        return sa.cast(sa.cast(expression, dialects.mssql.NVARCHAR(KEY_LENGTH)), sa.VARBINARY(KEY_LENGTH * 2))
    return expression


_MYSQL = ("mysql", "mariadb")
_PARTIAL_INDEXES = ("sqlite", "postgresql", "mssql")


@dataclass(frozen=True)
class _Types:
    """Types that are not the same on every engine."""

    engine: str

    def moment(self) -> sa.types.TypeEngine[Any]:
        """Naive UTC with microseconds."""
        if self.engine in _MYSQL:
            return dialects.mysql.DATETIME(fsp=6)
        if self.engine == "mssql":
            return dialects.mssql.DATETIME2(6)  # type: ignore[no-untyped-call]
        return dialects.oracle.TIMESTAMP() if self.engine == "oracle" else sa.DateTime()

    def blob(self) -> sa.types.TypeEngine[Any]:
        """A blob with room for a manifest: MySQL's plain BLOB ends at 64 KiB."""
        return dialects.mysql.LONGBLOB() if self.engine in _MYSQL else sa.LargeBinary()

    def long_text(self) -> sa.types.TypeEngine[Any]:
        """Text without end."""
        return dialects.mysql.LONGTEXT(charset="utf8mb4") if self.engine in _MYSQL else sa.UnicodeText()

    def message(self) -> sa.types.TypeEngine[Any]:
        """What is kept of an error's text."""
        if self.engine in _MYSQL:
            return dialects.mysql.VARCHAR(MESSAGE_LENGTH, charset="utf8mb4")
        return sa.Unicode(MESSAGE_LENGTH)


@dataclass(frozen=True)
class LedgerTables:
    """The tables in one schema of one database."""

    metadata: sa.MetaData
    ack: sa.Table
    job: sa.Table
    run: sa.Table
    version: sa.Table

    @property
    def of_records(self) -> tuple[sa.Table, ...]:
        """The tables that every version of the ledger has."""
        return self.ack, self.job, self.run


@cache
def ledger_tables(engine: str, schema: str | None = None) -> LedgerTables:
    """Describe the ledger in `schema`, or in the connection's own schema, as an `engine` keeps it: a dialect's name.

    All ledgers of a process share it: statements are kept by table, and would be kept for each ledger anew.
    """
    metadata = sa.MetaData(schema=schema)
    version = sa.Table("zoho_sync_version", metadata, sa.Column("version", sa.Integer, primary_key=True))
    types = _Types(engine)
    tables = _ack_table(metadata, types), _job_table(metadata, types), _run_table(metadata, types)
    return LedgerTables(metadata, *tables, version)


def _ack_table(metadata: sa.MetaData, types: _Types) -> sa.Table:
    table = sa.Table(
        "zoho_sync_ack",
        metadata,
        sa.Column("stream", ExactText(100), primary_key=True),
        sa.Column("record_key", ExactText(KEY_LENGTH), primary_key=True),
        sa.Column("version", ExactText(KEY_LENGTH), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("zoho_id", sa.String(32)),
        sa.Column("action", sa.String(10)),
        sa.Column("channel", sa.String(10)),
        sa.Column("family", sa.String(15)),
        sa.Column("error_code", sa.Unicode(CODE_LENGTH)),
        sa.Column("error_field", sa.Unicode(FIELD_LENGTH)),
        sa.Column("error_message", types.message()),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", types.moment()),
        sa.Column("job_id", sa.String(32)),
        sa.Column("run_id", sa.String(32)),
        sa.Column("payload_hash", sa.String(64)),
        sa.Column("folded_key", ExactText(KEY_LENGTH)),
        sa.Column("acked_at", types.moment(), nullable=False),
    )
    waiting = table.c.next_attempt_at.is_not(None)
    # Nearly every order is synced and waits for nothing: the index holds just those that do, where it can.
    sa.Index(
        "ix_zoho_sync_ack_due",
        table.c.stream,
        table.c.next_attempt_at,
        **_where(types.engine, waiting),
    )
    folded = table.c.folded_key.is_not(None)
    sa.Index(
        "ix_zoho_sync_ack_folded",
        table.c.stream,
        table.c.folded_key,
        **_where(types.engine, folded),
    )
    if types.engine == "postgresql":
        statement = f"ALTER TABLE %(fullname)s SET (fillfactor = {FILLED_PERCENT})"
        sa.event.listen(table, "after_create", sa.DDL(statement))  # type: ignore[no-untyped-call]
    return table


def _where(engine: str, condition: sa.ColumnElement[bool]) -> dict[str, Any]:
    """What makes an index hold just some rows, on engines that can."""
    return {f"{engine}_where": condition} if engine in _PARTIAL_INDEXES else {}


def _job_table(metadata: sa.MetaData, types: _Types) -> sa.Table:
    return sa.Table(
        "zoho_sync_job",
        metadata,
        sa.Column("job_id", sa.String(32), primary_key=True),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("run_id", sa.String(32), nullable=False, index=True),
        sa.Column("module", sa.Unicode(100), nullable=False),
        sa.Column("parent_job_id", sa.String(32)),
        sa.Column("step", sa.String(10), nullable=False, index=True),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("manifest", types.blob()),
        sa.Column("file_id", sa.String(64)),
        sa.Column("create_body", types.long_text()),
        sa.Column("zoho_job_id", sa.String(64)),
        sa.Column("called_back_at", types.moment()),
        sa.Column("synced_count", sa.Integer),
        sa.Column("rejected_count", sa.Integer),
        sa.Column("due_again_count", sa.Integer),
        sa.Column("credits", sa.Integer, nullable=False),
        sa.Column("error_message", types.message()),
        sa.Column("intended_at", types.moment(), nullable=False),
        sa.Column("updated_at", types.moment(), nullable=False),
    )


def _run_table(metadata: sa.MetaData, types: _Types) -> sa.Table:
    return sa.Table(
        "zoho_sync_run",
        metadata,
        sa.Column("run_id", sa.String(32), primary_key=True),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("partition_name", sa.String(20), nullable=False),
        # While the run lives: stream and partition, so that the unique index admits one run. Afterwards: its run id.
        sa.Column("lock_name", ExactText(150), nullable=False, unique=True),
        sa.Column("host", sa.Unicode(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_space", sa.String(100), nullable=False),
        sa.Column("started_at", types.moment(), nullable=False),
        sa.Column("heartbeat_at", types.moment(), nullable=False),
        sa.Column("finished_at", types.moment()),
        sa.Column("how_ended", sa.String(20)),
        *(sa.Column(f"{name}_count", sa.Integer) for name in RUN_COUNTS),
        sa.Column("credits", sa.Integer),
    )


RUN_COUNTS = ("read", "synced", "unchanged", "superseded", "rejected", "parked", "unsynced")
"""What a run counts; `read` is the sum of the others."""
