from __future__ import annotations

import contextlib
import csv
import io
import re
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.api.metadata import Field, ModuleFields
from target_zoho_crm.mapping.conversion import Conversion, Form
from target_zoho_crm.mapping.field_mapping import FieldMapping, Refusal, compile_mapping
from target_zoho_crm.mapping.field_settings import read_fields
from target_zoho_crm.mapping.timestamps import DATETIME_FORMAT, date_converter, datetime_converter

BERLIN = ZoneInfo("Europe/Berlin")
TYPES = {
    "text": "text",
    "Long": "textarea",
    "Mail": "email",
    "Choice": "picklist",
    "Choices": "multiselectpicklist",
    "Day": "date",
    "Moment": "datetime",
    "Whole": "integer",
    "Big": "bigint",
    "Money": "currency",
    "Double": "double",
    "Share": "percent",
    "Flag": "boolean",
    "Account": "lookup",
}
KEY = Field("parent_id", "text", unique=True)


def module(*extra: Field, **types: str) -> ModuleFields:
    fields = [KEY, *(Field(name, data_type) for name, data_type in types.items()), *extra]
    return ModuleFields("Orders", {each.api_name: each for each in fields})


def mapped(properties: dict[str, Any], fields: ModuleFields, **overrides: Any) -> FieldMapping:
    return compile_mapping(
        properties,
        fields,
        key_field="parent_id",
        key_properties=["order_no"],
        settings=read_fields(overrides),
        timezone=BERLIN,
    )


def pairs(mapping: FieldMapping) -> dict[str, str]:
    return {column.source: column.field.api_name for column in mapping.columns}


def named(*names: str) -> dict[str, Any]:
    return {name: {"type": ["string", "null"]} for name in names}


def test_names_are_matched_exactly_then_without_case_and_separators_then_given_up() -> None:
    made = mapped(
        named("Order_Date", "ship-to city", "grandTotal", "extra"),
        module(Order_Date="text", Ship_To_City="text", Grand_Total="text", Other="text"),
    )
    assert pairs(made) == {"Order_Date": "Order_Date", "ship-to city": "Ship_To_City", "grandTotal": "Grand_Total"}
    assert made.unmapped == ("extra",)


def test_the_key_and_our_own_bookkeeping_go_to_no_column() -> None:
    made = mapped(named("order_no", "parent_id", "_sync_version", "_sdc_batched_at"), module(SDC="text"))
    assert made.columns == ()
    assert made.unmapped == ()
    assert made.key_field == KEY


def test_an_override_wins_and_leaves_the_similar_name_unmapped() -> None:
    made = mapped(named("total", "Grand_Total"), module(Grand_Total="text", Total="text"), total="Grand_Total")
    assert pairs(made) == {"total": "Grand_Total"}
    assert made.unmapped == ("Grand_Total",)


def test_a_name_that_fits_two_fields_or_two_names_that_fit_one_are_the_users_to_decide() -> None:
    fields = module(Order_Date="text", OrderDate="text")
    with pytest.raises(ConfigurationError, match=r"order_date.*Order_Date and OrderDate"):
        mapped(named("order_date"), fields)
    assert pairs(mapped(named("order_date"), fields, order_date="OrderDate")) == {"order_date": "OrderDate"}
    assert pairs(mapped(named("OrderDate"), fields)) == {"OrderDate": "OrderDate"}
    with pytest.raises(ConfigurationError, match=r"order_date and orderDate.*Order_Date"):
        mapped(named("order_date", "orderDate"), module(Order_Date="text"))


def test_a_reference_is_only_written_when_the_user_says_so() -> None:
    fields = module(Owner="ownerlookup", Account="lookup")
    assert mapped(named("owner", "account"), fields).unmapped == ("owner", "account")
    assert pairs(mapped(named("owner"), fields, owner="Owner")) == {"owner": "Owner"}


