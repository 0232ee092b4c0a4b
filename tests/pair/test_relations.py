"""Orders that name their account by a value of it: found, missing, doubled, made, on both channels alike."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from named_accounts import accounts_of, by, insert, put_accounts
from pair_of_plugins import Shop

from orders_sync.cli import main

CHANNELS = ["upsert", "bulk_write"]
ORDERS, ACCOUNTS, MOST_QUERIES = 10_000, 3_000, 60


def accounts_in_orders(shop: Shop) -> dict[str, str | None]:
    """The account's id by the order's key."""
    return {key: (record.get("Account") or {}).get("id") for key, record in shop.crm().items()}


def asked(shop: Shop, endpoint: str) -> int:
    return int(shop.emulator.admin.stats()["requests"].get(endpoint, 0))


@pytest.mark.nightly
def test_ten_thousand_orders_over_three_thousand_accounts_take_sixty_queries(shop: Shop) -> None:
    shop.target_config = {"channel": "upsert", "fields": by("Legacy_Id"), "trigger": []}
    names = [f"C-{number:04}" for number in range(ACCOUNTS)]
    ids = put_accounts(shop, *names)
    for number, name in enumerate(names):
        shop.insert([f"SO-{number}-{turn}" for turn in range(ORDERS // ACCOUNTS)], customer_name=name)
    shop.insert([f"SO-{number}-x" for number in range(ORDERS % ACCOUNTS)], customer_name=names[0])
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] == ORDERS
    queries = asked(shop, "coql")
    print(f"{ORDERS:,} orders over {ACCOUNTS:,} accounts: {queries} COQL calls")  # noqa: T201 - the figure to show
    assert queries <= MOST_QUERIES
    expected = {key: ids[order.customer_name] for key, order in shop.orders().items()}
    assert accounts_in_orders(shop) == expected


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_missing_account_refuses_the_order_by_its_name(shop: Shop, channel: str) -> None:
    shop.target_config = {"channel": channel, "fields": by("Legacy_Id")}
    ids = put_accounts(shop, "Here", "O'Neil \\ Söhne")
    insert(shop, {"A": "Here", "B": " here ", "C": "Gone", "D": None, "E": "O'Neil \\ Söhne"})
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert accounts_in_orders(shop) == {"A": ids["Here"], "B": ids["Here"], "D": None, "E": ids["O'Neil \\ Söhne"]}
    ack = shop.acks()["C"]
    assert (ack.status, ack.family) == ("rejected", "data")
    assert (ack.error_code, ack.error_field) == ("MISSING_PARENT", "Account")
    what_to_do = "create it and send the order again, or see on_missing_parent"
    assert ack.error_message == f"Accounts 'Gone' (by Legacy_Id) does not exist; {what_to_do}"
    (said,) = [line for line in ended.err.splitlines() if "in field Account" in line]
    for text in (said, CliRunner().invoke(main, ["problems", "--ack-url", shop.ack_url]).output):
        assert "Create it in the CRM, then `orders-sync retry` the order; or see `on_missing_parent`." in text
        assert "Correct the order" not in text
        assert "A value does not fit" not in text
    assert asked(shop, "coql") == (1 if channel == "upsert" else 0)
    assert ("; 1 more for looking parents up" in ended.err) == (channel == "upsert")


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_missing_account_is_made_before_its_orders(shop: Shop, channel: str) -> None:
    shop.target_config = {"channel": channel, "fields": by("Legacy_Id", "create")}
    put_accounts(shop, "Here")
    insert(shop, {"A": "Here", "B": "New", "C": "NEW", "D": "Newer"})
    ended = shop.run()
    assert ended.code == 0, ended.err
    ids = accounts_of(shop)
    assert set(ids) == {"Here", "New", "Newer"}
    assert accounts_in_orders(shop) == {"A": ids["Here"], "B": ids["New"], "C": ids["New"], "D": ids["Newer"]}
    made = {account["Legacy_Id"]: account["Account_Name"] for account in shop.emulator.admin.records("Accounts")}
    assert made == {"Here": "Name of Here", "New": "New", "Newer": "Newer"}


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_order_may_go_without_its_account_and_that_is_counted(shop: Shop, channel: str) -> None:
    shop.target_config = {"channel": channel, "fields": by("Legacy_Id", "null")}
    ids = put_accounts(shop, "Here")
    insert(shop, {"A": "Here", "B": "Gone", "C": "gone", "D": None})
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert accounts_in_orders(shop) == {"A": ids["Here"], "B": None, "C": None, "D": None}
    assert ended.summary["synced"] == 4
    line = "2 orders of stream 'orders' were sent without Account: Accounts has no Legacy_Id 'Gone', 'gone'"
    assert line in ended.err


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_name_that_two_accounts_have_refuses_the_order(shop: Shop, channel: str) -> None:
    shop.target_config = {"channel": channel, "fields": by("Account_Name")}
    shop.emulator.admin.put_records(
        "Accounts", [{"Account_Name": "Twin"}, {"Account_Name": "TWIN"}, {"Account_Name": "One", "Legacy_Id": "1"}]
    )
    insert(shop, {"A": "Twin", "B": "one"})
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert accounts_in_orders(shop) == {"B": accounts_of(shop)["1"]}
    ack = shop.acks()["A"]
    assert (ack.status, ack.error_code, ack.error_field) == ("rejected", "DUPLICATE_DATA", "Account")
    assert ack.error_message == "Accounts 'Twin' (by Account_Name) is there more than once; merge them"
