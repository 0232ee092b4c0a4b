"""Orders that name their account by a value of it, in the column `customer_name`."""

from __future__ import annotations

from typing import Any

from pair_of_plugins import Shop


def by(find_by: str, on_missing: str | None = None) -> dict[str, Any]:
    """The `fields` by which `customer_name` holds a value of the account."""
    account = {"source": "customer_name", "find_by": find_by, "on_missing_parent": on_missing}
    return {"Account": {name: value for name, value in account.items() if value is not None}}


def put_accounts(shop: Shop, *names: str) -> dict[str, str]:
    """Put accounts into the CRM; their ids by legacy id."""
    accounts = [{"Account_Name": f"Name of {name}", "Legacy_Id": name} for name in names]
    shop.emulator.admin.put_records("Accounts", accounts)
    return accounts_of(shop)


def accounts_of(shop: Shop) -> dict[str, str]:
    return {account["Legacy_Id"]: account["id"] for account in shop.emulator.admin.records("Accounts")}


def insert(shop: Shop, accounts: dict[str, str | None]) -> None:
    """Put one order into the shop for each name of an account."""
    for key, name in accounts.items():
        shop.insert([key], customer_name=name)
