"""Refused orders of a push: what to do about them is to push their file again, and that is what is advised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import forked
from click.testing import CliRunner
from pair_of_plugins import Finished, Shop, finish, start

from orders_sync.cli import main


def made(number: int, status: str = "Paid") -> dict[str, Any]:
    return {"order_id": f"F-{number}", "customer_name": "Zoë", "status": status}


def push(shop: Shop, file: Path, *options: str) -> Finished:
    _, target = shop.configs()
    return finish(
        start(forked.command("orders-sync", ["push", file, *options, "--key", "order_id", "--target-config", target]))
    )


def test_refused_orders_of_files_are_advised_to_be_pushed_again(shop: Shop, tmp_path: Path) -> None:
    def said(*command: str, code: int = 0) -> str:
        own = ["--stream", "by-hand", "--ack-url", shop.ack_url]
        ended = CliRunner().invoke(main, [*command, *own])
        assert ended.exit_code == code, ended.output
        for other in ("next run", "the change sends", "orders' table", "`orders-sync retry"):
            assert other not in ended.output
        return ended.output

    file = tmp_path / "orders.json"
    file.write_text(json.dumps([made(1), made(7, status="Shiped")]))
    ended = push(shop, file, "--stream", "by-hand", "--wait")
    assert ended.code == 1
    text = 'Status "Shiped" is not in the picklist (did you mean "Shipped"?)'
    assert [text in line for line in ended.out.splitlines()] == [False, False, True, False]  # a line each, whole
    assert shop.crm()["F-1"]["id"] in ended.out
    assert push(shop, file, "--stream", "by-hand").code == 1  # without `--wait` too
    assert "Correct the file and push it again." in ended.err
    assert "the change sends it" not in ended.err
    assert "Correct the file and push it again." in said("problems")
    assert "Next: nothing, until its file is corrected and pushed again" in said("history", "F-7")
    assert "Next: nothing, until a file that has it is pushed" in said("history", "F-1")
    refused = said("retry", "F-7", code=1)
    assert "correct the file and push it again: `orders-sync push FILE --stream by-hand`" in refused
    assert len(refused.splitlines()) == 1
    sheet = tmp_path / "refused.csv"
    said("problems", "--export", str(sheet))
    sheet.write_text(sheet.read_text().replace(",map to Shipped,,", ",map to Shipped,retry,"))
    assert "by-hand" in said("problems", "--import", str(sheet))
    said("dismiss", "F-7")
    assert "Correct the file and push it again." in said("problems")

    file.write_text(json.dumps([made(1), made(7)]))
    assert push(shop, file, "--stream", "by-hand").code == 0
    assert shop.crm()["F-7"]["Status"] == "Paid"


def test_of_a_stream_that_a_tap_sends_retry_makes_refused_orders_due(shop: Shop, tmp_path: Path) -> None:
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([made(7, status="Shiped")]))
    assert push(shop, file).code == 1
    ended = CliRunner().invoke(main, ["retry", "F-7", "--ack-url", shop.ack_url])
    assert "1 orders are due; the next run sends them." in ended.output


def test_a_decimal_comma_is_not_looked_for_in_json(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text(json.dumps([made(1) | {"total_amount": "1.234,50"}]))
    ended = push(shop, file, "--decimal-comma", "total_amount")
    assert ended.code == 1
    assert "--decimal-comma is for CSV and sheets" in ended.err
    assert "`push --decimal-comma` reads it" not in ended.err
