"""What became of each order is kept, run by run: `orders-sync history` and `orders-sync results` say it."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from pair_of_plugins import Shop

from orders_sync.cli import main
from sync_ledger import history
from sync_ledger.history import Packed, Settlement, prune
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from target_zoho_crm.batch import Channel
from target_zoho_crm.confirmation.history_notes import HistoryNotes
from target_zoho_crm.confirmation.outcomes import Outcome, Status

KEYS = [f"SO-{number}" for number in range(30)]


def operate(shop: Shop, *arguments: str, code: int = 0) -> str:
    ended = CliRunner().invoke(main, [*arguments, "--ack-url", shop.ack_url])
    assert ended.exit_code == code, ended.output
    return ended.stdout


def story(shop: Shop, key: str) -> Any:
    return json.loads(operate(shop, "history", key, "--json"))


def runs(shop: Shop) -> list[Any]:
    """The runs, the earliest first."""
    return rows(shop, "run", "started_at")


def rows(shop: Shop, table: str, by: str) -> list[Any]:
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.connect() as connection:
            of = getattr(ledger.tables, table)
            return list(connection.execute(sa.select(of).order_by(of.c[by])))
    finally:
        ledger.close()


def test_an_orders_story_has_its_first_write_its_change_and_its_refusal(any_shop: Shop) -> None:
    shop = any_shop
    shop.target_config["run_group"] = "backfill"
    shop.insert(KEYS)
    assert shop.run().code == 0
    assert [(row.order_count, row.record_key) for row in rows(shop, "outcome", "outcome_id")] == [(len(KEYS), None)]
    shop.change(["SO-3", "SO-4"])
    shop.change(["SO-5"], status="Shiped")
    assert shop.run().summary["rejected"] == 1
    first, second, third = story(shop, "SO-3"), story(shop, "SO-4"), story(shop, "SO-5")
    versions = shop.versions()
    for each in (first, second):
        assert [(one["status"], one["action"]) for one in each["outcomes"]] == [
            ("synced", "insert"), ("synced", "update"),
        ]  # fmt: skip
        assert {run["run_group"] for run in each["runs"].values()} == {"backfill"}
        assert each["outcomes"][1]["version"] == versions[each["key"]] != each["outcomes"][0]["version"]
    made, refused = third["outcomes"]
    assert (made["orders"], refused["orders"]) == (len(KEYS), 1)
    assert (refused["status"], refused["code"], refused["field"]) == ("rejected", "INVALID_DATA", "Status")
    assert made["zoho_id"] == shop.crm()["SO-5"]["id"]
    assert "orders-sync retry" in third["next"]
    assert "until it changes" in story(shop, "SO-0")["next"]
    told = operate(shop, "history", "SO-5")
    assert "rejected" in told
    last = told.splitlines()[2]
    assert "; refused before a call; run" in last
    assert "; call " not in last
    assert 'INVALID_DATA in field Status: Status "Shiped" is not in the picklist' in told
    assert "does not know this order" in operate(shop, "history", "SO-none", code=1)


def test_the_results_of_a_run_have_each_of_its_orders(shop: Shop) -> None:
    shop.insert(KEYS)
    shop.insert(["SO-bad"], status="odd")
    shop.target_config |= {"channel": "bulk_write"}
    assert shop.run().code == 0
    (run,) = runs(shop)
    found = {each["key"]: each for each in json.loads(operate(shop, "results", run.run_id, "--json"))["results"]}
    assert found.keys() == {*KEYS, "SO-bad"}
    crm = shop.crm()
    assert {key: found[key]["record_id"] for key in KEYS} == {key: crm[key]["id"] for key in KEYS}
    (job,) = shop.jobs()
    assert {found[key]["job"] for key in KEYS} == {job.job_id}
    assert (found["SO-bad"]["outcome"], found["SO-bad"]["field"]) == ("rejected", "Status")
    sheet = list(csv.DictReader(io.StringIO(operate(shop, "results", run.run_id[:8], "--csv"))))
    assert {line["key"]: line["outcome"] for line in sheet} == {key: found[key]["outcome"] for key in found}
    assert "SO-bad" in operate(shop, "results", run.run_id)
    assert "no run has this id" in CliRunner().invoke(main, ["results", "zz", "--ack-url", shop.ack_url]).output


def test_the_results_of_a_time_have_the_orders_of_all_its_runs_and_no_other(shop: Shop) -> None:
    shop.insert(KEYS)
    assert shop.run().code == 0
    shop.insert(["SO-bad"], status="odd")
    assert shop.run().code == 0
    first, second = runs(shop)
    began = second.started_at.isoformat()

    def keys_of(*options: str) -> list[str]:
        return [each["key"] for each in json.loads(operate(shop, "results", *options, "--json"))["results"]]

    assert sorted(keys_of("--since", first.started_at.isoformat())) == sorted([*KEYS, "SO-bad"])
    assert keys_of("--since", began) == ["SO-bad"]
    assert sorted(keys_of("--since", first.started_at.isoformat(), "--until", began)) == sorted(KEYS)
    assert keys_of("--since", "2999-01-01") == []
    listed = json.loads(operate(shop, "results", first.run_id, "--json"))["results"]
    last = datetime.fromisoformat(max(each["at"] for each in listed)) + timedelta(microseconds=1)
    assert keys_of("--since", last.isoformat(), "--until", began) == [], "the run had ended a moment later"
    assert operate(shop, "results", "--since", began).startswith("1 runs, ")
    for wrong in ([], ["--until", began], [first.run_id, "--since", began]):
        ended = CliRunner().invoke(main, ["results", *wrong, "--ack-url", shop.ack_url])
        assert ended.exit_code == 2
        assert "name a run by its ID, or a time by --since" in ended.output


def test_the_runs_of_a_group_add_up(shop: Shop) -> None:
    shop.target_config["run_group"] = "backfill"
    shop.insert(KEYS)
    assert shop.run().code == 0
    shop.insert(["SO-bad"], status="odd")
    assert shop.run().code == 0
    shop.target_config["run_group"] = None
    shop.run()
    document = json.loads(operate(shop, "runs", "--group", "backfill", "--json"))
    assert [each["counts"]["read"] for each in document["runs"]] == [len(KEYS), 1]
    sums = document["sums"]
    assert (sums["runs"], sums["how_ended"], sums["counts"]["synced"]) == (2, {"finished": 2}, len(KEYS))
    assert sums["counts"]["read"] == sum(count for name, count in sums["counts"].items() if name != "read")
    assert sums["credits"] == sum(each["credits"] for each in document["runs"]) > 0
    shown = operate(shop, "runs", "--last", "2")
    assert f"2 runs (2 finished) in {shown.partition(' in ')[2].partition(' s')[0]} s: 1 read, 1 rejected" in shown
    none = CliRunner().invoke(main, ["runs", "--group", "none", "--ack-url", shop.ack_url])
    assert (none.exit_code, "has no run of group 'none'" in none.output) == (1, True)


def test_a_group_ends_1_until_the_last_run_of_each_stream_has_finished(shop: Shop) -> None:
    shop.target_config["run_group"] = "backfill"
    shop.insert(KEYS)
    shop.run(kill_at="before:target_zoho_crm.api.client.ZohoClient.upsert")
    sums = json.loads(operate(shop, "runs", "--group", "backfill", "--json", code=1))["sums"]
    assert sums["how_ended"] == {"has ended without saying so": 1}
    assert shop.run().code == 0
    sums = json.loads(operate(shop, "runs", "--group", "backfill", "--json"))["sums"]
    assert sums["how_ended"] == {"died": 1, "finished": 1}


def test_a_run_keeps_its_settings_fingerprint_and_what_was_refused(shop: Shop) -> None:
    shop.insert(["SO-bad"], status="odd")
    assert shop.run().code == 0
    shop.target_config["client_secret"] = shop.emulator.client_secret
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    shop.target_config["timezone"] = "Europe/Berlin"
    shop.insert(["SO-2"])
    assert shop.run().code == 0
    first, second, third = runs(shop)
    assert first.settings_mark == second.settings_mark != third.settings_mark
    (cause,) = json.loads(operate(shop, "results", first.run_id, "--json"))["runs"][0]["causes"]
    assert (cause["code"], cause["field"], cause["orders"]) == ("INVALID_DATA", "Status", 1)
    assert second.causes is None


def test_what_is_forgotten_keeps_its_credits_and_its_history(shop: Shop) -> None:
    shop.insert(KEYS)
    assert shop.run().code == 0
    (run,) = runs(shop)
    spent = json.loads(operate(shop, "status", "--json", "--ledger-only"))["streams"][0]["credits_of_a_day"]
    assert spent >= run.credits > 0
    operate(shop, "forget", "--yes")
    status = json.loads(operate(shop, "status", "--json", "--ledger-only"))["streams"][0]
    assert (status["credits_of_a_day"], status["last_finished_at"]) == (spent, None)
    assert [each["action"] for each in story(shop, "SO-7")["outcomes"]] == ["insert"]
    again = shop.run()
    assert again.summary["synced"] == len(KEYS)
    assert "told to forget" in again.err
    assert [each["action"] for each in story(shop, "SO-7")["outcomes"]] == ["insert", "update"]
    shop.assert_all_synced()


def test_a_deletion_is_in_the_history(shop: Shop) -> None:
    shop.target_config["on_delete"] = "delete"
    shop.tap_config["find_deleted"] = True
    shop.insert(KEYS)
    assert shop.run().code == 0
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM orders WHERE order_id = 'SO-9'")
    assert shop.run().code == 0
    assert [each["status"] for each in story(shop, "SO-9")["outcomes"]] == ["synced", "deleted"]


def noted(ledger: Ledger) -> int:
    with ledger.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(ledger.tables.outcome)).scalar_one())


def test_a_transaction_whose_answer_was_lost_is_noted_once(engine_url: str) -> None:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    lease = Lease.acquire(ledger, "orders")
    notes = HistoryNotes(ledger.tables, lease).begin()
    outcomes = [Outcome(key, "1", Status.SYNCED, zoho_id="5", action="insert") for key in KEYS]
    for _ in range(2):
        with lease.timed_transaction() as (connection, now):
            notes.of_attempt(connection).outcomes(connection, now, outcomes, [], Channel.UPSERT, None)
    assert noted(ledger) == 1
    lease.release("finished", {}, 0)
    ledger.close()


def test_old_outcomes_and_those_above_the_limit_go_in_portions_the_oldest_first(
    engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PRUNED_AT_A_TIME", 4)
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    with ledger.begin() as connection:
        now, packed = ledger.now(connection), Packed(["SO-1"], ["1"], [None])
        for number in range(1, 11):
            settlement = Settlement("orders", "a", number)
            history.note_packed(
                connection, ledger.tables, settlement, now, packed, action="insert", channel=None, job_id=None
            )
    assert [prune(ledger, days=90, rows=3) for _ in range(3)] == [4, 3, 0]
    with ledger.connect() as connection:
        left = connection.execute(sa.select(ledger.tables.outcome.c.settlement)).scalars().all()
    assert sorted(left) == [8, 9, 10]
    assert prune(ledger, days=0, rows=1_000) == 3
    assert noted(ledger) == 0
    ledger.close()


def test_a_run_prunes_at_its_end(shop: Shop) -> None:
    shop.target_config |= {"history_rows": 2}
    for key in KEYS[:4]:
        shop.insert([key])
        assert shop.run().code == 0
    assert len(rows(shop, "outcome", "outcome_id")) == 2
