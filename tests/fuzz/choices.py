"""Bytes as a source of choices: the same bytes always make the same structured input, so any fuzzer can drive it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

AWKWARD = (
    "A", "a", "1", "0", " ", "-", ".", ",", ";", ":", "|", "\\", '"', "'", "\n", "\r", "\t", "\0", "\x1f", "\x7f",
    "@", "/", "%", "#", "$", "[", "]", "{", "}", "<", "=", "+", "é", "ß", "İ", "²", "١", "\u2028", "\u202e",
    "\ufeff", "\ufffd", "😀", "\U0010ffff",
)  # fmt: skip
"""Characters that some reader somewhere takes for something else."""

NUMBERS = (
    "0", "1", "-1", "1.5", "1e3", "1e999", "1E999999999", "-0.0", "1e-999999999", "9007199254740993",
    "18446744073709551616", "123456789012345678901234567890", "9" * 400, "9" * 5000, "NaN", "Infinity", "0x10",
)  # fmt: skip
"""Numbers as JSON, some of them beyond what a reader takes, and some that are none."""


class Choices:
    """Takes bytes from the front; when they are used up, every choice is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, most: int) -> int:
        """0 to `most`, both inclusive."""
        size = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken, "big") % (most + 1)

    def one_in(self, count: int) -> bool:
        """True once in `count` times; False when the bytes are used up."""
        return self.number(255) % count == count - 1

    def pick(self, items: Sequence[Item]) -> Item:
        return items[self.number(len(items) - 1)]

    def text(self, most: int) -> str:
        return "".join(
            self.pick(AWKWARD) if not self.one_in(8) else chr(self.number(0xD7FF)) for _ in range(self.number(most))
        )

    def rest(self) -> bytes:
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken

    def damaged(self, content: bytes) -> bytes:
        """A few bytes changed, left out or doubled."""
        damaged = bytearray(content)
        for _ in range(1 + self.number(3)):
            at = self.number(max(len(damaged), 1) - 1) if len(damaged) < 1 << 30 else 0
            kind = self.number(3)
            if kind == 0 and damaged:
                damaged[at] = self.number(255)
            elif kind == 1:
                del damaged[at : at + 1 + self.number(20)]
            elif kind == 2:
                damaged[at:at] = damaged[at : at + 1 + self.number(20)]
            else:
                del damaged[at:]
        return bytes(damaged)

    def json(self, depth: int = 3) -> Any:  # noqa: PLR0911 - one a kind of value
        """Any JSON value; a `Number` stands for what `json_text` writes as it is."""
        kind = self.number(8 if depth else 5)
        if kind == 0:
            return None
        if kind == 1:
            return self.pick((True, False))
        if kind in {2, 3}:
            return self.text(8)
        if kind == 4:
            return Number(self.pick(NUMBERS))
        if kind == 5:
            return self.pick(("", "SUCCESS", "success", "error", "1", "5725767000000524157", "2024-03-01 12:00:00"))
        if kind == 6:
            return [self.json(depth - 1) for _ in range(self.number(3))]
        return {self.text(4): self.json(depth - 1) for _ in range(self.number(3))}


class Number(str):
    """A number in JSON, by its digits."""

    __slots__ = ()


def json_text(value: Any) -> str:
    """JSON of values that may hold a `Number`."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{json_text(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def awkward_json(choices: Choices, value: Any) -> bytes:
    """A document as a server might send it: usually whole, sometimes damaged, too deep, or in no UTF-8."""
    content = json_text(value).encode()
    kind = choices.number(15)
    if kind == 15:
        return choices.damaged(content)
    if kind == 14:
        deep = choices.pick((b"[", b'{"a":', b'{"data":[')) * choices.pick((50, 900, 100_000))
        return content[:-1] + b',"deep":' + deep if content.endswith(b"}") else deep
    if kind == 13:
        return content.replace(b'"', b'"\xff', 1)
    if kind == 12:
        return content.replace(b'"', b'"\\ud800', 1)
    return content
