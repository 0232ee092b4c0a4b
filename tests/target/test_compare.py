"""The comparer: what was written compares equal however Zoho gives it back, and what another wrote does not."""

from __future__ import annotations

from collections import Counter
from datetime import timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from depth import examples
from every_type import FIELDS, LINKED, OPTIONS, add_module, add_multiple
from hypothesis import given
from hypothesis import strategies as st
from made_up_values import HOWS, TAME, links_of, records_of, values_of
from zoho_clients import MakeClient

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.metadata import Field, ModuleFields
from target_zoho_crm.compare.records import Compared, RecordComparer
from target_zoho_crm.compare.values import Verdict, compare_values
from target_zoho_crm.confirmation.outcomes import Status, upsert_outcomes
from target_zoho_crm.mapping.field_mapping import FieldMapping, compile_mapping
from target_zoho_crm.mapping.field_settings import read_fields
from target_zoho_crm.writing.records_read import RecordsRead
from target_zoho_crm.writing.upsert_body import upsert_body

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

MODULE = "Compared"
RECORDS = examples(60, 300)
USERS = ["4876876000000000301", "4876876000000000302"]
SETTINGS = {"Account": {}, "Clerk": {}, "Owner": {}, **{name: {} for name in LINKED}, **OPTIONS}
EQUAL, DIFFERENT, NOT_COMPARABLE = Verdict.EQUAL, Verdict.DIFFERENT, Verdict.NOT_COMPARABLE
Orders = dict[str, dict[str, Any]]


class Module:
    """A module with a field of every type, written and read as the target does."""

    def __init__(self, client: ZohoClient, properties: dict[str, Any], settings: Any = SETTINGS) -> None:
        self.client = client
        self.mapping: FieldMapping = compile_mapping(
            {"id": {"type": "string"}, **properties},
            ModuleFields.fetch(client, MODULE),
            key_field="parent_id",
            key_properties=["id"],
            settings=read_fields(settings),
            timezone=timezone.utc,
        )

    def rows(self, orders: Orders) -> list[tuple[Any, ...]]:
        return [tuple(order.get(column.source) for column in self.mapping.columns) for order in orders.values()]

    def write(self, orders: Orders) -> dict[str, str]:
        """Upsert what can be written; gives the ids by key."""
        ids: dict[str, str] = {}
        keys, rows = list(orders), self.rows(orders)
        for at in range(0, len(keys), 100):
            some = keys[at : at + 100]
            body, refusals = upsert_body(self.mapping, some, rows[at : at + 100])
            sent = [key for key in some if key not in refusals]
            if sent:
                answer = self.client.upsert(MODULE, body, records=len(sent))
                outcomes = upsert_outcomes(sent, [""] * len(sent), answer.status, answer.body)
                ids |= {each.key: each.zoho_id for each in outcomes if each.status is Status.SYNCED and each.zoho_id}
        return ids

    def compare(self, orders: Orders, ids: dict[str, str], **options: Any) -> dict[str, Compared]:
        """Compare orders with what their records hold now."""
        comparer = RecordComparer(self.mapping, **options)
        found = RecordsRead(self.client, MODULE).by_id(list(ids.values()), comparer.fields)
        own = {key: orders[key] for key in ids}
        return comparer.compare(list(own), self.rows(own), [found[ids[key]] for key in own])


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns"])
def test_what_was_written_compares_equal_for_every_type_and_value(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, zone: str
) -> None:
    admin = zoho_emulator.admin
    admin.switch(time_zone=zone)
    add_module(zoho_emulator, MODULE)
    add_multiple(zoho_emulator, MODULE)
    accounts = admin.put_records("Accounts", [{"Account_Name": name} for name in "AB"])
    ids = {"Account": accounts, "Clerk": USERS, "Owner": USERS}
    written, others = Counter[str](), Counter[Verdict]()
    for turn, how in enumerate(HOWS):
        described = {name: values_of(name, how, ids) for name in [*FIELDS, "Owner"]}
        properties = {name: schema for name, (schema, _) in described.items()} | {name: {} for name in LINKED}
        module = Module(make_client(), properties)
        plain = records_of({name: values for name, (_, values) in described.items()}, RECORDS)
        links = records_of(links_of(accounts, USERS), RECORDS)
        made = [{**TAME, **one, **other} for one, other in zip(plain, links, strict=True)]
        orders = {f"{turn}-{number}": order for number, order in enumerate(made)}
        known = module.write(orders)
        for key, compared in module.compare(orders, known).items():
            assert compared.different == (), (key, orders[key], compared)
            assert set(compared.not_comparable) <= {"Owner", *LINKED}
            written.update(orders[key].keys())
        # What another order holds is seen, whenever the CRM shows another value for it.
        held = {record["parent_id"]: record for record in admin.records(MODULE)}
        keys = list(known)
        swapped = {key: orders[other] for key, other in zip(keys, [*keys[1:], keys[0]], strict=True)}
        names = [each.field.api_name for each in module.mapping.written if each.field.api_name not in LINKED]
        for (key, compared), other in zip(module.compare(swapped, known).items(), [*keys[1:], keys[0]], strict=True):
            shown = {name for name in names if held[key][name] != held[other][name]}
            assert set(compared.different) <= shown, (key, other)
            assert shown - set(compared.different) <= set(compared.not_comparable) | _alike(held[key], held[other])
            others[compared.verdict] += 1
    assert set(written) == {*FIELDS, "Owner", *LINKED}
    assert others[DIFFERENT] > RECORDS


