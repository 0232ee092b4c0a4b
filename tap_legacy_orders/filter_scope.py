"""Whether a filter asks just the order's own columns. Then an order passes it anew only by a change of its own.

Else (another table, the clock, a function that we do not know) it may pass it without one, and no bookmark sees that.
What is not known to be harmless counts as asking more: that costs a reading of the table a day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKEN = re.compile(
    r"""
      '(?P<text>(?:[^']|'')*)'
    | "(?P<quoted>(?:[^"]|"")*)" | `(?P<ticked>[^`]*)` | \[(?P<bracketed>[^\]]*)\]
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
    | (?P<word>[^\W\d]\w*)
    | (?P<sign>::|\|\||<>|!=|<=|>=|[=<>+\-*/%(),.~!|&])
    | (?P<blank>\s+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS = re.compile(
    "and|or|not|in|is|null|like|ilike|between|escape|true|false|case|when|then|else|end|cast|as|collate|similar|to|"
    "regexp|rlike|binary|varchar|char|character|varying|text|integer|int|bigint|smallint|numeric|decimal|float|double|"
    "precision|real|boolean|unknown|distinct|from|nocase|any|date|timestamp|interval",
    re.IGNORECASE,
)
_FUNCTIONS = re.compile(
    "lower|upper|trim|ltrim|rtrim|length|char_length|len|substr|substring|left|right|coalesce|ifnull|nullif|nvl|isnull|"
    "abs|round|floor|ceil|ceiling|mod|replace|concat|instr|greatest|least|sign|in|and|or|not|when|then|else|between|"
    "any|cast|varchar|char|decimal|numeric|is|like",
    re.IGNORECASE,
)
"""What may stand before a bracket."""
_TIMES = re.compile(r"\b(now|today|tomorrow|yesterday|allballs)\b", re.IGNORECASE)
"""Texts that PostgreSQL reads as the time of the statement."""


def asks_more_than_its_columns(text: str, columns: Iterable[str]) -> bool:
    """Whether anything in the condition is neither one of the order's columns nor known to be harmless."""
    known = frozenset(name.casefold() for name in columns)
    tokens = [match for match in _TOKEN.finditer(text) if match.lastgroup != "blank"]
    following = [*(token.group() for token in tokens[1:]), ""]
    return not all(_is_harmless(token, after, known) for token, after in zip(tokens, following, strict=True))


def _is_harmless(token: re.Match[str], after: str, columns: frozenset[str]) -> bool:
    kind = token.lastgroup or "other"
    if kind == "text":
        return _TIMES.search(token["text"] or "") is None
    if kind in {"number", "sign"}:
        return True
    if kind == "other":
        return False
    name = token[kind] or ""
    if after == "." or (after != "(" and name.casefold() in columns):
        return True
    allowed = _FUNCTIONS if after == "(" else _WORDS
    return kind == "word" and allowed.fullmatch(name) is not None
