"""Which filters ask more than the order's own columns: what is not known to be harmless does."""

from __future__ import annotations

import pytest

from tap_legacy_orders.filter_scope import asks_more_than_its_columns

COLUMNS = ["status", "Total Amount", "created_at", "order_id"]
OWN = [
    "status = 'open'",
    "status <> 'it''s' AND \"Total Amount\" >= 5.0",
    "orders.status IN ('a', 'b') OR (status IS NULL)",
    "lower(status) LIKE '%x%' AND NOT created_at BETWEEN '2024-01-01' AND '2024-02-01'",
    "status::text = 'a' AND `status` = 'b' AND [status] = 'c'",
    "created_at > timestamp '2024-01-01 00:00:00'",
    "CASE WHEN status = 'a' THEN 1 ELSE 0 END = 1",
    "coalesce(status, 'none') <> 'none' AND length(order_id) > (1 + 2) * 3",
]
MORE = [
    "status NOT IN (SELECT status FROM closed)",
    "EXISTS (select 1 from released r where r.id = order_id)",
    "created_at > now() - interval '1 day'",
    "created_at >= CURRENT_DATE",
    "date(created_at) = date('now')",
    "created_at > 'yesterday'",
    "created_at > 'Today'",
    "is_released(order_id)",
    "status = @status",
    "status = $$open$$",
    "status = 'a' -- and a comment",
    "created_at < SYSDATE",
    "rownum < 7",
]


@pytest.mark.parametrize("text", OWN)
def test_what_asks_the_orders_columns_alone(text: str) -> None:
    assert not asks_more_than_its_columns(text, COLUMNS)


@pytest.mark.parametrize("text", MORE)
def test_what_asks_another_table_the_clock_or_what_is_not_known(text: str) -> None:
    assert asks_more_than_its_columns(text, COLUMNS)