def _alike(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """Fields whose values differ in blanks or case alone, or in the order of their entries, or by no value."""

    def plain(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return frozenset(value)
        text = "" if value is None else str(value).strip().replace("\r\n", "\n").replace("\r", "\n")
        return text.casefold() if name in {"Email", "Phone", "Website"} else text

    return {name for name in FIELDS if plain(name, one[name]) == plain(name, other[name])}


@pytest.mark.parametrize("excess", ["keep", "round"])
def test_what_the_crm_rounds_compares_equal(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, excess: str
) -> None:
    zoho_emulator.admin.switch(excess_decimals=excess)
    zoho_emulator.admin.add_module(MODULE, [{"api_name": "parent_id", "data_type": "text", "unique": True}])
    zoho_emulator.admin.add_field(MODULE, "Money", "currency", decimal_place=2)
    module = Module(make_client(), {"Money": {"type": "number"}}, {})
    client, ids = module.client, module.write({"A": {"Money": Decimal("0.99")}})
    client.upsert(
        MODULE, b'{"data":[{"parent_id":"A","Money":1.005}],"duplicate_check_fields":["parent_id"]}', records=1
    )
    field = Field("Money", "currency", decimal_place=2)
    (held,) = RecordsRead(client, MODULE).by_id(ids.values(), ["Money"]).values()
    assert compare_values(field, Decimal("1.005"), held["Money"]) is EQUAL
    assert compare_values(field, Decimal("1.02"), held["Money"]) is DIFFERENT


TEXT, AREA, RICH = Field("A", "text", length=255), Field("A", "textarea"), Field("A", "textarea", rich_text=True)
CASES: list[tuple[Field, Any, Any, Verdict]] = [
    (TEXT, None, "", EQUAL),
    (TEXT, "a", None, DIFFERENT),
    (TEXT, None, "a", DIFFERENT),
    (TEXT, "a", "A", DIFFERENT),
    (TEXT, "x" * 300, "x" * 255, EQUAL),
    (TEXT, "x" * 300, "x" * 254, DIFFERENT),
    (TEXT, "a", {"id": "1"}, NOT_COMPARABLE),
    (AREA, "one\r\ntwo\n", "one\ntwo", EQUAL),
    (AREA, " ", None, EQUAL),
    (AREA, "one\n\ntwo", "one\ntwo", DIFFERENT),
    (RICH, "a" * 499, "b" * 499, DIFFERENT),
    (RICH, "a" * 499 + "bcd", "a" * 500, NOT_COMPARABLE),
    (Field("A", "email"), "Ada@Example.com", "ada@example.com", EQUAL),
    (Field("A", "phone"), "x1", "X1", EQUAL),
    (Field("A", "picklist"), "New", "new", DIFFERENT),
    (Field("A", "multiselectpicklist"), ["a", "b"], ["b", "a"], EQUAL),
    (Field("A", "multiselectpicklist"), ["a", "b"], "b;a", EQUAL),
    (Field("A", "multiselectpicklist"), ["a"], ["a", "b"], DIFFERENT),
    (Field("A", "multiselectpicklist"), None, [], EQUAL),
    (Field("A", "integer"), 7, "7", EQUAL),
    (Field("A", "bigint"), "900719925474099312", 900719925474099312, EQUAL),
    (Field("A", "bigint"), "900719925474099312", "900719925474099313", DIFFERENT),
    (Field("A", "double"), Decimal("1.50"), Decimal("1.5"), EQUAL),
    (Field("A", "double"), Decimal("0.1"), 0.1, EQUAL),
    (Field("A", "double"), Decimal("1234567890123.456789"), 1234567890123.456789, EQUAL),
    (Field("A", "currency", decimal_place=2), Decimal("12.34"), Decimal("12.35"), DIFFERENT),
    (Field("A", "currency", decimal_place=2), Decimal("12.345"), Decimal("12.34"), EQUAL),
    (Field("A", "currency", decimal_place=2), Decimal("12.345"), Decimal("12.35"), EQUAL),
    (Field("A", "currency", decimal_place=2), Decimal(0), None, DIFFERENT),
    (Field("A", "percent"), 50, "fifty", NOT_COMPARABLE),
    (Field("A", "boolean"), False, None, EQUAL),
    (Field("A", "boolean"), None, False, EQUAL),
    (Field("A", "boolean"), True, None, DIFFERENT),
    (Field("A", "boolean"), True, "true", EQUAL),
    (Field("A", "date"), "2026-02-28", "2026-02-28", EQUAL),
    (Field("A", "date"), "2026-02-28", "2026-03-01", DIFFERENT),
    (Field("A", "datetime"), "2026-01-01T00:30:00+01:00", "2025-12-31T18:30:00-05:00", EQUAL),
    (Field("A", "datetime"), "2026-01-01T00:30:00+01:00", "2026-01-01T00:30:00+00:00", DIFFERENT),
    (Field("A", "datetime"), "2026-01-01T00:30:00+01:00", "2026-01-01T00:30:00", NOT_COMPARABLE),
    (Field("A", "lookup"), {"id": "5"}, {"id": "5", "name": "Ada"}, EQUAL),
    (Field("A", "lookup"), {"id": "5"}, {"id": 6}, DIFFERENT),
    (Field("A", "lookup"), None, {"id": "5"}, DIFFERENT),
    (Field("A", "ownerlookup"), None, {"id": "5"}, NOT_COMPARABLE),
    (Field("A", "ownerlookup"), {"id": "5"}, {"id": "5", "email": "a@b.de"}, EQUAL),
    (Field("A", "multiselectlookup"), [{"Other": {"id": "5"}}], [], NOT_COMPARABLE),
    (Field("A", "tag"), [{"name": "a"}], [{"name": "b", "id": "5"}], NOT_COMPARABLE),
]  # fmt: skip


@pytest.mark.parametrize(("field", "written", "held", "verdict"), CASES)
def test_a_value_against_what_the_crm_holds(field: Field, written: Any, held: Any, verdict: Verdict) -> None:
    assert compare_values(field, written, held) is verdict


@given(st.sampled_from(sorted({field.data_type for field, *_ in CASES})), st.data())
def test_whatever_a_read_gives_is_compared_or_not_comparable(data_type: str, data: st.DataObject) -> None:
    odd = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda each: st.lists(each, max_size=2) | st.dictionaries(st.just("id"), each),
    )
    assert compare_values(Field("A", data_type), data.draw(odd), data.draw(odd)) in Verdict


MAPPED = {"text": {"type": "string"}, "marks": {}}


def compared(order: dict[str, Any], record: dict[str, Any], settings: Any = None, **options: Any) -> Compared:
    fields = {
        "parent_id": Field("parent_id", "text", unique=True),
        "Text": Field("Text", "text"),
        "Marks": Field("Marks", "multiselectpicklist", picklist=("a", "b", "c")),
    }
    mapping = compile_mapping(
        {"id": {}, **MAPPED},
        ModuleFields("Orders", fields),
        key_field="parent_id",
        key_properties=["id"],
        settings=read_fields(settings or {}),
        timezone=timezone.utc,
    )
    row = tuple(order.get(column.source) for column in mapping.columns)
    return RecordComparer(mapping, **options).compare(["A"], [row], [record])["A"]


def test_fields_that_a_write_leaves_alone_are_equal_and_hidden_ones_not_comparable() -> None:
    record = {"parent_id": "A", "Text": "x", "Marks": ["a", "b"]}
    assert compared({"text": "x", "marks": ["b", "a"]}, record).verdict is EQUAL
    assert compared({"text": None, "marks": ["a", "b"]}, record).different == ("Text",)
    assert compared({"text": None, "marks": None}, record, ignore_empty=True).verdict is EQUAL
    assert compared({"text": None, "marks": ["a", "b"]}, record, {"Text": {"null": "keep"}}).verdict is EQUAL
    assert compared({"text": "x", "marks": ["b"]}, record, {"Marks": {"append": True}}).verdict is EQUAL
    assert compared({"text": "x", "marks": ["c"]}, record, {"Marks": {"append": True}}).different == ("Marks",)
    hidden = compared({"text": "x", "marks": ["a"]}, {"parent_id": "A", "Text": "x"})
    assert (hidden.verdict, hidden.not_comparable) == (NOT_COMPARABLE, ("Marks",))
    assert compared({"text": "x", "marks": ["a"]}, {"parent_id": "B", "Text": "x"}).different == ("parent_id",)
