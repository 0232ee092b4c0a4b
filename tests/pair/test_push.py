"""Orders that somebody has in a file reach the CRM in one command, with a result for each record."""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from openpyxl import Workbook
from pair_of_plugins import TESTS, Finished, Shop, finish, start
from shop_with_lines import ShopWithLines
from webhook_receiver import Receiver, webhook_receiver

import orders_sync
from orders_sync.cli import main
from orders_sync.pushes.push_files import FileProblem
from orders_sync.reporting.push_log import log_of
from sync_ledger.ledger import Ledger

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

CLIENT = "target_zoho_crm.api.client.ZohoClient"
STREAM_LEDGER = "target_zoho_crm.confirmation.stream_ledger.StreamLedger"
ENDS_WITHIN_SECONDS = 300  # for hangs alone
COLUMNS = ("order_id", "customer_name", "status", "total_amount", "order_date", "is_gift")


def made(number: int, **values: Any) -> dict[str, Any]:
    return {
        "order_id": f"F-{number}",
        "customer_name": f"Zoë {number}",
        "status": ("New", "Paid", "Shipped")[number % 3],
        "total_amount": number + 0.5,
        "order_date": "2026-02-03",
        "is_gift": number % 2 == 0,
        **values,
    }


def as_csv(records: Sequence[dict[str, Any]], **options: Any) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, **options)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def push(shop: Shop, *arguments: str | Path) -> Finished:
    _, target = shop.configs()
    command = ["push", *arguments, "--key", "order_id", "--target-config", target]
    return finish(start(forked.command("orders-sync", command)))


def results(ended: Finished) -> dict[str, dict[str, Any]]:
    return {each["key"]: each for each in json.loads(ended.out)["results"]}


@pytest.fixture
def owned(shop: Shop) -> Shop:
    """A shop whose stream has the module already."""
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    return shop


