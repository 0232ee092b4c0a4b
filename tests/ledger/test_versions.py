"""A ledger that an earlier program made goes on being used; one of a later program is refused in one line."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.dialects import postgresql

from orders_sync.cli import main
from sync_databases.engines import engine_of
from sync_ledger import folding_anew
from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.tables import AckStatus, ledger_tables
from sync_ledger.versions import LEDGER_VERSION, bring_up_to_date

DEFINITION = "b52ad24d"
"""The start of the SHA-256 of version 19's columns and indexes."""

LATER_COLUMNS = (
    "zoho_sync_ack.folded_key",
    "zoho_sync_job.called_back_at",
    "zoho_sync_run.unchanged_count",
    "zoho_sync_run.settlements",
    "zoho_sync_run.beats",
    "zoho_sync_run.process_start",
    "zoho_sync_run.standing_since",
    "zoho_sync_run.standing_beats",
    "zoho_sync_run.settings_mark",
    "zoho_sync_run.run_group",
    "zoho_sync_run.causes",
    "zoho_sync_run.forgotten_at",
    "zoho_sync_run.in_part",
    "zoho_sync_run.error",
    "zoho_sync_run.came_to_end",
    "zoho_sync_ack.packed_at",
    "zoho_sync_ack.field_marks",
)
ADDED_INDEXES = {"ix_zoho_sync_ack_folded", "ix_zoho_sync_ack_record"}


def early_ledger(url: str) -> Ledger:
    """A ledger as an early program made it, with a synced order and a past run."""
    ledger = Ledger.open(url)
    ledger.ensure_tables()
    lock = Lease.acquire(ledger, "orders")
    with ledger.begin() as connection:
        now = ledger.now(connection)
        write_acks(connection, ledger.tables.ack, Acks.of([Ack("orders", "SO-1", "v1", AckStatus.SYNCED, now)]))
    lock.release("finished", {"read": 1, "synced": 1}, 5)
    with ledger.begin() as connection:
        ledger.tables.version.drop(connection)
        for index in ledger.tables.ack.indexes:
            if index.name in ADDED_INDEXES:
                index.drop(connection)
        for table in (ledger.tables.identity, ledger.tables.stream, ledger.tables.write, ledger.tables.outcome):
            table.drop(connection)
        for column in LATER_COLUMNS:
            table, _, name = column.partition(".")
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {name}")
    return ledger


def columns(ledger: Ledger) -> dict[str, dict[str, str]]:
    there = sa.inspect(ledger.engine)
    return {
        table.name: {column["name"]: str(column["type"]) for column in there.get_columns(table.name)}
        for table in ledger.tables.metadata.sorted_tables
    }


def test_an_earlier_ledger_is_brought_up_to_date_and_loses_nothing(engine_url: str) -> None:
    fresh = Ledger.open(engine_url)
    fresh.ensure_tables()
    wanted = columns(fresh)
    with fresh.begin() as connection:
        fresh.tables.metadata.drop_all(connection)
    fresh.close()
    ledger = early_ledger(engine_url)
    with pytest.raises(LedgerError, match="is of an earlier version; the next run"):
        ledger.check_version()
    ledger.ensure_tables()
    ledger.check_version()
    assert columns(ledger) == wanted
    indexes = {index["name"] for index in sa.inspect(ledger.engine).get_indexes("zoho_sync_ack")}
    assert indexes >= ADDED_INDEXES
    with ledger.connect() as connection:
        ack = connection.execute(sa.select(ledger.tables.ack)).one()
        run = connection.execute(sa.select(ledger.tables.run)).one()
    assert (ack.record_key, ack.status, ack.folded_key) == ("SO-1", "synced", None)
    assert (run.how_ended, run.unchanged_count) == ("finished", None)
    ledger.close()


def test_a_ledger_of_version_1_gets_the_index_of_record_ids(engine_url: str) -> None:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.version).values(version=1))
        next(index for index in ledger.tables.ack.indexes if index.name == "ix_zoho_sync_ack_record").drop(connection)
    with pytest.raises(LedgerError, match="is of an earlier version; the next run"):
        ledger.check_version()
    ledger.ensure_tables()
    ledger.check_version()
    indexes = {index["name"]: index for index in sa.inspect(ledger.engine).get_indexes("zoho_sync_ack")}
    assert indexes["ix_zoho_sync_ack_record"]["column_names"] == ["zoho_id"]
    ledger.close()


FOLDED = {
    "SO-1": (None, None),
    "so-1": ("SO-1", "SO-1"),
    "\u2126": (None, "\u03a9"),
    "\u212a-1": (None, "K-1"),
    "\u1e9e": (None, "SS"),
    "\uff21\u00a0": ("\uff21", "A"),
    "\u03c9": ("\u03a9", "\u03a9"),
}
"""Keys with the folded key that version 2 gave them, and that of today."""


def ledger_of_version_2(url: str, folds: Mapping[str, str | None], stream: str = "orders") -> Ledger:
    """As an earlier program left it: without the columns of orders made again."""
    ledger = Ledger.open(url)
    ledger.ensure_tables()
    with ledger.begin() as connection:
        now, columns = ledger.now(connection), {"record_key": list(folds), "folded_key": list(folds.values())}
        common = {"stream": stream, "version": "v1", "status": AckStatus.SYNCED, "acked_at": now}
        write_acks(connection, ledger.tables.ack, Acks(common, columns))
        next(index for index in ledger.tables.ack.indexes if index.name == "ix_zoho_sync_ack_remade").drop(connection)
        for column in ("earlier_zoho_id", "remade_run_id"):
            connection.exec_driver_sql(f"ALTER TABLE zoho_sync_ack DROP COLUMN {column}")
        connection.execute(sa.update(ledger.tables.version).values(version=2))
    return ledger


