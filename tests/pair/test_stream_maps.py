"""Stream maps that cannot be used: one line of the program that has them, and no order is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sync_processes.exit_codes import ExitCode

if TYPE_CHECKING:
    from pair_of_plugins import Shop


@pytest.mark.parametrize("program", ["tap", "target"])
@pytest.mark.parametrize(
    "maps",
    [{"orders": {"status": "status", "__else__": None}}, {"orders": {"status": "sta tus("}}],
    ids=["key", "form"],
)
def test_stream_maps_that_cannot_be_used_are_one_line(shop: Shop, program: str, maps: dict[str, Any]) -> None:
    shop.insert(["SO-1"])
    if program == "tap":
        shop.tap_config["stream_maps"] = maps
        ended = shop.tap()
    else:
        messages = shop.tap().out
        shop.target_config["stream_maps"] = maps
        ended = shop.take(messages)
    assert (ended.code, len(ended.errors)) == (ExitCode.SET_UP, 1), ended.err
    assert "stream_maps: " in ended.errors[0]
    assert "Traceback" not in ended.err


def test_a_map_of_the_tap_that_fails_for_an_order_is_one_line_and_loses_none(shop: Shop) -> None:
    shop.insert(["SO-1", "SO-2", "SO-3"])
    shop.change(["SO-2"], notes=None)
    shop.change(["SO-1", "SO-3"], notes="12")
    shop.tap_config["stream_maps"] = {"orders": {"notes": "str(int(notes) * 2)"}}
    ended = shop.tap()
    assert ended.code == ExitCode.FAILED
    (line,) = ended.errors
    assert "stream_maps: the map of stream 'orders' fails for order 'SO-2' (TypeError), and the run ends there" in line
    assert "Traceback" not in ended.err
    del shop.tap_config["stream_maps"]
    shop.target_config["stream_maps"] = {"orders": {"notes": "str(int(notes) * 2)"}}
    shop.run()
    assert {key: ack.status for key, ack in shop.acks().items()} == {
        "SO-1": "synced",
        "SO-2": "rejected",
        "SO-3": "synced",
    }
