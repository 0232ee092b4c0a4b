"""From `meltano init` to a CRM that holds what the shop's tables hold, by the commands and settings of the pages.

Each night also with Northwind in PostgreSQL and WooCommerce in MariaDB, whose tables and settings the recipes have.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
import yaml
from meltano_project import ROOT, Project

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

PAGES = ROOT / "docs"
MOST_COMMANDS = 12
CHECKOUT = "/srv/orders-sync"
CHINOOK = """
CREATE TABLE Customer (CustomerId INTEGER PRIMARY KEY, FirstName NVARCHAR(40) NOT NULL, LastName NVARCHAR(20) NOT NULL,
    Company NVARCHAR(80), Address NVARCHAR(70), City NVARCHAR(40), State NVARCHAR(40), Country NVARCHAR(40),
    PostalCode NVARCHAR(10), Phone NVARCHAR(24), Fax NVARCHAR(24), Email NVARCHAR(60) NOT NULL, SupportRepId INTEGER);
CREATE TABLE Invoice (InvoiceId INTEGER PRIMARY KEY, CustomerId INTEGER NOT NULL, InvoiceDate DATETIME NOT NULL,
    BillingAddress NVARCHAR(70), BillingCity NVARCHAR(40), BillingState NVARCHAR(40), BillingCountry NVARCHAR(40),
    BillingPostalCode NVARCHAR(10), Total NUMERIC(10,2) NOT NULL);
CREATE TABLE InvoiceLine (InvoiceLineId INTEGER PRIMARY KEY, InvoiceId INTEGER NOT NULL, TrackId INTEGER NOT NULL,
    UnitPrice NUMERIC(10,2) NOT NULL, Quantity INTEGER NOT NULL);
INSERT INTO Customer VALUES
    (1, 'Luís', 'Gonçalves', 'Embraer', 'Av. 2170', 'São José', 'SP', 'Brazil', '12227-000', '+55 (12) 3923-5555',
     NULL, 'luisg@example.com', 3),
    (2, 'Leonie', 'Köhler', NULL, 'Theodor-Heuss-Straße 34', 'Stuttgart', NULL, 'Germany', '70174', NULL,
     '+49 711 2842', 'leonie@example.com', 5);
INSERT INTO Invoice VALUES
    (1, 2, '2021-01-01 00:00:00', 'Theodor-Heuss-Straße 34', 'Stuttgart', NULL, 'Germany', '70174', 1.98),
    (2, 1, '2021-01-02 13:30:00', 'Av. 2170', 'São José', 'SP', 'Brazil', '12227-000', 3.96),
    (3, 2, '2021-01-03 00:00:00', NULL, NULL, NULL, NULL, NULL, 0);
INSERT INTO InvoiceLine VALUES (1, 1, 2, 0.99, 1), (2, 1, 4, 0.99, 1), (3, 2, 6, 0.99, 4)
"""
USERS = """;
CREATE TABLE wp_users (
    ID bigint unsigned AUTO_INCREMENT PRIMARY KEY, user_login varchar(60) NOT NULL, user_pass varchar(255) NOT NULL,
    user_email varchar(100) NOT NULL, user_registered datetime NOT NULL, display_name varchar(250) NOT NULL
);
INSERT INTO wp_users VALUES (1, 'zoe', '$P$1', 'zoe@example.com', '2026-01-01 00:00:00', 'Zoë Ünal'),
    (2, 'bob', '$P$2', 'bob@example.com', '2026-01-02 00:00:00', 'Bob')
