"""Payload hashes: equal for equal payloads in every process, different for whatever would be written otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from target_zoho_crm.api.metadata import Field, ModuleFields
from target_zoho_crm.batch import Entry
from target_zoho_crm.config_schema import CONFIG as SCHEMA
from target_zoho_crm.config_schema import OF_THE_SDK, payload_settings
from target_zoho_crm.delivery.payload_hasher import PayloadHasher
from target_zoho_crm.mapping.field_mapping import FieldMapping, compile_mapping
from target_zoho_crm.setting_schema import IN_PAYLOAD
from target_zoho_crm.target import TargetZohoCRM

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
    found = PayloadHasher(payload_settings(config), "orders").hashes(by or mapping(), entries)
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
    for change in (
        {"client_secret": "y"},
        {"max_jobs": 9},
        {"orders_url": "postgresql://shop:new@db/shop"},
        {"sync_flag_column": "is_synced"},
        {"max_age_seconds": 1},
        {"delete_batch_files": True},
        {"batch_config": {"storage": {"root": "s3://key:new@bucket"}}},
    ):
        assert hashed(row, config=CONFIG | change) == [plain], change
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


def test_a_streams_own_settings_count_as_the_common_ones_do() -> None:
    def of_stream(**settings: Any) -> list[str | None]:
        return hashed(("a", None), config=CONFIG | {"streams": {"orders": settings}})

    plain = of_stream(fields={"notes": "Notes"})
    assert of_stream(fields={"notes": "Notes"}, trigger=["workflow"], on_delete="mark", delete_field="Gone") == plain
    for change in ({"fields": {"notes": {"source": "x"}}}, {"operation": "update"}, {"lines": {"write_to": "subform"}}):
        assert of_stream(**{"fields": {"notes": "Notes"}, **change}) != plain, change


def test_the_hashes_of_ledgers_in_use_stay_true() -> None:
    """They were made by version 0.1.0 with these settings: another hash sends every touched order once more."""
    given = {"client_id": "a", "client_secret": "b", "refresh_token": "c", "ack_url": "sqlite://"}
    own = {"streams": {"orders": {"module": "Deals", "fields": {"notes": "Notes"}}}}
    for further, made in ({}, "abb867d86efe85df04dcbc322bbe63b4"), (own, "2ee6d7b2de3bfef97b1cfd8ba44c25e8"):
        assert hashed(("a", Decimal("1.5")), config=dict(TargetZohoCRM(config=given | further).config)) == [made]


def test_each_setting_says_whether_it_counts() -> None:
    every: dict[str, Any] = deepcopy(SCHEMA)
    TargetZohoCRM.append_builtin_config(every)
    silent = [
        path for path, schema in walk(every) if not isinstance(schema.get(IN_PAYLOAD), bool) and path not in OF_THE_SDK
    ]
    assert silent == []
    assert {"orders_url", "streams.trigger", "lines.fields.null"} <= {path for path, _ in walk(every)}


def walk(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each setting at any depth, by its path, with its schema; entries by free names add nothing to the path."""
    for name, each in schema.get("properties", {}).items():
        yield path + name, each
        if path + name not in OF_THE_SDK:
            yield from walk(each, f"{path}{name}.")
    if isinstance(others := schema.get("additionalProperties"), dict):
        yield from walk(others, path)
