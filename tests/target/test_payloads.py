"""Payload hashes: equal for equal payloads in every process, different for whatever would be written otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from target_zoho_crm.api.metadata import Field, ModuleFields
from target_zoho_crm.batch import Entry
from target_zoho_crm.delivery.payload_hasher import PayloadHasher
from target_zoho_crm.mapping.field_mapping import FieldMapping, compile_mapping

FIELDS = ModuleFields(
    "Orders",
    {
        "parent_id": Field("parent_id", "text", unique=True),
        "Notes": Field("Notes", "textarea"),
        "Amount": Field("Amount", "currency"),
    },
)
CONFIG = {"module": "Orders", "api_url": "https://a", "client_secret": "x", "max_jobs": 2}
VALUES = st.tuples(
    st.none() | st.text(), st.none() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
)


def mapping(zone: Any = timezone.utc) -> FieldMapping:
    return compile_mapping(
        {"notes": {"type": ["string", "null"]}, "amount": {"type": ["number", "null"]}},
        FIELDS,
        key_field="parent_id",
        key_properties=["id"],
        settings={},
        timezone=zone,
    )


def hashed(*rows: tuple[Any, ...], config: dict[str, Any] = CONFIG, by: FieldMapping | None = None) -> list[str | None]:
    entries = {str(number): Entry("v", row) for number, row in enumerate(rows)}
    found = PayloadHasher(config, "orders").hashes(by or mapping(), entries)
    return [found.get(key) for key in entries]


@given(VALUES, VALUES)
def test_a_hash_tells_rows_apart_and_nothing_else(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    first, again, second = hashed(one, one, other)
    assert first == again
    same = one == other and [type(v) for v in one] == [type(v) for v in other] and repr(one) == repr(other)
    if same:
        assert first == second
    if one != other:
        assert first != second


def test_what_decides_the_payload_counts_and_what_decides_the_way_does_not() -> None:
    row = ("a", Decimal("1.5"))
    (plain,) = hashed(row)
    for change in ({"module": "Deals"}, {"api_url": "https://b"}, {"a_setting_of_tomorrow": 1}):
        assert hashed(row, config=CONFIG | change) != [plain]
    for change in ({"client_secret": "y"}, {"max_jobs": 9}):
        assert hashed(row, config=CONFIG | change) == [plain]
    columns = mapping().columns
    assert hashed(row, by=replace(mapping(), columns=columns[::-1])) != [plain]
    longer = replace(columns[0], field=replace(columns[0].field, length=10))
    assert hashed(row, by=replace(mapping(), columns=(longer, columns[1]))) != [plain]
    assert hashed(row, by=mapping(timezone(timedelta(hours=1)))) == [plain]  # the zone is in the config


def test_half_a_character_has_no_hash_and_spares_its_neighbours() -> None:
    good, bad = hashed(("a", None), ("\ud800", None))
    assert bad is None
    assert [good] == hashed(("a", None))
    assert hashed(("a\nb", None), ("c", None))[1] == hashed(("c", None))[0]