"""
OF_ACCOUNTS = ("First_Name", "Company", "Street", "State", "Postal_Code", "Fax", "Email", "Support_Rep")
OF_ORDERS = ("Billing_Street", "Billing_City", "Billing_State", "Billing_Code")
CUSTOMERS_OF = {
    "northwind": "SELECT customer_id, company_name FROM customers",
    "woocommerce": "SELECT ID, display_name FROM wp_users",
}
CUSTOMERS = """SELECT CustomerId, FirstName, LastName, Company, Address, City, State, Country, PostalCode, Phone, Fax,
    Email, SupportRepId FROM Customer"""
ACCOUNT_FIELDS = (
    *("Legacy_Id", "First_Name", "Account_Name", "Company", "Street", "Billing_City", "State", "Billing_Country"),
    *("Postal_Code", "Phone", "Fax", "Email", "Support_Rep"),
)
INVOICES = """SELECT InvoiceId, CustomerId, strftime('%Y-%m-%dT%H:%M:%S+00:00', InvoiceDate), BillingAddress,
    BillingCity, BillingState, BillingCountry, BillingPostalCode, Total FROM Invoice"""
ORDER_FIELDS = (
    *("parent_id", "Account", "Ordered_At", "Billing_Street", "Billing_City", "Billing_State", "Country"),
    *("Billing_Code", "Total_Amount"),
)
LINES = "SELECT InvoiceLineId, InvoiceId, TrackId, UnitPrice, Quantity FROM InvoiceLine"
LINE_FIELDS = ("line_id", "Order", "Product", "Unit_Price", "Quantity")


def typed_on(page: str, heading: str) -> list[str]:
    """The commands of the first block under a heading of a page."""
    text = (PAGES / page).read_text(encoding="utf-8").partition(f"## {heading}\n")[2]
    return [line for line in text.partition("```\n")[2].partition("```")[0].splitlines() if line]


def pairs_of(recipe: str) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """The plugins that a recipe adds, and the words of its command to run them."""
    page = (PAGES / "recipes" / f"{recipe}.md").read_text(encoding="utf-8")
    block = page[page.index("```yaml\nextractors:") :].partition("```yaml\n")[2].partition("```")[0]
    run = next(line for line in page.splitlines() if line.startswith("meltano run"))
    return yaml.safe_load(block), run.split()[1:]


def begun(parent: Path) -> Project:
    """A project made by the commands of the page, which are noted; the wheel is there already."""
    project = Project(parent / "crm")
    for line in typed_on("get-started.md", "In a Meltano project of your own"):
        words = line.replace(CHECKOUT, str(ROOT)).split()
        if words[0] == "meltano":
            said = project.run(*words, folder=parent if words[1] == "init" else None)
            assert said.code == 0, said.out
        else:
            assert words[0] in {"make", "export", "cd"}, line
            project.typed.append(line)
    return project


def connect(project: Project, emulator: EmulatorProcess, url: str) -> None:
    """Write `.env`, as one edit."""
    project.typed.append("$EDITOR .env")
    project.write_env(
        {
            "TAP_LEGACY_ORDERS_SQLALCHEMY_URL": url,
            "TARGET_ZOHO_CRM_ACK_URL": url,
            "TARGET_ZOHO_CRM_CLIENT_ID": emulator.client_id,
            "TARGET_ZOHO_CRM_CLIENT_SECRET": emulator.client_secret,
            "TARGET_ZOHO_CRM_REFRESH_TOKEN": emulator.refresh_token,
            **{f"TARGET_ZOHO_CRM_{each}_URL": emulator.base_url for each in ("ACCOUNTS", "API", "UPLOAD")},
        }
    )


def edit(project: Project, change: Callable[[dict[str, Any]], None]) -> None:
    """Change meltano.yml, as one edit."""
    project.typed.append("$EDITOR meltano.yml")
    settings = project.settings
    change(settings["plugins"])
    (project.folder / "meltano.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Callable[[Project], None]:
    """Notes the commands that were typed, and the minutes."""
    started = time.monotonic()

    def noted(project: Project) -> None:
        assert len(project.typed) <= MOST_COMMANDS, project.typed
        record_property("commands typed", len(project.typed))
        record_property("minutes", round((time.monotonic() - started) / 60, 1))

    return noted


def test_chinook_in_sqlite_with_customers_and_lines(
    zoho_emulator: EmulatorProcess, sqlite_url: str, tmp_path: Path, note: Callable[[Project], None]
) -> None:
    write(sqlite_url, CHINOOK)
    for module, names in {"Accounts": OF_ACCOUNTS, "Orders": OF_ORDERS}.items():
        for name in names:
            zoho_emulator.admin.add_field(module, name, "text", length=100)
    added, run = pairs_of("chinook")

    project = begun(tmp_path)
    edit(project, lambda plugins: [plugins[kind].extend(each) for kind, each in added.items()] and None)
    connect(project, zoho_emulator, sqlite_url)
    ran = project.meltano(*run)
    note(project)

    accounts, orders, lines = (
        list(zoho_emulator.admin.records(name)) for name in ("Accounts", "Orders", "Order_Lines")
    )
    assert values(accounts, ACCOUNT_FIELDS) == rows(sqlite_url, CUSTOMERS), ran
    customers = {each["id"]: each["Legacy_Id"] for each in accounts}
    assert values(orders, ORDER_FIELDS, Account=customers) == rows(sqlite_url, INVOICES)
    keys = {each["id"]: each["parent_id"] for each in orders}
    assert values(lines, LINE_FIELDS, Order=keys) == rows(sqlite_url, LINES)

    status = project.run("orders-sync", "status", "--ack-url", sqlite_url)
    assert status.code == 0, status.out
    assert "Customer" in status.out
    assert "Invoice" in status.out
    again = project.meltano(*run)
    assert again.count("read 0 = 0 synced") == 2, again


@pytest.mark.nightly
@pytest.mark.parametrize(("recipe", "engine"), [("northwind", "postgresql_url"), ("woocommerce", "mariadb_url")])
def test_a_recipes_shop(
    recipe: str,
    engine: str,
    zoho_emulator: EmulatorProcess,
    tmp_path: Path,
    note: Callable[[Project], None],
    request: pytest.FixtureRequest,
) -> None:
    url = request.getfixturevalue(engine)
    shop_of = {"northwind": northwind, "woocommerce": woocommerce}[recipe]
    tap, target, assert_the_same = shop_of(url, zoho_emulator, tmp_path)
    added, run = pairs_of(recipe)

    def with_settings(plugins: dict[str, Any]) -> None:
        for kind, parent, name, config in (
            ("extractors", "tap-legacy-orders", "tap-orders", tap),
            ("loaders", "target-zoho-crm", "target-orders", target),
        ):
            plugins[kind] += [*added[kind], {"name": name, "inherit_from": parent, "config": config}]

    project = begun(tmp_path)
    edit(project, with_settings)
    connect(project, zoho_emulator, url)
    project.meltano(*run)
    note(project)
    assert_the_same()
    accounts = list(zoho_emulator.admin.records("Accounts"))
    assert values(accounts, ("Legacy_Id", "Account_Name")) == rows(url, CUSTOMERS_OF[recipe])


Opened = tuple[dict[str, Any], dict[str, Any], Callable[[], None]]


def northwind(url: str, emulator: EmulatorProcess, folder: Path) -> Opened:
    recipe = module_of("test_northwind")
    shop = recipe.Northwind(url, emulator, folder)
    tap, target = recipe.settings()
    return tap, target, lambda: recipe.assert_the_same(shop)


def woocommerce(url: str, emulator: EmulatorProcess, folder: Path) -> Opened:  # noqa: ARG001 - as the other
    recipe, shops = module_of("test_woocommerce"), module_of("recipe_shop")
    page = shops.Page.read("woocommerce")
    parts = {"tables": recipe.TABLES + USERS, "orders": recipe.ORDERS, "lines": recipe.LINES}
    shop = shops.RecipeShop(url, emulator, page, **parts)
    return page.tap, page.target, shop.assert_the_same


def module_of(name: str) -> ModuleType:
    """A file beside this one: the tests of recipes are no package."""
    spec = importlib.util.spec_from_file_location(f"first_hour_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def write(url: str, statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements.split(";"):
            connection.exec_driver_sql(statement)
    engine.dispose()


def rows(url: str, query: str) -> set[tuple[str | None, ...]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = {tuple(map(plain, row)) for row in connection.exec_driver_sql(query)}
    engine.dispose()
    return found


def values(
    records: list[dict[str, Any]], fields: tuple[str, ...], **references: dict[str, str]
) -> set[tuple[Any, ...]]:
    found = set()
    for record in records:
        known = record | {name: ids[record[name]["id"]] for name, ids in references.items()}
        found.add(tuple(plain(known[field]) for field in fields))
    assert len(found) == len(records)
    return found


def plain(value: Any) -> str | None:
    """A value as both sides can give it: numbers to the cent."""
    text = "" if value is None else str(value)
    return f"{float(text):.2f}" if re.fullmatch(r"\d+(\.\d+)?", text) else text or None
