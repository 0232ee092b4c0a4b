"""What a server says, made fit for logs, error texts and the ledger: one line of text that can be printed. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

CODE_CHARACTERS = 100
FIELD_CHARACTERS = 255
MESSAGE_CHARACTERS = 300


class NotJsonError(ValueError):
    """The bytes are no JSON document that can be read whole."""


def json_of(content: bytes) -> Any:
    """Decode a document that somebody else wrote.

    Raises:
        NotJsonError: it is no JSON, no UTF-8, or nested deeper than any answer is.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJsonError(type(error).__name__) from None


def one_line(text: str, most: int) -> str:
    """The text as one line of at most `most` characters, with a `?` for each that cannot be printed."""
    if text.isprintable() and len(text) <= most:
        return text
    words = " ".join(text[: most * 4].split())
    return "".join(character if character.isprintable() else "?" for character in words)[:most]


def name_of(value: object, most: int = FIELD_CHARACTERS) -> str:
    """A name as a server gives it, such as a field's, in ASCII as all of Zoho's are; empty where it gives none."""
    return one_line(value.encode("ascii", "replace").decode(), most) if isinstance(value, str) else ""


def code_of(value: object) -> str:
    """A code as a server gives it; empty where it gives none."""
    return name_of(value, CODE_CHARACTERS)


def message_of(value: object) -> str:
    """A server's own text; empty where there is none."""
    return one_line(value, MESSAGE_CHARACTERS) if isinstance(value, str) else ""


def digits_of(value: object, most: int) -> str | None:
    """A whole number that is not negative, as text or number, of at most `most` digits; None where it is no such."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    if isinstance(value, int) and not 0 <= value < 10**most:
        return None
    text = str(value)
    return text if text.isascii() and text.isdigit() and len(text) <= most else None
