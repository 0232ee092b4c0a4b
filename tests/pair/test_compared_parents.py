"""Comparing orders with the CRM asks for their parents, and does nothing else about them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from careful_shop import CarefulShop
from emulator_client import Client
from named_accounts import accounts_of, by, insert, put_accounts


def test_an_order_that_went_without_its_account_is_counted_once_though_it_is_read_back(careful: CarefulShop) -> None:
    careful.target_config |= {"fields": by("Legacy_Id", "null")}
    put_accounts(careful, "Here")
    insert(careful, {"A": "Here", "B": "Gone", "C": "gone", "D": None})
    ended = careful.run()
    assert ended.code == 0, ended.err
    assert "2 orders of stream 'orders' were sent without Account" in ended.err


def test_an_account_that_goes_before_the_first_job_is_compared_makes_no_synced_order_a_rejected_one(
    careful: CarefulShop,
) -> None:
    careful.target_config |= {"fields": by("Legacy_Id"), "bulk_rows": 100, "bulk_threshold": 20}
    put_accounts(careful, "Here", "Going")
    keys = [f"SO-{number}" for number in range(50)]
    insert(careful, {key: "Here" if number < 40 else "Going" for number, key in enumerate(keys)})
    admin = careful.emulator.admin
    result = admin.add_fault("bulk_result", kind="hold_before")
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(careful.run)
        admin.wait_held(result)
        answer = Client(careful.emulator).delete(f"/crm/v8/Accounts?ids={accounts_of(careful)['Going']}")
        assert {each["code"] for each in answer.json()["data"]} == {"SUCCESS"}
        admin.release(result)
        ended = run.result()
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] == 50
    assert {ack.status for ack in careful.acks().values()} == {"synced"}