def test_an_entry_by_field_names_its_property_and_one_property_may_feed_two_fields() -> None:
    fields = module(Mail="email", Login="text", Account="lookup")
    made = mapped(named("e_mail", "account"), fields, e_mail="Mail", Login={"source": "e_mail"}, Account={})
    assert {each.field.api_name: each.source for each in made.columns} == {
        "Mail": "e_mail",
        "Login": "e_mail",
        "Account": "account",
    }
    with pytest.raises(ConfigurationError, match=r"e_mail and login to the one field Login"):
        mapped(named("e_mail", "login"), fields, e_mail="Login", Login={"source": "login"})
    with pytest.raises(ConfigurationError, match=r"no field Logn.*Did you mean Login"):
        mapped(named("e_mail"), fields, Logn={})


def test_an_override_to_an_unknown_field_names_similar_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"Grand_Totl.*Did you mean Grand_Total"):
        mapped(named("total"), module(Grand_Total="text"), total="Grand_Totl")


def test_an_entry_the_wrong_way_round_is_refused_and_a_missing_property_is_said() -> None:
    fields = module(Customer_Name="text")
    with pytest.raises(ConfigurationError, match="no field ship_name"):
        mapped(named("ship_name"), fields, Customer_Name="ship_name")
    assert mapped(named("ship_name"), fields, sold_to="Customer_Name").absent == ("sold_to (to Customer_Name)",)


def test_a_field_that_cannot_be_written_is_left_out_by_name_and_refused_by_order() -> None:
    created = Field("Created_Time", "datetime", writable_on_create=False, writable_on_update=False)
    fields = module(created, Margin="formula")
    fields = module(created, Field("Margin", "formula"), Field("Lines", "subform"))
    assert mapped(named("created_time", "Margin", "lines"), fields).unmapped == ("created_time", "Margin", "lines")
    with pytest.raises(ConfigurationError, match="Margin"):
        mapped(named("x"), fields, x="Margin")


@pytest.mark.parametrize(
    ("key", "words"),
    [("parent_ID", "parent_id"), ("Name", "not unique.*Do not allow duplicate"), ("Auto", "cannot be written")],
)
def test_a_key_field_that_will_not_do_is_refused_with_what_to_do(key: str, words: str) -> None:
    auto = Field("Auto", "autonumber", unique=True, writable_on_create=False, writable_on_update=False)
    with pytest.raises(ConfigurationError, match=words):
        compile_mapping(
            {}, module(auto, Name="text"), key_field=key, key_properties=[], settings={}, timezone=timezone.utc
        )


# The law: both channels mean the same. Parsers that know nothing of the converters read both forms back.

_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


def read_number(text: str) -> Decimal:
    assert re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text), f"{text!r} is not plain digits"
    return Decimal(text)


def read_datetime(text: str) -> datetime:
    assert _DATETIME.fullmatch(text)
    return datetime.fromisoformat(text)


CSV_READERS: dict[str, Callable[[str], Any]] = {
    "multiselectpicklist": lambda text: text.split(";"),
    "date": date.fromisoformat,
    "datetime": read_datetime,
    "integer": int,
    "bigint": int,
    "currency": read_number,
    "double": read_number,
    "percent": read_number,
    "boolean": {"true": True, "false": False}.__getitem__,
}
JSON_READERS: dict[str, Callable[[Any], Any]] = {
    "date": date.fromisoformat,
    "datetime": read_datetime,
    "integer": lambda value: value,
    "bigint": lambda value: int(value) if isinstance(value, str) else None,
    "currency": Decimal,
    "double": Decimal,
    "percent": Decimal,
    "lookup": lambda value: value["id"],
}
ENCODER = msgspec.json.Encoder(decimal_format="number")
DECODER = msgspec.json.Decoder(float_hook=Decimal)


def through_json(value: Any, data_type: str) -> Any:
    sent = DECODER.decode(ENCODER.encode(value))
    return None if sent is None else JSON_READERS.get(data_type, lambda each: each)(sent)


def through_csv(value: Any, data_type: str) -> Any:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(["key", value])
    cell = next(csv.reader(io.StringIO(file.getvalue(), newline="")))[1]
    return None if cell == "" else CSV_READERS.get(data_type, lambda each: each)(cell)


def both_channels(value: Any, data_type: str, schema: dict[str, Any]) -> Any:
    fields = module(Value=data_type)
    (column,) = mapped({"value": schema}, fields, value="Value").columns
    results = []
    for convert, read in ((column.to_json, through_json), (column.to_csv, through_csv)):
        try:
            results.append(read(value if convert is None else convert(value), data_type))
        except Refusal as refusal:
            results.append(("refused", refusal.code))
    assert results[0] == results[1]
    return results[0]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
