"""The triggers of docs/lines.md: a change of a line alone makes its order be sent again, with its lines as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_shop import Shop

PAGE = Path(__file__).parents[2] / "docs" / "lines.md"
TITLES = {"postgresql": "PostgreSQL", "mysql": "MySQL and MariaDB", "sqlite": "SQLite"}
LINES = {"table": "order_lines", "parent_key": "order_id"}


@pytest.fixture
def shop(engine_url: str) -> Iterator[Shop]:
    with Shop.opened(engine_url) as shop:
        shop.sql("CREATE TABLE order_lines (line_no INTEGER PRIMARY KEY, order_id INTEGER, price INTEGER)")
        title = TITLES[shop.engine.dialect.name]
        match = re.search(rf"#### Triggers for {title}\n```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
        assert match is not None
        ends = r";\n(?=CREATE)|;\n$"
        for statement in filter(None, re.split(ends, match[1])):
            with shop.engine.begin() as connection:
                end = ";" if statement.rstrip().endswith("END") else ""
                connection.exec_driver_sql(statement + end)
        yield shop


def test_each_change_of_a_line_is_found(shop: Shop) -> None:
    shop.config |= {"lines": LINES, "settle_seconds": 0}
    shop.put((1, 1), (2, 2), (3, 3))
    shop.sql("INSERT INTO order_lines VALUES (11, 1, 5)")
    shop.sql("INSERT INTO order_lines VALUES (21, 2, 5)")
    state = None
    for change, expected in (
        ("SELECT 1", {"1": [(11, 5)], "2": [(21, 5)], "3": []}),
        ("SELECT 1", {}),
        ("INSERT INTO order_lines VALUES (12, 1, 6)", {"1": [(11, 5), (12, 6)]}),
        ("UPDATE order_lines SET price = 7 WHERE line_no = 21", {"2": [(21, 7)]}),
        ("UPDATE order_lines SET order_id = 3 WHERE line_no = 12", {"1": [(11, 5)], "3": [(12, 6)]}),
        ("DELETE FROM order_lines WHERE line_no = 11", {"1": []}),
    ):
        shop.sql(change)
        shop.wait_for_the_next_second()
        output = shop.run(state)
        found = {r["_sync_key"]: [(line["line_no"], line["price"]) for line in r["lines"]] for r in output.records}
        assert found == expected, change
        shop.ack_all(output)
        state = output.state
