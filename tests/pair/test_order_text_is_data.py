"""Keys that would act where they are shown: they forge no line, speak to no terminal, and turn no text around."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from pair_of_plugins import Shop

from orders_sync.cli import main
from sync_databases.displayed_text import displayed, displayed_json

FORGED = "2026-01-01 00:00 | ERROR | lost"
KEYS = [
    f"SO-1\n{FORGED}",
    "SO-2\r\nHTTP/1.1 200 OK",
    "SO-3\x1b[31mred\x1b]0;title\x07",
    "SO-4\u202egnp.exe",
    "SO-5\u2066\u2028\u0085",
    "SO-6\x9b2J",
    "SO-7[bold red]x[/]",
    "SO-8\x7f\x08\x08",
    "SO-9\u200b\ufeff",
]
ACTING = {
    *map(chr, [*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0x200B, 0x2010)]),
    *"\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff",
}


def assert_quiet(text: str) -> None:
    acting = set(text) & (ACTING - {"\n"})
    assert not acting, sorted(map(ascii, acting))


def call(shop: Shop, *arguments: str) -> str:
    tap, target = shop.configs()
    settings = [f"--tap-config={tap}", *([f"--target-config={target}"] if arguments[0] in {"plan", "doctor"} else [])]
    ledger = [] if arguments[0] in {"plan", "doctor"} else [f"--ack-url={shop.ack_url}"]
    given = settings if arguments[0] in {"plan", "doctor", "status"} else []
    result = CliRunner().invoke(main, [*arguments, *given, *ledger])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_a_key_that_would_act_is_shown_and_does_nothing(any_shop: Shop, channel: str) -> None:
    shop = any_shop
    shop.insert(KEYS)
    shop.target_config = {"channel": channel}
    assert_quiet("".join(call(shop, "plan") + call(shop, "status")))
    shop.emulator.admin.add_fault(kind="record_error", code="INVALID_DATA", field="Notes", keys=KEYS)
    ended = shop.run()
    assert_quiet(ended.err)
    assert not [line for line in ended.err.splitlines() if line.startswith(FORGED[:30])]
    assert all(line[:2] == "20" for line in ended.err.splitlines())
    assert r"SO-1\n2026" in ended.err
    shop.change(KEYS[:1])
    for command in ("problems", "status", "plan", "doctor", "jobs"):
        for form in ([], ["--json"]):
            said = call(shop, command, *form)
            assert_quiet(said)
            assert FORGED not in said.splitlines()
            if form:
                json.loads(said)
    shown = {key for each in problems(shop) for key in each["sample_keys"]}
    assert shown <= set(KEYS)
    assert r"SO-7[bold red]x[/]" in call(shop, "problems", "--samples", "20")
    assert_quiet(call(shop, "retry", KEYS[0], KEYS[2], "no\x1b such"))


def problems(shop: Shop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call(shop, "problems", "--json"))["problems"]
    return found


def test_what_is_shown_tells_one_text_from_another() -> None:
    assert displayed("SO-1 é") == "SO-1 é"
    assert displayed("a\n\x1b\u202e\U000e0001\ud83d") == r"a\n\x1b\u202e\U000e0001\ud83d"
    document = json.dumps({"a": "\u202e\x9b\U000e0001é😀"}, ensure_ascii=False, indent=1)
    assert json.loads(displayed_json(document)) == json.loads(document)
    assert_quiet(displayed_json(document))
