r"""The texts by which an order is known: how the columns of a composite key become one, and back.

A key of one column is that column's text as it is. The parts of a longer one are joined with `|`; a `|` or `\` inside
a part is preceded by `\`. So ("A|1", "EU") is `A\|1|EU`, and no two different keys give one text. `key_sql.py` says
the same in SQL.
"""

from __future__ import annotations

from collections.abc import Sequence

KEY_LENGTH = 255
"""Characters in a key or a version; Zoho's single-line text field holds no more either."""

NO_VERSION = "-"
"""The version of an order that has none, because its column is NULL or absent: it changes when the order gets one."""

SEPARATOR = "|"
ESCAPE = "\\"


def join_key(parts: Sequence[str]) -> str:
    """Make the key's text from the text of its columns."""
    if len(parts) == 1:
        return parts[0]
    return SEPARATOR.join(
        part.replace(ESCAPE, ESCAPE + ESCAPE).replace(SEPARATOR, ESCAPE + SEPARATOR) for part in parts
    )


def split_key(text: str, count: int) -> tuple[str, ...] | None:
    """Split a key's text into `count` columns; None when it is no such key."""
    if count == 1:
        return (text,)
    parts = [""]
    characters = iter(text)
    for character in characters:
        if character == ESCAPE:
            escaped = next(characters, None)
            if escaped is None:
                return None
            parts[-1] += escaped
        elif character == SEPARATOR:
            parts.append("")
        else:
            parts[-1] += character
    return tuple(parts) if len(parts) == count else None
