"""What the options of a field do in the CRM, and the types that only upsert calls write."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from some_tap import Sales

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

CHANNELS = ["upsert", "bulk_write"]


@pytest.fixture
def sales(zoho_emulator: EmulatorProcess, tmp_path: Path) -> Sales:
    return Sales(zoho_emulator, tmp_path)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_field_keeps_what_the_crm_has_where_the_record_holds_null_and_others_are_cleared(
    sales: Sales, channel: str
) -> None:
    fields = {"Notes": {"null": "keep"}, "Country": {"default": "Peru"}, "Currency_Code": {"default": "EUR"}}
    first = {"id": "A", "Notes": "from the CRM's people", "Country": "Chile", "Customer_Name": "Ada"}
    sales.send(first, channel=channel, fields=fields)
    empty = {"Notes": None, "Country": None, "Customer_Name": None}
    sales.send({"id": "A", **empty}, {"id": "B", **empty, "Notes": "b"}, channel=channel, fields=fields)
    sales.send({"id": "A", **empty, "Notes": ""}, channel=channel, fields=fields)
    held = {
        key: tuple(record[name] for name in ("Notes", "Country", "Customer_Name", "Currency_Code"))
        for key, record in sales.crm().items()
    }
    assert held == {"A": ("from the CRM's people", "Peru", None, "EUR"), "B": ("b", "Peru", None, "EUR")}


@pytest.mark.parametrize("channel", CHANNELS)
def test_dates_and_times_in_texts_are_read_by_the_format_that_a_field_names(sales: Sales, channel: str) -> None:
    sales.config["timezone"] = "Europe/Berlin"
    fields = {
        "Order_Date": {"format": "%d.%m.%Y"},
        "Ordered_At": {"source": "ordered", "format": "%d.%m.%Y %H:%M", "unreadable": "null"},
    }
    log = sales.send(
        {"id": "A", "Order_Date": "31.12.2025", "ordered": "31.12.2025 14:05"},
        {"id": "B", "Order_Date": " 1.2.2025", "ordered": "later"},
        {"id": "C", "Order_Date": "2025-02-01", "ordered": "2025-02-01T10:00:00Z"},  # ISO, as a file may have it
        {"id": "D", "Order_Date": "02/28/2025", "ordered": None},
        {"id": "E", "Order_Date": None, "ordered": ""},
        fields=fields,
        channel=channel,
    )
    assert {key: (held["Order_Date"], held["Ordered_At"]) for key, held in sales.crm().items()} == {
        "A": ("2025-12-31", "2025-12-31T13:05:00+00:00"),
        "B": ("2025-02-01", None),
        "C": ("2025-02-01", "2025-02-01T10:00:00+00:00"),
        "E": (None, None),
    }
    assert "1 order: Order_Date is not a date in ISO form, like 2025-12-31 (`format` in `fields` names another" in log


def test_what_is_too_long_is_cut_or_rounded_where_the_user_wants_it(sales: Sales) -> None:
    fields = {"Currency_Code": {"on_too_long": "truncate"}, "Total_Amount": {"on_too_long": "truncate"}}
    sales.send({"id": "A", "Currency_Code": "EURO", "Total_Amount": "0.295"}, fields=fields)
    assert (sales.crm()["A"]["Currency_Code"], sales.crm()["A"]["Total_Amount"]) == ("EUR", Decimal("0.3"))
    log = sales.send({"id": "B", "Currency_Code": "EURO", "Total_Amount": 0.1 + 0.2})
    assert "1 order: Currency_Code is longer than the field's 3 characters" in log
    assert "1 order: Total_Amount has more than 2 decimal places (on_too_long: truncate would round it)" in log
    assert "B" not in sales.crm()


def test_unknown_values_of_a_picklist_are_added_replaced_or_refused(sales: Sales) -> None:
    values = {"Channel": "Fax", "Tags_List": ["gift", "heavy"]}
    log = sales.send({"id": "A", **values})
    assert '1 order: Channel "Fax" is not in the picklist; INVALID_DATA in field Channel' in log
    assert '1 order: Tags_List "heavy" is not in the picklist; INVALID_DATA in field Tags_List' in log
    by_default = {"on_unknown_picklist": "default", "default": "Web"}
    sales.send({"id": "B", **values}, fields={"Channel": by_default, "Tags_List": {"on_unknown_picklist": "add"}})
    assert (sales.crm()["B"]["Channel"], sales.crm()["B"]["Tags_List"]) == ("Web", ["gift", "heavy"])
    assert "A" not in sales.crm()
    sales.send({"id": "C", "Tags_List": ["gift", "heavy"]})  # which the list has by now


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_column_that_pads_with_blanks_holds_entries_of_a_picklist(sales: Sales, channel: str) -> None:
    padded = [{"id": "A", "Channel": f"{'Web':12}"}, {"id": "B", "Channel": " " * 12}, {"id": "C", "Channel": "Web"}]
    sales.send(*padded, channel=channel)
    assert {key: record["Channel"] for key, record in sales.crm().items()} == {"A": "Web", "B": None, "C": "Web"}


@pytest.mark.parametrize("channel", CHANNELS)
def test_entries_are_appended_by_calls_whatever_way_the_other_orders_go(sales: Sales, channel: str) -> None:
    fields = {"Tags_List": {"append": True}}
    first = [{"id": "A", "Tags_List": "gift"}, {"id": "B", "Tags_List": "gift"}]
    sales.send(*first, fields=fields, channel=channel)
    again = [{"id": "A", "Tags_List": "express"}, {"id": "B", "Tags_List": None}, {"id": "C", "Tags_List": None}]
    sales.send(*again, fields=fields, channel=channel)
    assert {key: sorted(held["Tags_List"] or []) for key, held in sales.crm().items()} == {
        "A": ["express", "gift"],
        "B": [],
        "C": [],
    }
    ways = {key: ack.channel for key, ack in sales.acks().items()}
    assert ways == {"A": "upsert", "B": channel, "C": channel}


def test_tags_and_multiple_lookups_are_written_by_upsert_calls_where_the_user_asks_for_them(sales: Sales) -> None:
    admin = sales.emulator.admin
    accounts = admin.put_records("Accounts", [{"Account_Name": name} for name in "AB"])
    admin.add_subform("Orders", "Partners", data_type="multiselectlookup", lookup="Accounts")
    admin.add_subform("Orders", "Clerks", data_type="multiuserlookup")
    clerk = "4876876000000000302"
    order = {"id": "A", "tag": "vip; late", "partners": accounts, "clerks": [{"id": clerk}]}
    assert "no writable field of module Orders for tag, partners, clerks" in sales.send(order)
    fields = {"tag": "Tag", "Partners": {}, "clerks": "Clerks"}
    sales.send(order, fields=fields)
    held = sales.crm()["A"]
    assert [tag["name"] for tag in held["Tag"]] == ["vip", "late"]
    assert [row["Partners"]["id"] for row in held["Partners"]] == accounts
    assert [row["Clerks"]["id"] for row in held["Clerks"]] == [clerk]
    log = sales.send({"id": "B", "tag": 5, "partners": "Zylker", "clerks": None}, fields=fields)
    assert "1 order: Partners is not the id of a record; INVALID_DATA in field Partners" in log


def test_links_that_an_order_has_no_more_are_taken_away_and_the_others_stay(sales: Sales) -> None:
    admin = sales.emulator.admin
    accounts = admin.put_records("Accounts", [{"Account_Name": name} for name in "ABC"])
    admin.add_subform("Orders", "Partners", data_type="multiselectlookup", lookup="Accounts")
    admin.add_subform("Orders", "Clerks", data_type="multiuserlookup")
    fields = {"Partners": {}, "Clerks": {}}
    clerks = ["4876876000000000301", "4876876000000000302"]
    for key in ("A", "B"):
        sales.send({"id": key, "Partners": accounts, "Clerks": clerks}, fields=fields)
    before = {row["Partners"]["id"]: row["id"] for row in sales.crm()["A"]["Partners"]}
    sales.send({"id": "A", "Partners": accounts[1:2], "Clerks": clerks[1:]}, fields=fields)
    held = sales.crm()
    assert [(row["id"], row["Partners"]["id"]) for row in held["A"]["Partners"]] == [(before[accounts[1]], accounts[1])]
    assert [row["Clerks"]["id"] for row in held["A"]["Clerks"]] == clerks[1:]
    assert [row["Partners"]["id"] for row in held["B"]["Partners"]] == accounts
    sales.send({"id": "B", "Partners": None, "Clerks": clerks}, fields=fields)
    assert (sales.crm()["B"]["Partners"], len(sales.crm()["B"]["Clerks"])) == ([], 2)


def test_an_order_whose_old_links_stay_is_not_called_synced(sales: Sales) -> None:
    admin = sales.emulator.admin
    accounts = admin.put_records("Accounts", [{"Account_Name": name} for name in "AB"])
    admin.add_subform("Orders", "Partners", data_type="multiselectlookup", lookup="Accounts")
    sales.send({"id": "A", "Partners": accounts}, fields={"Partners": {}})
    links = [row["id"] for row in sales.crm()["A"]["Partners"]]
    fault = admin.add_fault("upsert", kind="lost_before", keys=links)  # the call that takes one away
    sales.send({"id": "A", "Partners": accounts[:1]}, fields={"Partners": {}})
    assert admin.fired(fault) == 2  # it is tried alone before it is blamed
    ack = sales.acks()["A"]
    assert (ack.status, ack.error_code, ack.zoho_id) == ("rejected", "BREAKS_CALLS", sales.crm()["A"]["id"])
    assert len(sales.crm()["A"]["Partners"]) == 2
    admin.remove_fault(fault)
    sales.send({"id": "A", "Partners": accounts[:1]}, fields={"Partners": {}})
    assert [row["Partners"]["id"] for row in sales.crm()["A"]["Partners"]] == accounts[:1]


@pytest.mark.parametrize("channel", CHANNELS)
def test_one_layout_for_all_orders_goes_by_both_channels(sales: Sales, channel: str) -> None:
    export = sales.emulator.admin.add_layout("Orders", "Export", ["Weight_Kg"])
    fields = {"Layout": {"default": export}}
    sales.send({"id": "A", "Weight_Kg": 2}, fields=fields, channel=channel)
    assert sales.crm()["A"]["Layout"]["id"] == export
    log = sales.send({"id": "A", "layout": export, "Weight_Kg": 2}, fields={"layout": "Layout"}, bulk_threshold=1)
    assert "Layout names a layout for each record, and a job has one" in log


def test_what_only_a_layout_demands_is_refused_before_sending_and_missed_at_the_start(sales: Sales) -> None:
    admin = sales.emulator.admin
    sales.send({"id": "Z", "Notes": "of a time when nothing was demanded"})
    admin.alter_field("Orders", "Country", layout_mandatory=True)
    log = sales.send({"id": "A", "Notes": "n"})
    assert "module Orders demands Country, to which no property goes" in log
    assert "1 order: MANDATORY_NOT_FOUND in field Country" in log  # Zoho's word
    log = sales.send({"id": "B", "Country": None}, {"id": "C", "Country": "Peru"})
    assert "1 order: Country has no value, and the field is mandatory; MANDATORY_NOT_FOUND in field Country" in log
    assert set(sales.crm()) == {"Z", "C"}
    export = admin.add_layout("Orders", "Export", ["Weight_Kg"])
    sales.send({"id": "D", "Country": None, "Weight_Kg": 1}, fields={"Layout": {"default": export}})
    assert set(sales.crm()) == {"Z", "C", "D"}
    log = sales.send({"id": "E", "Country": None, "Weight_Kg": 1})  # which layout an order has, nobody knows now
    assert "1 order: MANDATORY_NOT_FOUND in field Country" in log


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"Customer_Email": {"on_too_long": "truncate"}}, "would make another value of type email"),
        ({"Notes": {"on_unknown_picklist": "add"}}, "is for picklists, and this is of type textarea"),
        ({"Status": {"on_unknown_picklist": "default"}}, "needs a `default`"),
        ({"Status": {"default": "Shiped"}}, 'the default "Shiped" is not in the picklist (did you mean "Shipped"?)'),
        ({"Item_Count": {"default": "many"}}, "the default is not a number"),
        ({"Notes": {"append": True}}, "append is for multi-selects"),
        ({"Notes": {"null": "keep", "default": "-"}}, "exclude each other"),
        ({"Notes": {"null": "forget"}}, "'forget' is not one of"),
        ({"Notes": {"format": "%d.%m.%Y"}}, "format is for dates and times, and this is of type textarea"),
        ({"Order_Date": {"format": "DD.MM.YYYY"}}, "format: DD.MM.YYYY gives no whole date, as %d.%m.%Y does"),
        ({"Ordered_At": {"format": "%d.%m.%Y %I:%M"}}, "or no time (%I needs %p; use %z, not %Z)"),
        ({"Ordered_At": {"format": "%d.%m.%Y %H:%M %Z"}}, "or no time (%I needs %p; use %z, not %Z)"),
    ],
)
def test_an_option_that_does_not_suit_the_field_stops_the_run(sales: Sales, entry: dict[str, Any], says: str) -> None:
    log = sales.send({"id": "A", "Notes": "n"}, code=2, fields=entry)
    assert says in log
    assert "Traceback" not in log


def test_a_stream_map_that_fails_names_what_its_expression_lacks_and_no_value(sales: Sales) -> None:
    sales.config["stream_maps"] = {"sales": {"Notes": "reversed(Notes)"}}
    log = sales.send({"id": "A", "Notes": "secret"})
    assert "the stream map fails for this record (FunctionNotDefined: reversed)" in log
    assert "secret" not in log
