from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from target_zoho_crm.writing.csv_text import csv_text

CELLS = st.one_of(
    st.none(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.sampled_from(['"', ",", "\r", "\n", "\r\n", '","', " a ", "'", ";", "=1+1"]),
)


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), min_size=1)))
def test_a_csv_reader_reads_what_was_written(rows: list[tuple[Any, ...]]) -> None:
    keyed = [(f"K{n}", *row) for n, row in enumerate(rows)]
    text = csv_text([list(column) for column in zip(*keyed, strict=True)])
    expected = [["" if cell is None else str(cell) for cell in row] for row in keyed]
    assert list(csv.reader(io.StringIO(text, newline=""))) == expected


def test_only_columns_that_need_quotes_have_them() -> None:
    assert csv_text([["K1", "K2"], ["a", "b,c"], [1, None]]) == 'K1,"a",1\r\nK2,"b,c",\r\n'


def test_no_rows_are_no_text() -> None:
    assert csv_text([[], []]) == ""
