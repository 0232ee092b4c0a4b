"""CSV text from columns: RFC 4180, a few times faster than row by row, because most columns need no quotes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LINE_END = "\r\n"
_SPECIAL = ('"', ",", "\n", "\r")


def csv_text(columns: Sequence[Sequence[Any]]) -> str:
    """The rows of columns of equal length, each with a line end; None is an empty cell.

    A column in which some cell needs quotes gets them in every cell that is not empty: readers take both alike.
    """
    rows = map(",".join, zip(*map(_cells, columns), strict=True))
    text = LINE_END.join(rows)
    return text + LINE_END if text else ""


def _cells(column: Sequence[Any]) -> Sequence[str]:
    try:
        joined = "".join(column)
    except TypeError:
        column = ["" if each is None else each if each.__class__ is str else str(each) for each in column]
        joined = "".join(column)
    if any(each in joined for each in _SPECIAL):
        return [each and '"' + each.replace('"', '""') + '"' for each in column]
    return column
