"""Transactions of one process that write one database, side by side."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from sync_databases import writable_database
from sync_databases.writable_database import WritableDatabase, writable_engine


@pytest.mark.parametrize("begin", ["begin", "begin_alone"])
def test_a_thread_waits_its_turn_for_an_sqlite_file_without_asking_for_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: str
) -> None:
    monkeypatch.setattr(writable_database, "BUSY_SECONDS", 0)  # whoever asks for a lock that is held fails at once
    database = WritableDatabase(writable_engine(f"sqlite:///{tmp_path / 'a.db'}"))
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE written (by INTEGER)")
    failed: list[Exception] = []

    def write(number: int) -> None:
        try:
            with getattr(database, begin)() as connection:
                connection.execute(sa.text("INSERT INTO written VALUES (:number)"), {"number": number})
        except sa.exc.OperationalError as error:
            failed.append(error)

    with database.begin():
        threads = [threading.Thread(target=write, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join(60)
    with database.connect() as connection:
        written = connection.exec_driver_sql("SELECT count(*) FROM written").scalar_one()
    database.close()
    assert (failed, written) == ([], 10)
