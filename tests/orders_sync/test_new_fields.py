"""The field for a column follows from the column's type; what Zoho has no type for gets none."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql, postgresql

from orders_sync.checks.field_checks import fit
from orders_sync.checks.findings import Result
from orders_sync.set_up.new_fields import TEXT_MOST, TEXTAREAS, field_for, key_field
from sync_databases.columns import Column, json_schema, kind_of
from sync_databases.engines import MYSQL, POSTGRESQL, Engine


def column(sql_type: sa.types.TypeEngine[Any], engine: Engine = POSTGRESQL) -> Column:
    return Column("some_column", sql_type, kind_of(sql_type, engine), nullable=True)


@pytest.mark.parametrize(
    ("sql_type", "document"),
    [
        (sa.String(40), {"data_type": "text", "length": 40}),
        (sa.String(300), {"data_type": "textarea", "textarea": {"type": "small"}}),
        (sa.String(9000), {"data_type": "textarea", "textarea": {"type": "large"}}),
        (sa.Integer(), {"data_type": "bigint"}),
        (sa.SmallInteger(), {"data_type": "bigint"}),
        (sa.Numeric(12, 2), {"data_type": "double", "decimal_place": 2}),
        (sa.Numeric(12, 0), {"data_type": "bigint"}),
        (sa.Numeric(30, 20), {"data_type": "double", "decimal_place": 9}),
        (sa.Float(), {"data_type": "double", "decimal_place": 9}),
        (sa.Numeric(), {"data_type": "double", "decimal_place": 9}),
        (sa.Boolean(), {"data_type": "boolean"}),
        (sa.Date(), {"data_type": "date"}),
        (sa.DateTime(), {"data_type": "datetime"}),
        (sa.DateTime(timezone=True), {"data_type": "datetime"}),
        (sa.Uuid(), {"data_type": "text", "length": 36}),
        (sa.Time(), {"data_type": "text", "length": 30}),
        (mysql.TINYINT(display_width=1), {"data_type": "boolean"}),
    ],
)
def test_the_type_follows_the_columns(sql_type: sa.types.TypeEngine[Any], document: dict[str, Any]) -> None:
    engine = MYSQL if isinstance(sql_type, mysql.TINYINT) else POSTGRESQL
    made = field_for(column(sql_type, engine), "Some_Column", None)
    assert made is not None
    assert made.document == {"field_label": "Some Column", **document}


@pytest.mark.parametrize("sql_type", [sa.JSON(), sa.LargeBinary(), postgresql.ARRAY(sa.Integer)])
def test_what_zoho_has_no_type_for_gets_no_field(sql_type: sa.types.TypeEngine[Any]) -> None:
    assert field_for(column(sql_type), "Some_Column", None) is None


@pytest.mark.parametrize(("longest", "data_type"), [(0, "text"), (255, "text"), (256, "textarea"), (None, "textarea")])
def test_a_text_without_limit_goes_by_what_is_in_it(longest: int | None, data_type: str) -> None:
    made = field_for(column(sa.Text()), "Some_Column", longest)
    assert made is not None
    assert made.data_type == data_type


@given(st.integers(1, TEXTAREAS["large"]))
def test_a_made_field_fits_its_column(length: int) -> None:
    text = column(sa.String(length))
    made = field_for(text, "Some_Column", None)
    assert made is not None
    assert fit(json_schema(text, required=False), made.field)[0] is Result.OK


def test_the_key_field_is_unique_text_that_tells_case_apart() -> None:
    assert key_field("parent_id", (column(sa.String(40)),)).document == {
        "field_label": "parent_id", "data_type": "text", "length": 40, "unique": {"casesensitive": "true"},
    }  # fmt: skip
    for columns in ((column(sa.Integer()),), (column(sa.String(9000)),), (column(sa.String(3)), column(sa.String(4)))):
        assert key_field("parent_id", columns).length == TEXT_MOST