numbers = st.decimals(-(10**16), 10**16, places=9) | st.decimals(allow_nan=True, allow_infinity=True)
moments = st.datetimes(
    datetime.fromisoformat("1900-01-01"),
    datetime.fromisoformat("2100-01-01"),
    timezones=st.none() | st.just(timezone.utc) | st.timezones(),
).filter(lambda moment: (moment.utcoffset() or timedelta()).seconds % 60 == 0)
JSON_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": texts
    | st.sampled_from(
        ["", "1", "-1.50", "1E+3", "true", "No", "2024-02-29", "2024-02-30", "a;b; c", "123456789012345678"]
    )
    | moments.map(datetime.isoformat)
    | moments.map(lambda moment: moment.replace(tzinfo=None).isoformat() + "Z"),
    "integer": st.integers(-(10**18), 10**18),
    "number": numbers,
    "boolean": st.booleans(),
    "array": st.lists(texts | st.integers() | st.booleans(), max_size=4),
    "object": st.dictionaries(texts, texts, max_size=2) | st.fixed_dictionaries({"id": st.integers(0) | texts}),
}
CASES = st.tuples(
    st.sampled_from(sorted(set(TYPES.values()))), st.sampled_from(sorted(JSON_VALUES)), st.booleans()
).flatmap(
    lambda case: st.tuples(
        st.just(case[0]),
        st.just({"type": [case[1], "null"]} if case[2] else {}),
        st.none() | JSON_VALUES[case[1]],
    )
)


@settings(max_examples=1_500, deadline=None)
@given(CASES)
@example(("boolean", {}, Decimal("sNaN")))
def test_both_channels_give_the_same_value_or_the_same_refusal(case: tuple[str, dict[str, Any], Any]) -> None:
    data_type, schema, value = case
    result = both_channels(value, data_type, schema)
    if value is None:
        assert result is None


@settings(deadline=None)
@given(texts.filter(bool))
def test_text_arrives_as_it_is(text: str) -> None:
    assert both_channels(text, "textarea", {"type": "string"}) == text


@settings(deadline=None)
@given(st.decimals(-(10**16), 10**16, places=9))
def test_a_decimal_keeps_every_digit(number: Decimal) -> None:
    assert both_channels(number, "currency", {"type": "number"}) == number
    assert both_channels(str(number), "currency", {"type": "string"}) == number
    assert both_channels(number, "text", {"type": "number"}) == format(number, "f")


def test_a_float_brings_no_noise_of_its_binary_digits() -> None:
    assert both_channels(0.1 + 0.2, "text", {"type": "number"}) == "0.30000000000000004"
    assert both_channels(0.1, "currency", {}) == Decimal("0.1")
    assert both_channels(1e22, "text", {"type": "number"}) == "1" + "0" * 22


@settings(deadline=None)
@given(st.integers(-(10**18), 10**18))
def test_a_bigint_keeps_every_digit(number: int) -> None:
    assert both_channels(number, "bigint", {"type": "integer"}) == number


@settings(deadline=None)
@given(moments)
def test_a_moment_keeps_its_instant_and_offset_to_the_second(moment: datetime) -> None:
    result = both_channels(moment.isoformat(), "datetime", {"type": "string", "format": "date-time"})
    # A text without an offset says nothing of the second of two equal hours, nor of one that never was.
    expected = (moment if moment.tzinfo else moment.replace(tzinfo=BERLIN, fold=0)).replace(microsecond=0)
    assert result == expected.replace(tzinfo=timezone(expected.utcoffset() or timedelta()))
    assert result.utcoffset() == expected.utcoffset()


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("2024-07-01T10:20:30Z", "2024-07-01T10:20:30+00:00"),
        ("2024-07-01T10:20:30.999999+00:00", "2024-07-01T10:20:30+00:00"),
        ("2024-07-01 10:20:30", "2024-07-01T10:20:30+02:00"),
        ("2024-01-01 10:20:30", "2024-01-01T10:20:30+01:00"),
        ("2024-07-01T10:20:30.5-0530", "2024-07-01T10:20:30-05:30"),
        ("2024-07-01 10:20:30+05", "2024-07-01T10:20:30+05:00"),
        ("2024-07-01", "2024-07-01T00:00:00+02:00"),
        ("1880-01-01T00:00:00", "1879-12-31T23:06:32+00:00"),  # Berlin's local time then: +00:53:28
        ("", None),
    ],
)
def test_times_in_many_forms_take_zohos_one(given_: str, expected: str | None) -> None:
    assert datetime_converter(BERLIN)(given_) == expected


