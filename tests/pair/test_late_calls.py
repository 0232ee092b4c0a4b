"""A call that lands later than a newer version was written: found once it cannot land any more, in every set-up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from flag_shop import FlagShop
from pair_of_plugins import ORDERS, Shop, differences
from shop_with_lines import TO_MODULE, TO_SUBFORM, ShopWithLines
from writes_in_doubt import in_doubt, leave, time_passes

from sync_ledger.writes_under_way import WriteKind

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

KEYS = [f"SO-{number}" for number in range(12)]
LATE = KEYS[:3]
HOURS = 1.1
"""After which no access token of then lives any more."""


def written_late(shop: Shop, kind: WriteKind = WriteKind.UPSERT) -> None:
    """Two versions of each order are written; then the first one of some lands again, of a run that is over."""
    shop.insert(KEYS)
    assert shop.run().code == 0
    versions = {key: shop.acks()[key].version for key in LATE}
    old = {key: record for key, record in shop.crm().items() if key in LATE}
    shop.change(KEYS, status="Paid", customer_name="New")
    assert shop.run().code == 0
    leave(shop, versions, kind)
    fields = ("parent_id", "Status", "Customer_Name")
    shop.emulator.admin.put_records("Orders", [{name: old[key][name] for name in fields} for key in LATE])


def assert_mended(shop: Shop) -> None:
    before = shop.run()
    assert before.code == 0
    assert shop.crm()[LATE[0]]["Customer_Name"] != "New"  # until nothing can land any more
    time_passes(shop, hours=HOURS)
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] == len(LATE)
    assert in_doubt(shop) == []
    shop.assert_all_synced()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_older_version_that_a_call_wrote_late_does_not_stay(
    any_shop: Shop,
    tmp_path: Path,
    elsewhere: bool,  # noqa: FBT001
) -> None:
    if elsewhere:
        any_shop.ack_url = f"sqlite:///{tmp_path}/elsewhere.sqlite"
    written_late(any_shop)
    assert_mended(any_shop)


@pytest.mark.nightly
@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_nor_where_unchanged_orders_are_skipped(shop: Shop, channel: str) -> None:
    shop.target_config = {"channel": channel, "skip_unchanged": True}
    written_late(shop)
    assert_mended(shop)


def test_nor_where_a_flag_says_what_is_unsynced(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = FlagShop.open(sqlite_url, zoho_emulator, tmp_path)
    written_late(shop)
    assert_mended(shop)
    with shop.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM orders WHERE NOT synced")).scalar_one() == 0
    shop.engine.dispose()


@pytest.mark.nightly
@pytest.mark.parametrize("write_to", [TO_MODULE, TO_SUBFORM])
def test_orders_with_lines_are_written_again_whole(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, write_to: dict[str, Any]
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to=dict(write_to))
    shop.insert_whole(KEYS, most_lines=4)
    assert shop.run().code == 0
    for kind in (WriteKind.UPSERT, WriteKind.LINES):
        leave(shop, dict.fromkeys(LATE, "an older one"), kind)
        late = [{"parent_id": key, "Customer_Name": "Old"} for key in LATE]
        shop.emulator.admin.put_records("Orders", late)
        time_passes(shop, hours=HOURS)
        assert shop.run().summary["synced"] == len(LATE)
        shop.assert_whole()
    shop.engine.dispose()


def test_a_lookup_is_compared_by_the_record_that_its_value_leads_to(shop: Shop) -> None:
    names = ("C-1", "C-2")
    accounts = [{"Account_Name": f"Name of {name}", "Legacy_Id": name} for name in names]
    first, second = shop.emulator.admin.put_records("Accounts", accounts)
    shop.target_config["fields"] = {"Account": {"source": "customer_name", "find_by": "Legacy_Id"}}
    shop.insert(KEYS, customer_name="C-2")
    assert shop.run().code == 0
    leave(shop, dict.fromkeys(LATE, "an older one"))
    shop.emulator.admin.put_records("Orders", [{"parent_id": LATE[0], "Account": {"id": first}}])
    time_passes(shop, hours=HOURS)
    ended = shop.run()
    assert (ended.summary["synced"], ended.summary["unchanged"]) == (1, 2)
    assert "differ from the CRM in Account" in ended.err
    assert shop.crm()[LATE[0]]["Account"]["id"] == second


def test_an_order_in_doubt_that_was_deleted_meanwhile_is_deleted(shop: Shop) -> None:
    shop.tap_config = {"find_deleted": True}
    shop.target_config = {"on_delete": "delete", "max_delete_percent": 100}
    written_late(shop)
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(ORDERS).where(ORDERS.c.order_id == LATE[0]))
    time_passes(shop, hours=HOURS)
    for _ in range(2):
        assert shop.run().code == 0
    assert shop.acks()[LATE[0]].status == "deleted"
    assert set(shop.crm()) == set(KEYS[1:])
    orders, crm = shop.orders(), shop.crm()
    assert not any(differences(order, crm[key]) for key, order in orders.items())


def test_an_order_that_changed_meanwhile_is_written_like_any_other(shop: Shop) -> None:
    written_late(shop)
    time_passes(shop, hours=HOURS)
    shop.change(LATE[:1], customer_name="Newest")
    ended = shop.run()
    assert "in doubt: 2 compared" in ended.err
    shop.assert_all_synced()


def test_where_the_crm_cannot_be_read_the_order_stays_in_doubt(shop: Shop) -> None:
    written_late(shop)
    time_passes(shop, hours=HOURS)
    fault = shop.emulator.admin.add_fault("read_many", kind="answer", canned="unavailable")
    shop.target_config["max_attempts"] = 2
    assert shop.run().code != 0
    assert {shop.acks()[key].error_code for key in LATE} == {"IN_DOUBT"}
    shop.emulator.admin.remove_fault(fault)
    assert shop.run().summary["synced"] == len(LATE)
    shop.assert_all_synced()


def test_a_budget_that_does_not_suffice_leaves_the_order_in_doubt(shop: Shop) -> None:
    written_late(shop)
    time_passes(shop, hours=HOURS)
    shop.target_config["credit_budget"] = 3
    shop.run()
    assert all(shop.acks()[key].status != "synced" or shop.crm()[key]["Customer_Name"] == "New" for key in LATE)
    del shop.target_config["credit_budget"]
    shop.run()
    shop.assert_all_synced()
