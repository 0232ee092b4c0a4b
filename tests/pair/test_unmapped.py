"""Columns that no field takes: the last line of a run names them, and `on_unmapped` can end it before it writes."""

from __future__ import annotations

from pair_of_plugins import Shop

from sync_processes.exit_codes import ExitCode


def add_columns(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN mystery VARCHAR(10)")
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN riddle VARCHAR(10)")


def test_the_last_line_of_a_run_names_the_columns_that_were_not_written(shop: Shop) -> None:
    shop.insert(["SO-1"])
    assert "not written" not in shop.run().err
    add_columns(shop)
    shop.insert(["SO-2"])
    ended = shop.run()
    (line,) = [line for line in ended.err.splitlines() if ": read " in line]
    assert "2 of 9 columns not written: mystery, riddle" in line
    assert ended.summary["synced"] == 1


def test_a_run_that_is_to_fail_on_an_unmapped_column_writes_nothing(shop: Shop) -> None:
    shop.target_config["on_unmapped"] = "fail"
    shop.insert(["SO-1"])
    assert shop.run().summary["synced"] == 1
    add_columns(shop)
    shop.insert(["SO-2"])
    ended = shop.run()
    assert ended.code == ExitCode.SET_UP
    (line,) = ended.errors
    assert "no writable field for mystery, riddle" in line
    assert "`fields`" in line
    assert [*shop.crm()] == ["SO-1"]


def test_the_replication_key_needs_no_field(any_shop: Shop) -> None:
    """The tap must send it, so `exclude` cannot leave it out; and a field for it would change with each touch."""
    shop = any_shop
    shop.target_config["on_unmapped"] = "fail"
    shop.emulator.admin.remove_field("Orders", "Updated_At")
    shop.insert(["SO-1"])
    ended = shop.run()
    assert (ended.code, ended.summary["synced"]) == (ExitCode.OK, 1), ended.err
    assert "not written" not in ended.err
    assert "no writable field" not in ended.err


def test_a_version_column_needs_no_field(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN row_version INTEGER DEFAULT 1")
    shop.tap_config["version_column"] = "row_version"
    shop.target_config["on_unmapped"] = "fail"
    shop.insert(["SO-1"])
    ended = shop.run()
    assert (ended.code, ended.summary["synced"]) == (ExitCode.OK, 1), ended.err