def folded_keys(ledger: Ledger, stream: str = "orders") -> dict[str, str | None]:
    ack = ledger.tables.ack
    with ledger.connect() as connection:
        query = sa.select(ack.c.record_key, ack.c.folded_key).where(ack.c.stream == stream)
        return {key: fold for key, fold in connection.execute(query)}  # noqa: C416 - rows are no pairs to mypy


def test_keys_of_an_earlier_ledger_are_folded_anew(engine_url: str) -> None:
    ledger = ledger_of_version_2(engine_url, {key: before for key, (before, _) in FOLDED.items()})
    ledger.ensure_tables()
    assert folded_keys(ledger) == {key: after for key, (_, after) in FOLDED.items()}
    ledger.close()


def test_keys_that_went_with_case_stay_so(sqlite_url: str) -> None:
    ledger = ledger_of_version_2(sqlite_url, {"so-1": None, "so-2 ": "so-2", "\uff41": None})
    ledger.ensure_tables()
    assert folded_keys(ledger) == {"so-1": None, "so-2 ": "so-2", "\uff41": "a"}
    ledger.close()


def test_keys_are_folded_anew_in_short_transactions_and_a_kill_between_two_loses_nothing(
    engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding_anew, "ACKS_AT_A_TIME", 10)
    keys = [f"\u2126-{number:03}" for number in range(95)]
    ledger = ledger_of_version_2(engine_url, dict.fromkeys(keys))
    transactions = []

    @contextmanager
    def dying() -> Iterator[sa.Connection]:
        transactions.append(1)
        if len(transactions) == 17:
            raise KeyboardInterrupt
        with ledger.begin() as connection:
            yield connection

    with pytest.raises(KeyboardInterrupt):
        bring_up_to_date(dying, ledger.tables)
    done = sum(fold is not None for fold in folded_keys(ledger).values())
    assert 0 < done < len(keys)
    with pytest.raises(LedgerError, match="is of an earlier version; the next run"):
        ledger.check_version()
    ledger.ensure_tables()
    ledger.check_version()
    assert folded_keys(ledger) == {key: key.replace("\u2126", "\u03a9") for key in keys}
    ledger.close()


def test_tap_and_target_may_bring_it_up_to_date_together(engine_url: str) -> None:
    early_ledger(engine_url).close()
    program = "import sys; from sync_ledger.ledger import Ledger; Ledger.open(sys.argv[1]).ensure_tables()"
    together = [subprocess.Popen([sys.executable, "-c", program, engine_url], env=os.environ) for _ in range(3)]
    assert [process.wait() for process in together] == [0, 0, 0]
    Ledger.open(engine_url).check_version()


def test_a_later_ledger_is_refused_and_left_as_it_is(engine_url: str) -> None:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.version).values(version=LEDGER_VERSION + 1))
    before = columns(ledger)
    for use in (ledger.ensure_tables, ledger.check_version):
        with pytest.raises(LedgerError, match=rf"it has version {LEDGER_VERSION + 1}.*install the program") as caught:
            use()
        assert "\n" not in str(caught.value)
    assert columns(ledger) == before
    ledger.close()


def test_what_cannot_be_added_is_named_and_nothing_is_changed(engine_url: str) -> None:
    ledger = early_ledger(engine_url)
    with ledger.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE zoho_sync_run DROP COLUMN process_space")
    before = {table: set(found) for table, found in columns_there(ledger).items()}
    with pytest.raises(LedgerError, match=r"lacks zoho_sync_run\.process_space, which cannot be added; rename"):
        ledger.ensure_tables()
    assert {table: set(found) for table, found in columns_there(ledger).items()} == before
    ledger.close()


def columns_there(ledger: Ledger) -> dict[str, list[str]]:
    there = sa.inspect(ledger.engine)
    return {
        table.name: [column["name"] for column in there.get_columns(table.name)] for table in ledger.tables.of_records
    }


def test_commands_say_in_one_line_that_the_ledger_is_of_another_version(sqlite_url: str) -> None:
    early_ledger(sqlite_url).close()
    result = CliRunner().invoke(main, ["status", "--ack-url", sqlite_url])
    assert result.exit_code == 1
    assert "is of an earlier version; the next run of the tap or the target brings it up to date" in result.output
    ledger = Ledger.open(sqlite_url)
    ledger.ensure_tables()
    assert CliRunner().invoke(main, ["status", "--ack-url", sqlite_url]).exit_code == 0
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.version).values(version=LEDGER_VERSION + 1))
    result = CliRunner().invoke(main, ["status", "--ack-url", sqlite_url])
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "install the program that made it" in result.output


def test_a_change_of_the_tables_needs_a_new_version() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    tables = ledger_tables(engine_of(dialect)).metadata.sorted_tables
    told = [
        f"{column} {column.type.compile(dialect)} {column.nullable} {column.primary_key}"
        for table in tables
        for column in table.columns
    ]
    indexes = [index for table in tables for index in table.indexes]
    told += sorted(f"{index.name} {[column.name for column in index.columns]} {index.unique}" for index in indexes)
    found = hashlib.sha256("\n".join(told).encode()).hexdigest()
    assert (LEDGER_VERSION, found[: len(DEFINITION)]) == (19, DEFINITION), (
        "the ledger's tables have changed: raise LEDGER_VERSION, see that bring_up_to_date suffices, and note both here"
    )
