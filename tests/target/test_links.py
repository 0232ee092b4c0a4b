"""Multiple lookups and tags of orders that go by a bulk write job: synced only when they are there, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from some_tap import Sales

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

STREAM_LEDGER = "target_zoho_crm.confirmation.stream_ledger.StreamLedger"
CLIENT = "target_zoho_crm.api.client.ZohoClient"
CLERKS = ["4876876000000000301", "4876876000000000302"]
ALL = {"Partners": {}, "Clerks": {}, "Tag": {}}


class Linked(Sales):
    """Orders with partners, clerks and tags, sent by jobs where nothing else is said."""

    def __init__(self, emulator: EmulatorProcess, folder: Path) -> None:
        super().__init__(emulator, folder)
        self.partners = emulator.admin.put_records("Accounts", [{"Account_Name": name} for name in "ABCD"])
        emulator.admin.add_subform("Orders", "Partners", data_type="multiselectlookup", lookup="Accounts")
        emulator.admin.add_subform("Orders", "Clerks", data_type="multiuserlookup")
        self.properties |= {"Partners": {}}
        self.config |= {"channel": "bulk_write", "fields": {"Partners": {}}}

    def links(self, name: str = "Partners") -> dict[str, list[str]]:
        """The ids of the other records by order."""
        return {key: [row[name]["id"] for row in held[name]] for key, held in self.crm().items()}

    def jobs(self) -> list[tuple[str, str]]:
        """Operation and module of each job."""
        return [(job["operation"], job["module"]["api_name"]) for job in reversed(self.emulator.admin.jobs())]

    def statuses(self) -> dict[str, tuple[str, str | None, str | None]]:
        """What the ledger says of each order."""
        return {key: (ack.status, ack.error_code, ack.channel) for key, ack in self.acks().items()}


@pytest.fixture
def sales(zoho_emulator: EmulatorProcess, tmp_path: Path) -> Linked:
    return Linked(zoho_emulator, tmp_path)


def test_links_go_by_a_job_of_the_linking_module(sales: Linked) -> None:
    a, b, c, _ = sales.partners
    log = sales.send(
        {"id": "A", "Partners": [a, b]}, {"id": "B", "Partners": f"{b};{c}"}, {"id": "C", "Partners": None}
    )
    assert sales.links() == {"A": [a, b], "B": [b, c], "C": []}
    assert "3 in 1 bulk write job(s) at 500 credits, links of multiple lookups = 500 credits" in log
    assert sales.jobs() == [("upsert", "Orders"), ("insert", "Orders_Partners")]
    assert {status for status, _, _ in sales.statuses().values()} == {"synced"}


def test_links_of_an_order_that_was_there_become_those_that_it_names(sales: Linked) -> None:
    a, b, c, d = sales.partners
    sales.send({"id": "A", "Partners": [a, b]}, {"id": "B", "Partners": [b]}, {"id": "C"}, {"id": "D", "Partners": [d]})
    before = {row["Partners"]["id"]: row["id"] for row in sales.crm()["A"]["Partners"]}
    sales.send(
        {"id": "A", "Partners": [b, c]}, {"id": "B", "Partners": None}, {"id": "C", "Partners": [d]}, {"id": "D"}
    )
    assert sales.links() == {"A": [b, c], "B": [], "C": [d], "D": [d]}
    assert sales.crm()["A"]["Partners"][0]["id"] == before[b]  # a link that stays is not made anew
    assert {status for status, _, _ in sales.statuses().values()} == {"synced"}


def test_an_order_with_a_link_that_leads_nowhere_goes_by_a_call_and_is_refused_whole(sales: Linked) -> None:
    a, *_ = sales.partners
    log = sales.send({"id": "A", "Partners": [a, "77"]}, {"id": "B", "Partners": [a]}, {"id": "C", "Partners": "x"})
    assert sales.statuses() == {
        "A": ("rejected", "INVALID_DATA", "upsert"),
        "B": ("synced", None, "bulk_write"),
        "C": ("rejected", "INVALID_DATA", None),
    }
    assert sales.links() == {"B": [a]}
    assert "2 orders go by calls, since no job can write them" in log


def test_tags_and_users_go_by_calls_and_are_cleared_after_a_job(sales: Linked) -> None:
    a, b, *_ = sales.partners
    whole = {"Partners": [a, b], "Clerks": CLERKS, "Tag": ["vip"]}
    sales.send(
        {"id": "A", **whole}, {"id": "B", **whole}, {"id": "C", **whole, "Clerks": None, "Tag": None}, fields=ALL
    )
    assert {key: way for key, (_, _, way) in sales.statuses().items()} == {
        "A": "upsert",
        "B": "upsert",
        "C": "bulk_write",
    }
    assert sales.links("Clerks") == {"A": CLERKS, "B": CLERKS, "C": []}
    none = {"Partners": [b], "Clerks": None, "Tag": None}
    sales.send({"id": "A", **none}, {"id": "C", **none}, fields=ALL, ignore_empty=True)
    assert sales.links("Clerks") == {"A": CLERKS, "B": CLERKS, "C": []}
    assert sales.links() == {"A": [b], "B": [a, b], "C": [b]}
    log = sales.send({"id": "A", **none}, {"id": "C", **none}, {"id": "D", **none}, fields=ALL)
    assert "credits: 1,000 for bulk write, 1 for upserts" in log
    log = sales.send({"id": "A", **none}, {"id": "C", **none}, {"id": "D", **none}, fields=ALL)
    assert "credits: 500 for bulk write, 0 for upserts" in log  # there is nothing left to clear
    assert sales.links("Clerks") == {"A": [], "B": CLERKS, "C": [], "D": []}
    assert {key: [tag["name"] for tag in held["Tag"] or []] for key, held in sales.crm().items()} == {
        "A": [],
        "B": ["vip"],
        "C": [],
        "D": [],
    }
    assert {status for status, _, _ in sales.statuses().values()} == {"synced"}


def test_few_orders_and_few_links_go_by_calls_where_the_target_may_choose(sales: Linked) -> None:
    a, b, *_ = sales.partners
    log = sales.send({"id": "A", "Partners": [a]}, channel="auto")
    assert "1 in 1 upsert call(s) = 1 credits; 1 credits in all" in log
    some = [{"id": f"B{number}", "Partners": [a, b] if number < 2 else None} for number in range(5)]
    sales.send(*some, channel="auto", bulk_threshold=5)  # 5 orders by a job, 4 links by a call
    assert sales.jobs() == [("upsert", "Orders")]
    assert sales.links() == {"A": [a], "B0": [a, b], "B1": [a, b], "B2": [], "B3": [], "B4": []}
    some = [{"id": f"C{number}", "Partners": [a, b]} for number in range(5)]
    sales.send(*some, channel="auto", bulk_threshold=5)
    assert sales.jobs() == [("upsert", "Orders"), ("upsert", "Orders"), ("insert", "Orders_Partners")]
    assert sales.links()["C4"] == [a, b]


@pytest.mark.parametrize("repeated", ["once", "again"])
@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_an_order_that_is_written_again_has_each_link_once(sales: Linked, channel: str, repeated: str) -> None:
    a, b, c, _ = sales.partners
    sales.emulator.admin.switch(repeated_links=repeated)
    for partners in ([a, b], [a, b], [b, c]):
        sales.send({"id": "A", "Partners": partners}, {"id": "B", "Partners": [b]}, channel=channel)
        assert {key: sorted(links) for key, links in sales.links().items()} == {"A": partners, "B": [b]}


@pytest.mark.slow
@pytest.mark.parametrize("repeated", ["once", "again"])
@pytest.mark.parametrize(
    "point",
    [
        f"before:{STREAM_LEDGER}.intend_child_jobs",
        f"after:{STREAM_LEDGER}.intend_child_jobs",
        f"before:{CLIENT}.create_job:2",
        f"after:{CLIENT}.download:2",
        f"before:{STREAM_LEDGER}.confirm",
    ],
)
def test_a_run_killed_among_its_links_is_made_up_for_by_the_next(sales: Linked, point: str, repeated: str) -> None:
    """The tap sends what is unsynced again; a job of links that Zoho has is awaited before."""
    a, b, c, _ = sales.partners
    sales.emulator.admin.switch(repeated_links=repeated)
    sales.send({"id": "B", "Partners": [c]})
    orders = [{"id": "A", "Partners": [a, b]}, {"id": "B", "Partners": [b]}]
    sales.send(*orders, kill_at=point)
    assert sales.statuses()["A"][0] == "submitted"
    log = sales.send()
    assert "Adopting a bulk write job of 2 orders" in log
    assert {status for status, _, _ in sales.statuses().values()} == {"rejected"}
    assert {code for _, code, _ in sales.statuses().values()} == {"LINKS_NOT_WRITTEN"}
    sales.send(*orders)
    assert {key: sorted(links) for key, links in sales.links().items()} == {"A": [a, b], "B": [b]}
    assert {status for status, _, _ in sales.statuses().values()} == {"synced"}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "unprocessed", "share": 1}, "UNPROCESSED"),
        ({"kind": "job_failed", "code": "INTERNAL_ERROR"}, "JOB_WITHOUT_RESULT"),
    ],
)
def test_an_order_whose_links_are_not_written_is_due_again(sales: Linked, fault: dict[str, object], code: str) -> None:
    a, b, *_ = sales.partners
    taken = sales.emulator.admin.add_fault(module="Orders_Partners", times=1, **fault)
    sales.send({"id": "A", "Partners": [a, b]}, {"id": "B"})
    assert sales.emulator.admin.fired(taken) == 1
    assert sales.statuses() == {"A": ("rejected", code, "bulk_write"), "B": ("synced", None, "bulk_write")}
    ack = sales.acks()["A"]
    assert (ack.error_field, ack.next_attempt_at is not None) == ("Partners", True)
    sales.send({"id": "A", "Partners": [a, b]})
    assert sales.links() == {"A": [a, b], "B": []}


def test_a_job_of_links_without_an_answer_is_not_created_again(sales: Linked) -> None:
    a, b, *_ = sales.partners
    sales.emulator.admin.switch(repeated_links="again")
    sales.emulator.admin.add_fault("bulk_create", kind="lost_after", after=1, times=1)
    log = sales.send({"id": "A", "Partners": [a, b]})
    assert "is left to the next run" in log
    assert sales.statuses()["A"][0] == "submitted"
    sales.emulator.admin.wait_jobs()
    sales.send()
    sales.send({"id": "A", "Partners": [a, b]})
    assert sales.links() == {"A": [a, b]}
    assert sales.jobs().count(("insert", "Orders_Partners")) == 1
    assert sales.statuses()["A"][0] == "synced"


def test_an_order_with_links_and_lines_is_synced_when_both_are_there(sales: Linked) -> None:
    a, b, *_ = sales.partners
    line = {"type": "object", "properties": {"_sync_key": {"type": "string"}, "Quantity": {"type": "integer"}}}
    sales.properties["lines"] = {"type": "array", "items": line}
    lines = [{"_sync_key": "1", "Quantity": 1}, {"_sync_key": "2", "Quantity": 2}]
    order = {"id": "A", "Partners": [a, b], "lines": lines}
    fault = sales.emulator.admin.add_fault(kind="job_failed", module="Orders_Partners", code="INTERNAL_ERROR", times=1)
    sales.send(order, lines={})
    assert sales.emulator.admin.fired(fault) == 1
    assert sales.statuses()["A"][:2] == ("rejected", "JOB_WITHOUT_RESULT")
    sales.send(order, lines={})
    assert sales.statuses()["A"] == ("synced", None, "upsert")  # no job takes it any more
    second = order | {"id": "B", "lines": [{"_sync_key": "3", "Quantity": 3}]}
    sales.send(second, lines={}, kill_at=f"before:{STREAM_LEDGER}.confirm")
    sales.send(lines={})
    assert sales.statuses()["B"][:2] == ("rejected", "LINKS_NOT_WRITTEN")
    sales.send(second, lines={})
    assert sales.statuses()["B"][:2] == ("synced", None)
    assert sales.links() == {"A": [a, b], "B": [a, b]}
    assert [each["line_id"] for each in sales.emulator.admin.records("Order_Lines")] == ["1", "2", "3"]


@pytest.mark.parametrize("fault", [{"kind": "answer", "canned": "gateway_timeout"}, {"kind": "lost_before"}])
@pytest.mark.parametrize("endpoint", ["upsert", pytest.param("coql", marks=pytest.mark.nightly)])
def test_one_order_whose_links_fail_their_call_holds_up_no_other(
    sales: Linked, fault: dict[str, object], endpoint: str
) -> None:
    a, b, *_ = sales.partners
    keys = [f"O-{number}" for number in range(30)]
    sales.send(*({"id": key, "Partners": [a, b]} for key in keys), channel="upsert")
    record = sales.crm()["O-17"]
    known = [row["id"] for row in record["Partners"]] if endpoint == "upsert" else [record["id"]]
    sales.emulator.admin.add_fault(endpoint, keys=known, **fault)
    changed = [{"id": key, "Partners": [b]} for key in keys]
    for _ in range(3):
        left = [order for order in changed if sales.statuses()[order["id"]][1] or len(sales.links()[order["id"]]) > 1]
        sales.send(*left, channel="upsert")
    statuses = sales.statuses()
    assert {key for key in keys if statuses[key][0] != "synced"} == {"O-17"}
    assert statuses["O-17"][:2] == ("rejected", "BREAKS_CALLS")
    assert {key for key, links in sales.links().items() if links != [b]} == {"O-17"}


def test_lines_with_tags_or_links_and_inserts_of_them_go_by_calls_alone(sales: Linked) -> None:
    a, *_ = sales.partners
    line = {"type": "object", "properties": {"_sync_key": {"type": "string"}, "tags": {}}}
    sales.properties["lines"] = {"type": "array", "items": line}
    order = {"id": "A", "lines": [{"_sync_key": "1", "tags": ["vip"]}]}
    lines = {"fields": {"tags": "Tag"}}
    log = sales.send(order, lines=lines, channel="auto", bulk_threshold=1, fields={})
    assert "goes by upsert calls alone: Tag of its lines holds tags" in log
    assert [tag["name"] for each in sales.emulator.admin.records("Order_Lines") for tag in each["Tag"]] == ["vip"]
    log = sales.send({"id": "B", "Partners": [a]}, operation="insert", channel="auto", bulk_threshold=1)
    assert "goes by upsert calls alone: Partners links several records" in log
    assert sales.links()["B"] == [a]


def test_a_dead_runs_job_of_links_is_over_before_a_newer_version_is_sent(sales: Linked) -> None:
    a, b, *_ = sales.partners
    admin = sales.emulator.admin
    admin.settings(job_seconds=3)
    # Steps: uploaded and created, of the orders' job and then of that of links.
    sales.send({"id": "A", "Partners": [a, b]}, kill_at=f"after:{STREAM_LEDGER}.step:4")
    admin.settings(job_seconds=0)
    assert sales.jobs() == [("upsert", "Orders"), ("insert", "Orders_Partners")]
    sales.send({"id": "A", "Partners": [a]})
    admin.wait_jobs()
    assert sales.links() == {"A": [a]}
    assert sales.statuses()["A"][:2] == ("synced", None)


def test_an_order_with_more_links_than_zoho_takes_is_refused_whole(sales: Linked) -> None:
    many = sales.emulator.admin.put_records("Accounts", [{"Account_Name": str(number)} for number in range(101)])
    sales.send({"id": "A", "Partners": many}, {"id": "B", "Partners": many[:100]})
    assert sales.statuses() == {"A": ("rejected", "LIMIT_EXCEEDED", "upsert"), "B": ("synced", None, "bulk_write")}
    assert {key: len(links) for key, links in sales.links().items()} == {"B": 100}
