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
