"""The legacy shop: its orders table, the orders in it, and what happens to them between two runs.

Everything follows from one seed, so each demo tells the same story.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from demo.people import Customer, customers

ORDERS_AT_FIRST = 60_000
CHANGED = 1_200
ADDED = 300
SEED = 20_240_101
FIRST_NUMBER = 100_001
ROWS_AT_ONCE = 5_000

OPENED = datetime(2024, 1, 2, 8)  # noqa: DTZ001 - the legacy columns are naive, in UTC
NEXT_MORNING = datetime(2025, 7, 1, 7, 30)  # noqa: DTZ001 - as above
BETWEEN_ORDERS = timedelta(seconds=780)
"""60,000 orders in a year and a half."""

CHANNELS = ("Web", "Phone", "Shop", "Marketplace")
STATUS_SHARES = {"New": 4, "Paid": 5, "Packed": 4, "Shipped": 9, "Delivered": 70, "Cancelled": 5, "Returned": 3}
NEXT_STATUS = {"New": "Paid", "Paid": "Packed", "Packed": "Shipped", "Shipped": "Delivered", "Delivered": "Returned"}
TAGS = ("gift", "express", "fragile")
NOTES = (
    "Please ring twice.",
    'Customer says: "leave it with the neighbour", 2nd floor.',
    "Two parcels;\nthe second follows on Monday.",
    "Grüße zum Geburtstag - bitte als Geschenk einpacken!",
    'Discount 5%, agreed by phone; see e-mail, "Re: Re: order"',
    "Colour: bleu/œuf, size 40½",
    "宅配ボックスに入れてください",
    "Fragile 🏺\n\nHandle with care.",
)

METADATA = sa.MetaData()
ORDERS = sa.Table(
    "orders",
    METADATA,
    sa.Column("order_id", sa.String(20), primary_key=True),
    sa.Column("name", sa.Unicode(120), nullable=False),
    sa.Column("order_date", sa.Date, nullable=False),
    sa.Column("ordered_at", sa.DateTime, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False, index=True),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("customer_name", sa.Unicode(120), nullable=False),
    sa.Column("customer_email", sa.String(100), nullable=False),
    sa.Column("customer_phone", sa.String(30)),
    sa.Column("country", sa.String(60), nullable=False),
    sa.Column("currency_code", sa.String(3), nullable=False),
    sa.Column("total_amount", sa.Numeric(12, 2), nullable=False),
    sa.Column("tax_rate", sa.Numeric(5, 2)),
    sa.Column("item_count", sa.Integer, nullable=False),
    sa.Column("weight_kg", sa.Numeric(9, 3)),
    sa.Column("loyalty_points", sa.BigInteger),
    sa.Column("is_gift", sa.Boolean, nullable=False),
    sa.Column("website", sa.String(200)),
    sa.Column("notes", sa.UnicodeText),
    sa.Column("shipping_address", sa.UnicodeText),
    sa.Column("tags_list", sa.String(60)),
)


def open_shop(connection: sa.Connection) -> None:
    """Make the table and its first 60,000 orders."""
    METADATA.create_all(connection)
    dice = random.Random(SEED)  # noqa: S311 - a story, no secret
    people = customers(dice)
    rows = (_order(number, dice, people) for number in range(ORDERS_AT_FIRST))
    _insert(connection, rows)


def next_morning(connection: sa.Connection) -> None:
    """Change 1,200 orders and add 300, as a busy morning would."""
    dice = random.Random(SEED + 1)  # noqa: S311 - as above
    keys = [f"SO-{FIRST_NUMBER + number}" for number in sorted(dice.sample(range(ORDERS_AT_FIRST), CHANGED))]
    before = {row.order_id: row for row in connection.execute(sa.select(ORDERS).where(ORDERS.c.order_id.in_(keys)))}
    moment = NEXT_MORNING
    for place, key in enumerate(keys):
        moment += timedelta(seconds=dice.randint(1, 5))
        values = {**_change(place, dice, before[key]), "updated_at": moment}
        connection.execute(sa.update(ORDERS).where(ORDERS.c.order_id == key).values(values))
    people = customers(random.Random(SEED))  # noqa: S311 - the same customers as at first
    fresh = (
        {**_order(ORDERS_AT_FIRST + number, dice, people), "status": "New", **_moments(moment + number * _MINUTE)}
        for number in range(ADDED)
    )
    _insert(connection, fresh)


_MINUTE = timedelta(minutes=1)


def _insert(connection: sa.Connection, rows: Iterator[Mapping[str, Any]]) -> None:
    block: list[Mapping[str, Any]] = []
    for row in rows:
        block.append(row)
        if len(block) == ROWS_AT_ONCE:
            connection.execute(sa.insert(ORDERS), block)
            block = []
    if block:
        connection.execute(sa.insert(ORDERS), block)


def _moments(ordered_at: datetime) -> dict[str, Any]:
    """The dates of an order nobody has touched since it came in."""
    return {"order_date": ordered_at.date(), "ordered_at": ordered_at, "updated_at": ordered_at}


def _order(number: int, dice: random.Random, people: Sequence[Customer]) -> dict[str, Any]:
    """One order as the shop's clerks would have left it."""
    order_id = f"SO-{FIRST_NUMBER + number}"
    customer = dice.choice(people)
    ordered_at = OPENED + number * BETWEEN_ORDERS + timedelta(seconds=dice.randint(0, 700))
    status = dice.choices(tuple(STATUS_SHARES), tuple(STATUS_SHARES.values()))[0]
    worked_on = timedelta() if status == "New" else timedelta(seconds=dice.randint(60, 10 * 86_400))
    items = dice.choices((1, 2, 3, dice.randint(4, 40)), (55, 25, 12, 8))[0]
    cents = Decimal(sum(dice.randint(299, 24_999) for _ in range(min(items, 5)))).scaleb(-2)
    amount = (cents * 160).to_integral_value() if customer.land.currency == "JPY" else cents
    tags = [tag for tag in TAGS if dice.random() < 0.06]
    return {
        "order_id": order_id,
        "name": f"{order_id} {customer.name}",
        "order_date": ordered_at.date(),
        "ordered_at": ordered_at,
        "updated_at": min(ordered_at + worked_on, NEXT_MORNING - _MINUTE),
        "status": status,
        "channel": dice.choices(CHANNELS, (68, 7, 10, 15))[0],
        "customer_name": customer.name,
        "customer_email": customer.email,
        "customer_phone": customer.phone,
        "country": customer.land.name,
        "currency_code": customer.land.currency,
        "total_amount": amount,
        "tax_rate": customer.land.tax_rate if dice.random() < 0.96 else None,
        "item_count": items,
        "weight_kg": Decimal(dice.randint(40, 28_000)).scaleb(-3) if dice.random() < 0.9 else None,
        "loyalty_points": dice.randint(0, 9_000_000_000) if dice.random() < 0.4 else None,
        "is_gift": "gift" in tags,
        "website": customer.website,
        "notes": dice.choice(NOTES) if dice.random() < 0.2 else None,
        "shipping_address": customer.address if dice.random() < 0.97 else None,
        "tags_list": ";".join(tags) or None,
    }


def _change(place: int, dice: random.Random, order: Any) -> dict[str, Any]:
    """What a clerk changes: mostly the status, sometimes the amount, the note or the address."""
    kind = place % 5
    if kind in {0, 1}:
        return {"status": NEXT_STATUS.get(order.status, "New")}
    if kind == 2:
        return {"total_amount": order.total_amount + Decimal(dice.randint(1, 999)), "item_count": order.item_count + 1}
    if kind == 3:
        return {"notes": None if order.notes else dice.choice(NOTES), "customer_phone": None}
    return {"shipping_address": f"Pick-up point {dice.randint(1, 99)}\n{order.country}", "is_gift": not order.is_gift}