MOMENTS = st.builds(
    lambda moment, form, suffix: moment.strftime(form) + suffix,
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 - the suffix says it
    st.sampled_from(["%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y%m%dT%H%M%S.%f"]),
    st.sampled_from(["+00:00", "-05:30", "+02:75", "+14.00", "Z", "", "\u0664", "\n"]),
)


@given(
    times=st.lists(MOMENTS | st.sampled_from([None, "", "2024-W27-1T10:20:30+02:00"]), max_size=6),
    repeated=st.booleans(),
)
def test_a_column_of_times_becomes_what_each_of_them_becomes(times: list[str | None], *, repeated: bool) -> None:
    times = times[:1] * 4 if repeated else times
    for kind, convert in (("datetime", datetime_converter(BERLIN)), ("date", date_converter(BERLIN))):
        made = mapped({"at": {"type": ["null", "string"]}}, module(At=kind))
        for form in Form:
            converted = Conversion(made, form).convert([str(i) for i in range(len(times))], [(each,) for each in times])
            expected = []
            for each in times:
                with contextlib.suppress(Refusal):
                    expected.append(convert(each) or None)
            assert [each or None for each in converted.columns[0]] == expected


@pytest.mark.parametrize(
    "bad",
    [
        *("x", "2024", "2024-13-01T00:00:00Z", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00+25:00", "20240101T000000Z"),
        *(5, 0, False, []),
    ],
)
def test_what_is_no_time_is_refused_with_zohos_code(bad: Any) -> None:
    for convert in (datetime_converter(BERLIN), date_converter(BERLIN)):
        with pytest.raises(Refusal) as caught:
            convert(bad)
        assert caught.value.code == "INVALID_DATA"
        assert str(bad) not in caught.value.message


def test_a_day_is_the_day_in_the_configured_zone() -> None:
    convert = date_converter(BERLIN)
    assert convert("2024-02-29") == "2024-02-29"
    assert convert("2024-06-30T23:30:00Z") == "2024-07-01"
    assert convert("2024-06-30T23:30:00") == "2024-06-30"


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        ("integer", "1.5"),
        ("integer", Decimal("1.5")),
        ("currency", "1,234.50"),
        ("currency", Decimal("NaN")),
        ("currency", Decimal("1E+999999")),
        ("boolean", "perhaps"),
        ("boolean", 2),
        ("lookup", "Zylker Ltd"),
        ("multiselectpicklist", ["a;b"]),
    ],
)
def test_what_does_not_fit_is_refused_on_both_channels(data_type: str, value: Any) -> None:
    assert both_channels(value, data_type, {}) == ("refused", "INVALID_DATA")


def test_text_and_matching_scalars_cost_nothing_in_csv_and_times_cost_little() -> None:
    properties = {"text": {"type": ["null", "string"]}, "whole": {"type": "integer"}, "money": {"type": "integer"}}
    made = mapped(properties, module(Text="text", Whole="integer", Money="currency"))
    assert [column.shortcut and column.shortcut.to_csv for column in made.columns] == [None, None, None]
    assert all(column.shortcut for column in made.columns)
    (column,) = mapped({"at": {"type": "string"}}, module(At="datetime")).columns
    assert column.csv_format == DATETIME_FORMAT
    for form in ("2024-07-01T10:20:30+00:00", "2024-07-01T10:20:30.123456+02:00"):
        many = [form] * 20_000
        start = time.process_time()
        list(map(column.to_csv, many))
        each = (time.process_time() - start) / len(many) * 1e6
        print(f"{form}: {each:.2f} us")  # noqa: T201
        assert each < 10, "far above a quiet machine's 0.5 and 0.9"
