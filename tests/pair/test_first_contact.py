"""The first ten orders of a destination are read back and compared before the eleventh is written."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import replace

import forked
import pytest
from careful_shop import FIRST, CarefulShop, found
from click.testing import CliRunner
from pair_of_plugins import PROCESS_SECONDS, TESTS, start

from orders_sync.cli import main
from zoho_crm_emulator.emulator import USERS


def keys(count: int, start: int = 1) -> list[str]:
    return [f"SO-{number}" for number in range(start, start + count)]


def test_a_difference_stops_the_run_before_the_eleventh_order_until_a_person_accepts_it(careful: CarefulShop) -> None:
    careful.insert(keys(30), notes="a secret of the order")
    careful.alter({"field": "Total_Amount", "does": "round", "value": 1})
    first = careful.run()
    assert first.code == 4
    assert found(first) == {("Total_Amount", "rounded")}
    assert len(careful.crm()) == FIRST
    assert {ack.status for ack in careful.acks().values()} == {"synced"}
    assert len(careful.acks()) == FIRST
    assert "secret of" not in first.err
    assert "0.99" not in first.err

    again = careful.run()
    assert again.code == 4, "without a decision the next ten orders stop too"
    assert len(careful.crm()) == 2 * FIRST

    listed = careful.accept()
    assert listed.code == 0, listed.err
    assert "Total_Amount" in listed.out
    assert "0.99" in listed.out
    accepted = careful.accept("--field", "Total_Amount")
    assert accepted.code == 0, accepted.err
    third = careful.run()
    assert third.code == 0, third.err
    assert len(careful.crm()) == 30
    assert "first contact" not in third.err


@pytest.mark.nightly
def test_an_audit_does_not_count_what_was_accepted(careful: CarefulShop) -> None:
    careful.insert(keys(12))
    careful.alter({"field": "Total_Amount", "does": "round", "value": 1})
    careful.run()
    tap, target = map(str, careful.configs())
    audit = ["audit", "--tap-config", tap, "--target-config", target]
    assert "10 differs" in CliRunner().invoke(main, audit).output
    assert careful.accept("--all").code == 0
    careful.run()
    assert CliRunner().invoke(main, audit).exit_code == 0


def test_the_wait_for_the_first_orders_ends_when_the_run_is_asked_to_stop(careful: CarefulShop) -> None:
    careful.insert(keys(12))
    tap, target = careful.configs()
    source = start(forked.command("tap-legacy-orders", ["--config", tap]))
    sink = start(forked.command(TESTS / "contact_soon.py", ["3600", "--config", target]), stdin=source.stdout)
    assert source.stdout is not None
    assert source.stderr is not None
    assert sink.stderr is not None
    source.stdout.close()
    log = next(line for line in sink.stderr if "they are read back in" in line)
    sink.send_signal(signal.SIGTERM)
    sink.communicate(timeout=PROCESS_SECONDS)
    source.communicate()
    assert sink.returncode == 128 + signal.SIGTERM, log
    assert len(careful.crm()) == 10


def test_without_a_difference_the_others_follow_in_the_same_run_for_one_credit_more(careful: CarefulShop) -> None:
    careful.insert(keys(30))
    ended = careful.run()
    assert ended.code == 0, ended.err
    assert "10 orders were read back, and hold what was sent" in ended.err
    careful.assert_all_synced()
    spent = careful.emulator.admin.stats()["credits"]["by_kind"]
    assert (spent["write"], spent["read"]) == (3, 1)


@pytest.mark.nightly
def test_fewer_orders_are_compared_at_the_end_of_their_run_and_the_next_run_goes_on_to_ten(
    careful: CarefulShop,
) -> None:
    careful.insert(keys(3))
    assert "3 orders were read back" in careful.run().err
    careful.insert(keys(10, start=4))
    careful.alter({"field": "Customer_Name", "does": "set", "value": "nobody"})
    second = careful.run()
    assert (second.code, found(second)) == (4, {("Customer_Name", "overwritten")})
    assert len(careful.crm()) == 10
    assert careful.accept("--all").code == 0
    careful.run()
    assert len(careful.crm()) == 13


def test_what_differs_at_the_end_of_a_run_is_why_it_is_not_complete(careful: CarefulShop) -> None:
    file = careful.folder / "runs.jsonl"
    careful.target_config["summary_file"] = str(file)
    careful.insert(keys(3))
    careful.alter({"field": "Customer_Name", "does": "set", "value": "nobody"})
    assert careful.run().code == 4
    line = json.loads(file.read_text())
    assert (line["how_ended"], line["complete"]) == ("finished", False)
    assert "Customer_Name  overwritten" in line["error"]
    with careful.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT error FROM zoho_sync_run").scalars().all()
    assert kept == [line["error"]]


def test_a_ledger_of_before_meets_none_of_it(careful: CarefulShop) -> None:
    careful.target_config["first_contact"] = "off"
    careful.insert(keys(2))
    careful.run()
    careful.target_config["first_contact"] = None
    careful.alter({"field": "Customer_Name", "does": "set", "value": "nobody"})
    careful.insert(keys(12, start=3))
    ended = careful.run()
    assert ended.code == 0, ended.err
    assert len(careful.crm()) == 14
    assert "first contact" not in ended.err


@pytest.mark.nightly
def test_a_kill_between_the_first_orders_and_their_comparison_leaves_the_contact_to_the_next_run(
    careful: CarefulShop,
) -> None:
    careful.insert(keys(25))
    careful.alter({"field": "Customer_Name", "does": "set", "value": "nobody"})
    careful.run(kill_at="before:target_zoho_crm.delivery.first_contact.FirstContact.settle_full")
    assert len(careful.crm()) == 10
    second = careful.run()
    assert (second.code, len(careful.crm())) == (4, 20)


JOBS = {"bulk_rows": 100, "bulk_threshold": 20}


def test_the_first_job_is_the_remainder_of_the_load_and_is_compared_before_a_second_one_begins(
    careful: CarefulShop,
) -> None:
    careful.insert(keys(250))
    careful.target_config |= JOBS
    ended = careful.run()
    assert ended.code == 0, ended.err
    careful.assert_all_synced()
    jobs = sorted(careful.jobs(), key=lambda job: job.intended_at)
    assert [job.row_count for job in jobs] == [40, 100, 100]
    assert jobs[0].updated_at <= jobs[1].intended_at
    assert careful.emulator.admin.stats()["credits"]["by_kind"]["read"] == 3


def test_what_only_jobs_do_stops_the_run_before_the_second_one(careful: CarefulShop) -> None:
    careful.insert(keys(250))
    careful.target_config |= JOBS
    careful.alter({"field": "Total_Amount", "does": "round", "value": 1, "by": "jobs"})
    first = careful.run()
    assert (first.code, found(first)) == (4, {("Total_Amount", "rounded")})
    assert [job.row_count for job in careful.jobs()] == [40]
    assert len(careful.crm()) == 50
    assert careful.accept("--all").code == 0
    second = careful.run()
    assert second.code == 0, second.err
    assert len(careful.crm()) == 250
    assert sorted(job.row_count for job in careful.jobs()) == [40, 100, 100]


@pytest.mark.nightly
def test_the_first_job_is_compared_once_more_at_the_end(careful: CarefulShop) -> None:
    careful.insert(keys(250))
    careful.target_config |= JOBS
    admin = careful.emulator.admin
    second_job = admin.add_fault("bulk_create", kind="hold_before", after=1)

    def change_all() -> None:
        admin.wait_held(second_job)
        admin.put_records("Orders", [{"parent_id": key, "Status": "Returned"} for key in keys(50)])
        admin.release(second_job)

    changing = threading.Thread(target=change_all)
    changing.start()
    ended = careful.run()
    changing.join()
    assert (ended.code, found(ended)) == (4, {("Status", "other choice")})
    assert len(careful.jobs()) == 3
    assert set(careful.acks()) == set(keys(250)), "every order is in the CRM and acknowledged"


@pytest.mark.nightly
def test_a_ledger_that_is_not_kept_is_named(careful: CarefulShop) -> None:
    careful.insert(keys(12))
    first = careful.run()
    assert (first.code, "not kept" in first.err) == (0, False), first.err
    careful.emulator.admin.put_records("Orders", [{"parent_id": "SO-1"}], user=str(next(reversed(USERS))))
    ledger = f"sqlite:///{careful.folder}/new.sqlite"
    again = replace(careful, folder=careful.folder / "again", ack_url=ledger)
    again.folder.mkdir()
    ended = again.run()
    assert "9 of its first 10 orders are in module Orders already, written within a day" in ended.err
    assert ended.code == 0, ended.err


@pytest.mark.nightly
def test_orders_of_a_token_that_may_not_read_go_on_and_that_is_said(careful: CarefulShop) -> None:
    careful.insert(keys(12))
    scopes = ["ZohoCRM.modules.CREATE", "ZohoCRM.modules.UPDATE", "ZohoCRM.settings.ALL", "ZohoCRM.org.READ"]
    careful.target_config["refresh_token"] = careful.emulator.admin.grant(scopes)
    ended = careful.run()
    assert ended.code == 0, ended.err
    assert "cannot be compared, and go on" in ended.err
    assert len(careful.crm()) == 12


@pytest.mark.nightly
def test_a_run_that_lasts_compares_a_few_orders_without_waiting_for_ten(careful: CarefulShop) -> None:
    careful.insert(keys(3))
    careful.alter({"field": "Customer_Name", "does": "set", "value": "nobody"})
    careful.tap_config = {"follow": True, "poll_interval_seconds": 0.2, "settle_seconds": 0}
    careful.target_config |= {"max_age_seconds": 0.1}
    tap, target = careful.configs()
    source = start(forked.command("tap-legacy-orders", ["--config", tap]))
    sink = start(forked.command(TESTS / "contact_soon.py", ["0", "--config", target]), stdin=source.stdout)
    assert source.stdout is not None
    source.stdout.close()
    _, log = sink.communicate(timeout=PROCESS_SECONDS)
    source.terminate()
    source.communicate()
    assert (sink.returncode, len(careful.crm())) == (4, 3), log
    assert "Customer_Name  overwritten" in log
