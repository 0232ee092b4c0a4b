from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa

from sync_ledger.acks import Acks, write_acks
from sync_ledger.ledger import Ledger
from sync_ledger.statistics import FIRST_ANALYZE, GROWTH, AckStatistics, refresh_statistics
from sync_ledger.tables import AckStatus

NOW = datetime(2026, 1, 2)  # noqa: DTZ001 - the ledger's moments are naive UTC
BELIEVED = sa.text("SELECT reltuples FROM pg_class WHERE relname = 'zoho_sync_ack'")


def write(ledger: Ledger, first: int, count: int) -> None:
    keys = [str(number) for number in range(first, first + count)]
    common = {"stream": "orders", "status": AckStatus.SYNCED, "acked_at": NOW}
    with ledger.begin() as connection:
        write_acks(connection, ledger.tables.ack, Acks(common, {"record_key": keys, "version": keys}))


def believed(ledger: Ledger) -> float:
    with ledger.connect() as connection:
        return float(connection.execute(BELIEVED).scalar_one())


@pytest.fixture
def ledger(postgresql_url: str) -> Ledger:
    ledger = Ledger.open(postgresql_url)
    ledger.ensure_tables()
    return ledger


def test_postgresql_looks_at_the_acks_of_a_first_load(ledger: Ledger) -> None:
    statistics = AckStatistics(ledger)
    write(ledger, 0, FIRST_ANALYZE - 1)
    statistics.wrote(FIRST_ANALYZE - 1)
    assert believed(ledger) <= 0
    write(ledger, FIRST_ANALYZE, 20_000)
    statistics.wrote(20_000)
    assert believed(ledger) == FIRST_ANALYZE - 1 + 20_000
    ledger.close()


def test_the_next_look_is_at_eight_times_as_many_acks(ledger: Ledger) -> None:
    statistics = AckStatistics(ledger)
    write(ledger, 0, 2_000)
    statistics.wrote(2_000)
    write(ledger, 2_000, 500)
    statistics.wrote(GROWTH * 2_000 - 2_000 - 1)
    assert believed(ledger) == 2_000
    statistics.wrote(1)
    assert believed(ledger) == 2_500
    ledger.close()


def test_what_it_knows_better_is_not_looked_at_again(ledger: Ledger) -> None:
    write(ledger, 0, 5_000)
    refresh_statistics(ledger)
    assert believed(ledger) == 5_000
    write(ledger, 5_000, 2_000)
    refresh_statistics(ledger)
    AckStatistics(ledger).wrote(2_000)
    assert believed(ledger) == 5_000
    ledger.close()


def test_other_engines_are_left_alone(sqlite_url: str) -> None:
    ledger = Ledger.open(sqlite_url)
    ledger.ensure_tables()
    write(ledger, 0, FIRST_ANALYZE)
    AckStatistics(ledger).wrote(FIRST_ANALYZE)
    with ledger.connect() as connection:
        assert "sqlite_stat1" not in sa.inspect(connection).get_table_names()
    ledger.close()
