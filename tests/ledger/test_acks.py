"""Acks: exact keys, attempts that add up, one write for many, the same on every engine."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from sync_databases.engines import engine_of
from sync_ledger import acks as acks_module
from sync_ledger.acks import (
    Ack,
    Acks,
    count_by_status,
    from_elsewhere,
    make_due,
    write_acks,
)
from sync_ledger.keys_alike import keys_folded_alike
from sync_ledger.ledger import Ledger
from sync_ledger.tables import CODE_LENGTH, FIELD_LENGTH, MESSAGE_LENGTH, AckStatus
from sync_ledger.tries import Tries, tries_of

NOW = datetime(2026, 3, 29, 1, 30, 0, 123456)  # noqa: DTZ001 - the ledger's moments are naive UTC
TRICKY_KEYS = ["A1", "a1", "A1 ", " A1", "Ä1", "A\u03081", "ß", "ss", "1", "01", "1.0", "'; --", "a|b\\", "日本", "😀"]


def ack(key: str, version: str = "v1", status: AckStatus = AckStatus.SYNCED, **facts: object) -> Ack:
    return Ack("orders", key, version, status, NOW, **facts)  # type: ignore[arg-type]


@pytest.fixture
def ledger(engine_url: str) -> Ledger:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    yield ledger
    ledger.close()


def write(ledger: Ledger, *acks: Ack) -> None:
    with ledger.begin() as connection:
        write_acks(connection, ledger.tables.ack, Acks.of(acks))


def read(ledger: Ledger, key: str) -> sa.Row:
    table = ledger.tables.ack
    with ledger.connect() as connection:
        return connection.execute(sa.select(table).where(table.c.record_key == key)).one()


def test_keys_that_look_alike_are_different_orders(ledger: Ledger) -> None:
    write(ledger, *(ack(key, version=f"of {key}") for key in TRICKY_KEYS))
    with ledger.connect() as connection:
        found = tries_of(connection, ledger.tables.ack, "orders", TRICKY_KEYS)
    assert found == {key: Tries(f"of {key}", 1, None) for key in TRICKY_KEYS}


def test_every_column_survives(ledger: Ledger) -> None:
    full = ack(
        "K",
        status=AckStatus.REJECTED,
        zoho_id="4876876000000123456",
        action="insert",
        channel="bulk_write",
        family="data",
        error_code="INVALID_DATA",
        error_field="Status",
        error_message="“Shiped” isn't in the list\n\ttwo lines",
        next_attempt_at=NOW + timedelta(hours=1),
        job_id="j" * 32,
        run_id="r" * 32,
        payload_hash="h" * 64,
        folded_key="k",
    )
    write(ledger, full)
    row = read(ledger, "K")
    assert {name: getattr(row, name) for name in acks_module.COLUMNS} == {
        name: getattr(full, name) for name in acks_module.COLUMNS
    }


def test_attempts_count_for_one_version_and_start_afresh_for_another(ledger: Ledger) -> None:
    write(ledger, ack("K"))
    write(ledger, ack("K"))
    assert read(ledger, "K").attempts == 2
    write(ledger, ack("K", attempts=0))
    assert read(ledger, "K").attempts == 2
    write(ledger, ack("K", version="v2"))
    assert read(ledger, "K").attempts == 1


def test_attempts_start_afresh_for_another_content_of_one_version(ledger: Ledger) -> None:
    def tried(content: str | None, form: str = "f1") -> tuple[int, datetime]:
        failing = NOW + timedelta(hours=len(seen))
        refused = ack("K", status=AckStatus.REJECTED, content=content, content_form=form, failing_since=failing)
        write(ledger, refused)
        seen.append(read(ledger, "K"))
        return seen[-1].attempts, seen[-1].failing_since

    seen: list[sa.Row] = []
    assert tried("c1") == (1, NOW)
    assert tried("c1") == (2, NOW)
    assert tried(None) == (3, NOW)  # what is not known is no other content
    assert tried("c1") == (4, NOW)
    assert tried("c2") == (1, NOW + timedelta(hours=4))
    assert tried("c3", form="f2") == (2, NOW + timedelta(hours=4))  # contents of two forms are not compared


def test_a_refusal_keeps_the_id_of_the_record_that_is_in_the_crm(ledger: Ledger) -> None:
    write(ledger, ack("K", zoho_id="42", action="insert"))
    write(ledger, ack("K", version="v2", status=AckStatus.REJECTED, error_code="INVALID_DATA"))
    row = read(ledger, "K")
    assert (row.zoho_id, row.status, row.version) == ("42", "rejected", "v2")


def test_a_later_success_clears_the_error(ledger: Ledger) -> None:
    write(ledger, ack("K", status=AckStatus.REJECTED, error_code="X", error_message="y", next_attempt_at=NOW))
    write(ledger, ack("K"))
    row = read(ledger, "K")
    assert (row.error_code, row.error_message, row.next_attempt_at) == (None, None, None)


def test_what_a_server_says_is_cut_to_what_the_ledger_keeps(ledger: Ledger) -> None:
    write(ledger, ack("K", error_code="C" * 9999, error_field="F" * 9999, error_message="ü" * 9999))
    row = read(ledger, "K")
    lengths = [len(row.error_code), len(row.error_field), len(row.error_message)]
    assert lengths == [CODE_LENGTH, FIELD_LENGTH, MESSAGE_LENGTH]


def test_a_full_job_is_written_in_one_go(ledger: Ledger) -> None:
    many = [ack(f"SO-{number}", zoho_id=str(10**18 + number)) for number in range(25_000)]
    write(ledger, *many)
    write(ledger, *many)
    with ledger.connect() as connection:
        assert count_by_status(connection, ledger.tables.ack, "orders") == {"synced": 25_000}
        found = tries_of(connection, ledger.tables.ack, "orders", [each.record_key for each in many])
    assert set(found.values()) == {Tries("v1", 2, None)}


@pytest.mark.parametrize("rows", [1, 24, 25, 26, 199, 200, 201, 5_003])
def test_each_ack_keeps_its_own_values_however_many_go_in_one_statement(ledger: Ledger, rows: int) -> None:
    names = [f"SO-{number} 100% 'é' \\ ? %s :x" for number in range(rows)]
    columns = {"record_key": names, "version": names[::-1], "zoho_id": [str(number) for number in range(rows)]}
    common = {"stream": "100% 's' %s ?", "acked_at": NOW, "channel": "bulk_write", "job_id": "j" * 32}
    table = ledger.tables.ack
    for attempts in (0, 1):
        with ledger.begin() as connection:
            acks = Acks({**common, "status": AckStatus.SYNCED, "attempts": attempts}, columns)
            write_acks(connection, table, acks)
    with ledger.connect() as connection:
        query = sa.select(table).where(table.c.stream == common["stream"], table.c.acked_at == NOW)
        found = {row.record_key: row for row in connection.execute(query)}
    assert len(found) == rows
    for number, name in enumerate(names):
        row = found[name]
        assert (row.version, row.zoho_id, row.attempts) == (names[-1 - number], str(number), 1)
        assert (row.status, row.channel, row.job_id) == ("synced", "bulk_write", "j" * 32)
        assert row.next_attempt_at is None
        assert row.folded_key is None


def test_only_the_submitted_orders_of_the_job_become_due(ledger: Ledger) -> None:
    write(
        ledger,
        ack("mine", status=AckStatus.SUBMITTED, job_id="a"),
        ack("other job", status=AckStatus.SUBMITTED, job_id="b"),
        ack("done", job_id="a"),
    )
    with ledger.begin() as connection:
        keys = ["mine", "other job", "done"]
        count = make_due(
            connection, ledger.tables.ack, stream="orders", keys=keys, job_id="a", now=NOW, code="JOB_NEVER_CREATED"
        )
    assert count == 1
    assert (read(ledger, "mine").status, read(ledger, "mine").next_attempt_at) == ("rejected", NOW)
    assert read(ledger, "other job").status == "submitted"
    assert read(ledger, "done").status == "synced"


def test_orders_whose_keys_coincide_once_folded_are_found(ledger: Ledger) -> None:
    write(ledger, ack("SO-1", zoho_id="1"), ack("so-2", zoho_id="2", folded_key="SO-2"))
    write(ledger, ack("so-3", status=AckStatus.REJECTED, folded_key="SO-3"))
    keys = ["so-1", "SO-2", "so-2", "SO-3", "SO-4"]
    folded = {key: key.upper() for key in keys if key != key.upper()}
    with ledger.connect() as connection:
        twins = keys_folded_alike(connection, ledger.tables.ack, "orders", keys, folded)
    assert twins == {"so-1": "SO-1", "SO-2": "so-2"}  # so-3 was never written, so SO-3 overwrites nobody


def test_engines_without_an_upsert_of_their_own_write_the_same(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(acks_module._WRITERS, engine_of(ledger.engine.dialect).family)  # noqa: SLF001 - the fallback is the promise
    write(ledger, ack("K", zoho_id="42", error_message="x" * 999), ack("k"))
    write(ledger, ack("K"), ack("new"))
    row = read(ledger, "K")
    assert (row.attempts, row.zoho_id, row.error_message) == (2, "42", None)
    with ledger.connect() as connection:
        assert count_by_status(connection, ledger.tables.ack, "orders") == {"synced": 3}


def test_a_jobs_outcome_overwrites_no_ack_that_is_from_elsewhere_by_now(ledger: Ledger) -> None:
    submitted = {"status": AckStatus.SUBMITTED, "job_id": "job-1", "attempts": 0}
    elsewhere = [ack("newer", "v2", zoho_id="9"), ack("of another job", "v2", **submitted | {"job_id": "job-2"})]
    write(ledger, ack("ours", **submitted), *elsewhere)
    before = [read(ledger, each.record_key) for each in elsewhere]
    outcomes = Acks.of([ack(key, zoho_id="7", job_id="job-1") for key in ("ours", "newer", "of another job", "new")])
    table = ledger.tables.ack
    for _ in range(2):  # the answer to a commit may be lost
        with ledger.begin() as connection:
            assert not write_acks(connection, table, outcomes, of_job=True)
            keys = outcomes.differing["record_key"]
            found = from_elsewhere(connection, table, "orders", "job-1", keys)
            assert found == {each.record_key for each in elsewhere}
    assert [read(ledger, each.record_key) for each in elsewhere] == before
    assert (read(ledger, "ours").status, read(ledger, "ours").zoho_id, read(ledger, "new").zoho_id) == (
        "synced",
        "7",
        "7",
    )


def test_a_job_whose_acks_are_all_its_own_is_written_whole(ledger: Ledger) -> None:
    submitted = {"status": AckStatus.SUBMITTED, "job_id": "job-1", "attempts": 0}
    keys = [f"SO-{number}" for number in range(451)]
    write(ledger, *(ack(key, **submitted) for key in keys))
    outcomes = Acks.of([ack(key, zoho_id="7", job_id="job-1") for key in keys])
    with ledger.begin() as connection:
        assert write_acks(connection, ledger.tables.ack, outcomes, of_job=True)
    assert {read(ledger, key).zoho_id for key in keys} == {"7"}