def test_300_records_of_a_json_array_have_a_result_each(owned: Shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    records = [made(number) for number in range(300)]
    records[7] |= {"status": "Shiped"}
    file.write_text(json.dumps(records))
    ended = push(owned, file, "--wait", "--json")
    assert ended.code == 1, ended.err
    found, crm = results(ended), owned.crm()
    assert len(found) == 300
    assert Counter(each["outcome"] for each in found.values()) == {"synced": 299, "rejected": 1}
    assert (found["F-7"]["code"], found["F-7"]["field"]) == ("INVALID_DATA", "Status")
    assert {key: each["record_id"] for key, each in found.items() if key != "F-7"} == {
        key: crm[key]["id"] for key in found if key != "F-7"
    }
    assert (crm["F-8"]["Total_Amount"], crm["F-8"]["Is_Gift"], crm["F-8"]["Order_Date"]) == (8.5, True, "2026-02-03")
    name = json.loads(ended.out)["transaction"]
    later = CliRunner().invoke(main, ["results", name, "--json", "--ack-url", owned.ack_url])
    assert {each["key"]: each["outcome"] for each in json.loads(later.stdout)["results"]} == {
        key: each["outcome"] for key, each in found.items()
    }


def test_pushed_again_nothing_is_sent_twice(owned: Shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(as_csv([made(number) for number in range(5)]))
    assert push(owned, file, "--wait").code == 0
    spent = owned.written_credits()
    again = push(owned, file, "--wait", "--json")
    assert again.code == 0, again.err
    assert owned.written_credits() == spent
    assert {each["outcome"] for each in results(again).values()} == {"synced"}
    assert push(owned, file, "--again").code == 0
    assert owned.written_credits() > spent


def test_commands_that_read_the_history_do_so_on_every_engine(any_shop: Shop, tmp_path: Path) -> None:
    any_shop.insert(["SO-1"])
    assert any_shop.run().code == 0
    file = tmp_path / "orders.csv"
    file.write_text(as_csv([made(1), made(2, status="Shiped")]))
    for _ in range(2):  # the second push reads what became of the first one
        ended = push(any_shop, file, "--wait", "--json")
        assert ended.code == 1, ended.err
        assert {key: each["outcome"] for key, each in results(ended).items()} == {"F-1": "synced", "F-2": "rejected"}
    place = ("--ack-url", any_shop.ack_url)
    for command in (["history", "F-2"], ["problems", "--export", str(tmp_path / "sheet.csv")]):
        done = CliRunner().invoke(main, [*command, *place])
        assert done.exit_code == 0, done.output
    assert "Shiped" in (tmp_path / "sheet.csv").read_text()


def test_orders_of_a_file_keep_the_lines_that_they_have(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path)
    shop.insert(["F-1"])
    shop.add_lines({"F-1": 3})
    assert shop.run().code == 0
    lines = list(zoho_emulator.admin.records("Order_Lines"))
    file = tmp_path / "orders.csv"
    file.write_text(as_csv([made(1, status="Returned"), made(2)]))
    ended = push(shop, file, "--wait")
    assert ended.code == 0, ended.err + ended.out
    assert (shop.crm()["F-1"]["Status"], len(shop.crm())) == ("Returned", 2)
    assert list(zoho_emulator.admin.records("Order_Lines")) == lines
    assert len(lines) == 3
    shop.engine.dispose()


@pytest.mark.parametrize(
    ("encoding", "options"),
    [("utf-8", {}), ("utf-8-sig", {"delimiter": ";"}), ("utf-16", {"delimiter": "\t"}), ("cp1252", {"delimiter": "|"})],
)
def test_csv_of_any_delimiter_and_encoding(owned: Shop, tmp_path: Path, encoding: str, options: Any) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(as_csv([made(1), made(2, customer_name='a; "b"\n|c')], **options), encoding=encoding)
    said = ["--encoding", encoding] if encoding == "cp1252" else []
    ended = push(owned, file, "--wait", "--csv", *said)
    assert ended.code == 0, ended.err
    assert {line["key"]: line["outcome"] for line in csv.DictReader(io.StringIO(ended.out))} == {
        "F-1": "synced", "F-2": "synced",
    }  # fmt: skip
    crm = owned.crm()
    assert (crm["F-1"]["Customer_Name"], crm["F-2"]["Customer_Name"]) == ("Zoë 1", 'a; "b"\n|c')
    assert (crm["F-1"]["Total_Amount"], crm["F-1"]["Is_Gift"]) == (1.5, False)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig"])
def test_amounts_with_a_decimal_comma_are_read_from_the_columns_that_are_named(
    owned: Shop, tmp_path: Path, encoding: str
) -> None:
    amounts = {"1.234,50": 1234.5, "77,75": 77.75, "12": 12, "-3,25": -3.25, "1\u00a0000,5": 1000.5, "": None}
    lines = ["order_id;customer_name;total_amount", *(f"F-{i};Zoë 1,5;{text}" for i, text in enumerate(amounts))]
    file = tmp_path / "amounts.csv"
    file.write_bytes("\r\n".join(lines).encode(encoding))
    how = () if encoding == "utf-8-sig" else ("--encoding", encoding)
    ended = push(owned, file, *how, "--wait")
    assert ended.code == 1
    assert "Total_Amount is not a number: it has a comma (`push --decimal-comma`" in ended.err
    assert push(owned, file, *how, "--decimal-comma", "total_amount").code == 0
    crm = [owned.crm()[f"F-{number}"] for number in range(len(amounts))]
    assert [held["Total_Amount"] for held in crm] == list(amounts.values())
    assert {held["Customer_Name"] for held in crm} == {"Zoë 1,5"}


@pytest.mark.parametrize(
    ("amount", "column", "says"),
    [
        ("1.5", "total_amount", "line 3: total_amount is no number with a decimal comma, such as 1.234,50"),
        ("0.500", "total_amount", "line 3: total_amount is no number with a decimal comma"),
        ("1,50", "amount", "--decimal-comma: no column is called 'amount'; its columns are order_id, total_amount"),
    ],
)
def test_what_is_no_number_with_a_decimal_comma_stops_the_push(
    owned: Shop, tmp_path: Path, amount: str, column: str, says: str
) -> None:
    file = tmp_path / "amounts.csv"
    file.write_text(f"order_id;total_amount\nF-1;2,50\nF-2;{amount}\n")
    spent = owned.written_credits()
    ended = push(owned, file, "--decimal-comma", column)
    assert (ended.code, owned.written_credits()) == (1, spent)
    assert says in ended.err


def test_the_later_record_of_a_key_wins_and_the_other_is_superseded(owned: Shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    lines = [made(1), made(2), made(1, customer_name="the later one")]
    file.write_text("\n".join(map(json.dumps, lines)))
    ended = push(owned, file, "--wait", "--json")
    assert ended.code == 0, ended.err
    outcomes = [(each["key"], each["outcome"]) for each in json.loads(ended.out)["results"]]
    assert sorted(outcomes) == [("F-1", "superseded"), ("F-1", "synced"), ("F-2", "synced")]
    assert owned.crm()["F-1"]["Customer_Name"] == "the later one"
    assert json.loads(ended.out)["run"]["counts"]["read"] == 2


def test_what_is_written_already_is_left_out_of_a_longer_file(owned: Shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([made(number) for number in range(5)]))
    assert push(owned, file).code == 0
    file.write_text(json.dumps([made(number) for number in range(7)]))
    ended = push(owned, file, "--wait", "--json")
    assert {key: each["outcome"] for key, each in results(ended).items()} == {
        f"F-{number}": "synced" for number in range(7)
    }
    assert json.loads(ended.out)["run"]["counts"]["read"] == 2


def test_the_taps_next_look_decides_as_ever(owned: Shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([made(1, order_id="SO-1", customer_name="by hand")]))
    before = mappings(owned)
    assert push(owned, file).code == 0
    assert mappings(owned) == before
    assert owned.crm()["SO-1"]["Customer_Name"] == "by hand"
    assert owned.run().code == 0
    owned.assert_all_synced()


def mappings(shop: Shop) -> list[Any]:
    """What the ledger remembers of how orders are mapped."""
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.connect() as connection:
            return list(connection.execute(sa.select(ledger.tables.mapping)))
    finally:
        ledger.close()


def test_a_sheet_is_pushed(owned: Shop, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(COLUMNS)
    for number in range(3):
        sheet.append([made(number)[name] for name in COLUMNS])
    book.save(tmp_path / "orders.xlsx")
    ended = push(owned, tmp_path / "orders.xlsx", "--wait")
    assert ended.code == 0, ended.err
    assert owned.crm()["F-2"]["Total_Amount"] == 2.5


def sheet_with(folder: Path, cell: object, *, sheets: int = 1) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["order_id", "status"])
    sheet.append(["F-1", cell])
    for number in range(1, sheets):
        book.create_sheet(f"More {number}")
    book.save(folder / "bad.xlsx")
    return folder / "bad.xlsx"


def bad_csv(folder: Path, text: str | bytes) -> Path:
    file = folder / "bad.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


HEAD = "order_id,status\nF-1,New\n"
BAD = {
    "half a row": (lambda folder: bad_csv(folder, HEAD + "F-2"), "line 3: 1 cells where the first line names 2"),
    "half a quoted cell": (lambda folder: bad_csv(folder, HEAD + 'F-2,"Ne'), "is a quote left open?"),
    "another encoding": (
        lambda folder: bad_csv(folder, HEAD.encode() + "F-2,Zoë\n".encode("cp1252")),
        "line 3 is not in the encoding utf-8; say by --encoding",
    ),
    "ten columns too many": (
        lambda folder: bad_csv(folder, HEAD + "F-2,New" + ",x" * 10 + "\n"),
        "line 3: 12 cells where the first line names 2 columns",
    ),
    "a column twice": (lambda folder: bad_csv(folder, "order_id,status,status\n"), "'status' stands in it twice"),
    "no key": (lambda folder: bad_csv(folder, HEAD + ",Paid\n"), "line 3: it has no order_id, and so no key"),
    "a formula": (lambda folder: sheet_with(folder, "=1+1"), "cell B2: it holds a formula"),
    "two sheets": (lambda folder: sheet_with(folder, "New", sheets=2), "it has 2 sheets (Sheet, More 1); name one"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_file_gets_one_clear_line_and_nothing_is_sent(owned: Shop, tmp_path: Path, bad: str) -> None:
    write, text = BAD[bad]
    before, spent = owned.crm(), owned.written_credits()
    ended = push(owned, write(tmp_path))
    assert ended.code == 1, ended.err
    (line,) = ended.err.strip().splitlines()
    assert text in line
    assert str(tmp_path) in line
    assert (owned.crm(), owned.written_credits()) == (before, spent)


def test_without_a_stream_that_has_the_module_one_must_be_named(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([made(1)]))
    ended = push(shop, file)
    assert ended.code == 1
    assert "no stream of the ledger writes to it yet; name one by --stream" in ended.err
    assert push(shop, file, "--stream", "by_hand").code == 0
    assert shop.crm().keys() == {"F-1"}


@pytest.mark.parametrize(
    "point", [f"before:{CLIENT}.create_job", f"before:{CLIENT}.job", f"after:{STREAM_LEDGER}.confirm"]
)
def test_a_killed_push_is_completed_by_the_same_file(owned: Shop, tmp_path: Path, point: str) -> None:
    owned.target_config |= {"channel": "bulk_write"}
    file = tmp_path / "orders.csv"
    file.write_text(as_csv([made(number) for number in range(50)]))
    _, target = owned.configs()
    command = ["push", str(file), "--key", "order_id", "--target-config", str(target)]
    killed = finish(start(forked.command(TESTS / "push_killed_at.py", [point, *command])))
    assert killed.code == -9, killed.err
    ended = push(owned, file, "--wait", "--json")
    assert ended.code == 0, ended.err
    assert Counter(each["outcome"] for each in results(ended).values()) == {"synced": 50}
    crm = owned.crm()
    assert {key for key in crm if key.startswith("F-")} == {f"F-{number}" for number in range(50)}
    assert len(owned.emulator.admin.jobs()) == 1


def test_a_push_in_the_background_prints_its_id_at_once_and_results_tell_its_end(
    owned: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    file = tmp_path / "orders.csv"
    file.write_text(as_csv([made(number) for number in range(20)]))
    hold = owned.emulator.admin.add_fault("upsert", kind="hold_before", times=1)
    ended = push(owned, file, "--background")
    assert ended.code == 0, ended.err
    name = ended.out.strip()
    assert "leave the files where and as they are" in ended.err
    owned.emulator.admin.wait_held(hold)
    assert run_of(owned, name)["how_ended"] is None
    owned.emulator.admin.release(hold)
    until = time.monotonic() + ENDS_WITHIN_SECONDS
    while run_of(owned, name)["how_ended"] is None and time.monotonic() < until:
        time.sleep(0.1)
    assert run_of(owned, name)["how_ended"] == "finished"
    assert {key for key in owned.crm() if key.startswith("F-")} == {f"F-{number}" for number in range(20)}


def run_of(shop: Shop, name: str) -> Any:
    ended = CliRunner().invoke(main, ["results", name, "--json", "--ack-url", shop.ack_url])
    return json.loads(ended.stdout)["runs"][-1]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as made:
        yield made


def test_the_outcome_is_posted_and_signed(
    owned: Shop, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([made(1), made(2, status="odd")]))
    assert push(owned, file, "--callback", receiver.url).code == 2
    monkeypatch.setenv("ORDERS_SYNC_PUSH_SECRET", "a secret")
    assert push(owned, file, "--callback", receiver.url).code == 1
    (document,) = receiver.documents("a secret")
    assert (document["complete"], document["counts"]) == (False, {"synced": 1, "rejected": 1})
    assert document["results"][0]["field"] == "Status"


def test_a_program_pushes_records(owned: Shop) -> None:
    _, target = owned.configs()
    pushed = orders_sync.push([made(1), made(2)], key="order_id", target_config=json.loads(target.read_text()))
    assert pushed.complete
    assert {each.key: each.record_id for each in pushed.results} == {
        key: owned.crm()[key]["id"] for key in ("F-1", "F-2")
    }
    with pytest.raises(FileProblem, match="record 1: it has no order_id"):
        orders_sync.push([{"status": "New"}], key="order_id", target_config=target)


def test_a_push_in_the_background_that_has_no_run_leads_to_its_log(
    owned: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    log = log_of("push-0123456789abcdef")
    log.write_text("Error: it could not begin")
    ended = CliRunner().invoke(main, ["results", "push-0123456789abcdef", "--ack-url", owned.ack_url])
    assert ended.exit_code == 1
    assert f"no run has begun yet, or none could; its log says which: {log}" in ended.output
