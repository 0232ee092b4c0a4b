"""Questions of an assistant, each answered by a command that changes nothing, or by the docs.

A command runs as a process of its own: its output is not mixed with the protocol's, and its end can be forced.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from target_zoho_crm.api.codes import find

PROGRAM = "from orders_sync.cli import main; main(prog_name='orders-sync')"

COMMAND_SECONDS = 120
"""The longest that a command may take; `plan` counts the orders' table."""

OUTPUT_CHARACTERS = 200_000
"""An assistant reads no more; what is cut says how to ask for less."""

LAST_LINES = 5

_IN_WHEEL = Path(__file__).parent.parent / "pages"
_IN_CHECKOUT = Path(__file__).parent.parent.parent / "docs"


class QuestionError(Exception):
    """It cannot be answered; says why in a line."""


@dataclass(frozen=True)
class Commands:
    """Runs `orders-sync` in this folder, by these options of the program itself (`--environment NAME`)."""

    options: Sequence[str] = ()

    def ask(self, command: str, *arguments: str) -> Any:
        """The JSON document of a command.

        Raises:
            QuestionError: it gave none; with its own last lines.
        """
        program = [sys.executable, "-c", PROGRAM, *self.options]
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                [*program, command, "--json", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                text=True,
                timeout=COMMAND_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise QuestionError(f"`orders-sync {command}` did not end within {COMMAND_SECONDS} s") from error
        if len(done.stdout) > OUTPUT_CHARACTERS:
            raise QuestionError(
                f"the answer has {len(done.stdout):,} characters, more than {OUTPUT_CHARACTERS:,}: ask for one stream, "
                "or for less"
            )
        try:
            return msgspec.json.decode(done.stdout)
        except msgspec.DecodeError as error:  # some end 1 and have a document all the same, so this is what counts
            lines = done.stderr.strip().splitlines()[-LAST_LINES:]
            raise QuestionError("; ".join(lines) or f"`orders-sync {command}` gave no answer") from error


def pages() -> dict[str, Path]:
    """The pages of the docs, by name: in a wheel, or in the checkout."""
    folder = _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.md"))}


def page(name: str) -> str:
    """A page's text.

    Raises:
        QuestionError: there is no such page; with the names of those that are there.
    """
    there = pages()
    if name not in there:
        raise QuestionError(f"no page is named {name!r}; there are: {', '.join(there)}")
    return there[name].read_text(encoding="utf-8")


def found_in_docs(words: str) -> list[dict[str, str]]:
    """The sections of the docs that have all of these words, the shortest first: page, heading and text."""
    wanted = words.casefold().split()
    found = [
        {"page": name, "heading": heading, "text": text}
        for name, path in pages().items()
        for heading, text in _sections(path.read_text(encoding="utf-8"))
        if wanted and all(word in f"{heading}\n{text}".casefold() for word in wanted)
    ]
    return sorted(found, key=lambda each: len(each["text"]))[:10]


def _sections(text: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, list[str]]] = [("", [])]
    in_code = False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        if line.startswith("#") and not in_code:
            parts.append((line.lstrip("# "), []))
        else:
            parts[-1][1].append(line)
    return [(heading, "\n".join(lines).strip()) for heading, lines in parts]


def meaning_of(code: str) -> dict[str, str]:
    """What a code of `problems` means, and what to do about it.

    Raises:
        QuestionError: nobody knows the code.
    """
    known = find(code)
    if known is None:
        raise QuestionError(f"no code is named {code!r}; docs/errors.md has all of them")
    return {"code": code, "meaning": known.meaning, "what_to_do": known.remedy}
