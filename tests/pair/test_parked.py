"""An order whose retries are used up: nobody is made to wait for a try that never comes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pair_of_plugins import BIN, Finished, Shop, finish, start
from shop_with_lines import ShopWithLines

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


def operator(shop: Shop, *arguments: str) -> str:
    """What a command of the operator prints, as a process of its own, with blanks in place of line ends."""
    ended = finish(start([BIN / "orders-sync", *arguments, "--ack-url", shop.ack_url]))
    assert ended.code == 0, ended.err
    return " ".join(ended.out.split())


def problems(shop: Shop) -> Any:
    return json.loads(operator(shop, "problems", "--json"))["problems"]


def lines_of(ended: Finished, text: str) -> list[str]:
    return [line for line in ended.err.splitlines() if "| WARNING" in line and text in line]


def lock(shop: Shop, *keys: str) -> None:
    shop.emulator.admin.add_fault(kind="record_error", code="RECORD_LOCKED", keys=list(keys))


def test_a_parked_order_is_never_said_to_be_tried_again_and_the_advice_sends_it(shop: Shop) -> None:
    shop.target_config = {"channel": "upsert", "max_attempts": 2}
    shop.insert(["SO-1", "SO-2"])
    lock(shop, "SO-1", "SO-3")
    first = shop.run()
    assert first.summary["rejected"] == 1
    (due,) = lines_of(first, "RECORD_LOCKED")
    assert due.endswith("Nothing; it is tried again.")
    assert "Someone else is changing the record. Nothing; it is tried again." in operator(shop, "problems")

    shop.insert(["SO-3"])
    second = shop.run()
    assert (second.summary["rejected"], second.summary["parked"]) == (1, 1)
    (parked,) = lines_of(second, "SO-1")
    assert_says_how_to_send_it(parked)
    assert "1 order, parked: RECORD_LOCKED" in parked
    (due,) = lines_of(second, "SO-3")
    assert due.endswith("Nothing; it is tried again.")

    seen = operator(shop, "problems")
    assert "1 due again: Nothing; it is tried again." in seen
    assert_says_how_to_send_it(seen[seen.index("1 parked: ") :])
    (problem,) = problems(shop)
    assert problem["remedies"]["due again"] == "Nothing; it is tried again."
    assert_says_how_to_send_it(problem["remedies"]["parked"])
    assert "refused: 1, 1 of them after their last try" in operator(shop, "status")

    shop.emulator.admin.clear_faults()
    assert shop.run().summary["synced"] == 1  # SO-3; whoever waited for SO-1 would wait for ever
    command = re.search(r"`(--code \w+)`", problem["remedies"]["parked"])
    assert command is not None
    operator(shop, "retry", *command[1].split())
    assert shop.run().summary["synced"] == 1
    shop.assert_all_synced()


def test_a_dismissed_order_is_said_to_be_dismissed(shop: Shop) -> None:
    shop.insert(["SO-1", "SO-2", "SO-3"])
    shop.emulator.admin.add_fault(kind="record_error", code="NOT_APPROVED", keys=["SO-1", "SO-2"])
    assert shop.run().summary["rejected"] == 2
    (problem,) = problems(shop)
    assert list(problem["remedies"].values()) == ["Approve it, then `orders-sync retry` the order."]
    operator(shop, "dismiss", "SO-1")
    operator(shop, "retry", "SO-2")
    (problem,) = problems(shop)
    assert problem["remedies"].keys() == {"retried", "dismissed"}
    assert "the next run sends it" in problem["remedies"]["retried"]
    assert problem["remedies"]["dismissed"].startswith(
        "Approve it, then `orders-sync retry` the order. Somebody dismissed it"
    )
    assert "used up" not in problem["remedies"]["dismissed"]


def test_what_is_kept_of_an_error_promises_no_further_try(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path)
    shop.target_config |= {"channel": "upsert", "max_attempts": 1}
    shop.insert(["SO-1"])
    shop.add_lines({"SO-1": 2})
    body = {"code": "RESOURCE_NOT_FOUND", "status": "error", "message": "no", "details": {}}
    shop.emulator.admin.add_fault("upsert", kind="answer", module="Order_Lines", status=404, body=body)
    assert shop.run().summary["parked"] == 1
    assert "RESOURCE_NOT_FOUND (HTTP 404)" in shop.acks()["SO-1"].error_message
    assert_says_how_to_send_it(operator(shop, "problems"))
    shop.engine.dispose()


def assert_says_how_to_send_it(text: str) -> None:
    assert "Nothing" not in text
    assert "The retries are used up" in text
    assert "when it changes" in text
    assert "`orders-sync retry KEY`" in text
