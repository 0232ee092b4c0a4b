"""What the tests of recipes share: a shop by the settings of its page, and a CRM to compare with its tables."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import yaml

from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.target import TargetZohoCRM

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

PAGES = Path(__file__).parents[2] / "docs" / "recipes"
CENT = Decimal("0.01")
KINDS_OF_CHANGE = 10


@dataclass(frozen=True)
class Page:
    """What a recipe's page says: the settings of tap and target, and what it has made in a database of our own."""

    tap: dict[str, Any]
    target: dict[str, Any]
    statements: str

    @classmethod
    def read(cls, name: str) -> Page:
        """Read the first block of settings, which has both plugins', and all blocks of SQL."""
        text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
        tap, target = text.partition("```yaml\n")[2].partition("```")[0].split("# target-zoho-crm\n")
        statements = ";\n".join(re.findall(r"```sql\n(.*?)```", text, re.DOTALL))
        return cls(yaml.safe_load(tap), yaml.safe_load(target), statements)


@dataclass
class RecipeShop:
    """A shop in a database of the engine that it really uses, and the pair in this process, by the page's settings."""

    url: str
    emulator: EmulatorProcess
    page: Page
    tables: str
    """The statements that make the shop's tables, with first orders; divided by semicolons."""
    orders: str
    """A query that gives each order as it shall be in the CRM: fields by their names, `parent_id` among them."""
    lines: str
    """The same of lines, with the key of their order as `Order`."""
    accounts: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    """What the shop's own programs set in their sessions, such as their zone."""
    state: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        self.write(self.tables)
        if self.page.statements:
            self.write(self.page.statements)
        made = [{"Account_Name": f"Account {each}", "Legacy_Id": each} for each in self.accounts]
        if made:
            self.emulator.admin.put_records("Accounts", made)

    def write(self, statements: str) -> None:
        """Change the shop as its programs do: all in one transaction."""
        with self.engine.begin() as connection:
            for statement in (*self.session, *statements.split(";")):
                if statement.strip():
                    connection.exec_driver_sql(statement.replace("%", "%%"))

    def run(self, **tap_settings: Any) -> list[str]:
        """One run of the pair; gives the keys of the orders that were sent."""
        messages = self._read(tap_settings)
        out = io.StringIO()
        config = {name: getattr(self.emulator, name) for name in ("client_id", "client_secret", "refresh_token")}
        config |= dict.fromkeys(("accounts_url", "api_url", "upload_url"), self.emulator.base_url)
        with redirect_stdout(out):
            TargetZohoCRM(config={**config, "ack_url": self.url, **self.page.target}).listen(io.BytesIO(messages))
        states = out.getvalue().splitlines()
        if states and not tap_settings:
            self.state = json.loads(states[-1])
        lines = map(json.loads, messages.splitlines())
        return [line["record"]["_sync_key"] for line in lines if line["type"] == "RECORD"]

    def _read(self, settings: Mapping[str, Any]) -> bytes:
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        own = {"sqlalchemy_url": self.url, "page_size": 7, "settle_seconds": 0}
        config = {name: value for name, value in {**self.page.tap, **own, **settings}.items() if value is not None}
        with redirect_stdout(out):
            tap = TapLegacyOrders(config=config, state=None if settings else self.state)
            tap.sync_all()
            tap.engine.dispose()
            tap.ledger.close()
        return cast("io.BytesIO", out.detach()).getvalue()

    def written_credits(self) -> int:
        """What writing has cost so far."""
        kinds = self.emulator.admin.stats()["credits"]["by_kind"]
        return sum(spent for kind, spent in kinds.items() if kind not in {"metadata", "coql"})

    # What became of it

    def assert_the_same(self) -> None:
        """The CRM holds what the tables hold, each order and line once."""
        accounts = {each["id"]: each["Legacy_Id"] for each in self.emulator.admin.records("Accounts")}
        records = list(self.emulator.admin.records("Orders"))
        keys = {each["id"]: each["parent_id"] for each in records}
        _compare(self._rows(self.orders), records, "parent_id", {"Account": accounts})
        _compare(self._rows(self.lines), list(self.emulator.admin.records("Order_Lines")), "line_id", {"Order": keys})

    def _rows(self, query: str) -> list[Mapping[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.exec_driver_sql(query.replace("%", "%%")).mappings()]


def _compare(
    rows: list[Mapping[str, Any]], records: list[dict[str, Any]], key: str, references: Mapping[str, Mapping[str, str]]
) -> None:
    assert rows, "nothing to compare"
    wanted = {str(row[key]): {name: _plain(value) for name, value in row.items()} for row in rows}
    assert len(wanted) == len(rows)
    assert len(records) == len({each[key] for each in records})
    names = rows[0].keys()
    found = {}
    for each in records:
        values = dict(each)
        for name, ids in references.items():
            values[name] = ids[values[name]["id"]] if values.get(name) else None
        found[each[key]] = {name: _plain(values[name]) for name in names}
    differing = {at: (found.get(at), wanted.get(at)) for at in found | wanted if found.get(at) != wanted.get(at)}
    assert not differing, f"in the CRM, and in the tables: {differing}"


def _plain(value: Any) -> Any:
    """A value as both sides can give it: numbers to the cent, days and times in UTC as text."""
    if isinstance(value, bool) or value is None or value == "":
        return value or None
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    if re.fullmatch(r"-?\d{1,15}(\.\d+)?", text):
        return str(Decimal(text).quantize(CENT, ROUND_HALF_UP))
    return text.removesuffix("+00:00")


def assert_each_is_found(
    shop: RecipeShop, changes: Mapping[str, str | tuple[str, int]], hidden: Mapping[str, str] | None = None
) -> None:
    """First load, then each change with a run after it, which sends that order alone; then those the schema hides.

    A change that is one of several orders stands with their number.
    """
    assert len(changes) >= KINDS_OF_CHANGE
    assert shop.run()
    shop.assert_the_same()
    assert shop.run() == []
    for what, change in changes.items():
        statements, orders = (change, 1) if isinstance(change, str) else change
        shop.write(statements)
        sent = shop.run()
        assert len(sent) == orders, f"{what}: {sent}"
    shop.assert_the_same()
    assert shop.run() == []
    for what, statements in (hidden or {}).items():
        shop.write(statements)
        assert shop.run() == [], f"{what}: found after all"


def assert_contents_are_a_net(shop: RecipeShop, *found: str) -> None:
    """A run that compares all orders by content finds what columns do not show, and leaves all to the usual runs."""
    assert set(found) <= set(shop.run(change_detection="content"))
    shop.assert_the_same()
    assert shop.run() == []


def local_zone(name: str) -> str:
    """The statement by which a shop's program keeps its local time: servers seldom know zones by name."""
    offset = datetime.now(ZoneInfo(name)).strftime("%z")
    return f"SET time_zone = '{offset[:3]}:{offset[3:]}'"


@contextmanager
def recipe_shop(name: str, url: str, emulator: EmulatorProcess, **parts: Any) -> Iterator[RecipeShop]:
    """Open the shop of a recipe's page."""
    shop = RecipeShop(url, emulator, Page.read(name), **parts)
    try:
        yield shop
    finally:
        shop.engine.dispose()
