"""The rows of a sheet of an xlsx file, by openpyxl (the extra `xlsx`): values as they were typed, no formulas."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

_FORMULA, _ERROR = "f", "e"


def sheet_rows(
    path: Path, named: str | None, problem: Callable[[str], Exception]
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Each row with where it stands; dates and times become text of ISO 8601, a time at midnight a date.

    Raises:
        Exception: what `problem` makes of a text: openpyxl is missing, the file is broken, it has several sheets and
            none was named, or a cell holds a formula or an error.
    """
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - an extra
        from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415
    except ModuleNotFoundError:
        raise problem(f"{path}: xlsx files need openpyxl: pip install 'orders-sync[xlsx]'") from None
    try:
        book = load_workbook(path, read_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise problem(f"{path}: it is no xlsx file, or not whole ({type(error).__name__})") from None
    try:
        names = book.sheetnames
        if named is None and len(names) != 1:
            raise problem(f"{path}: it has {len(names)} sheets ({', '.join(names)}); name one by --sheet")
        if named is not None and named not in names:
            raise problem(f"{path}: it has no sheet {named!r}, but {', '.join(names)}")
        for number, row in enumerate(book[named or names[0]].iter_rows(), 1):
            for cell in row:
                if cell.data_type in {_FORMULA, _ERROR} and cell.value is not None:
                    what = "a formula; paste it as a value" if cell.data_type == _FORMULA else "an error; correct it"
                    raise problem(f"{path}, cell {cell.coordinate}: it holds {what}, then push the file")
            yield f"row {number}", [_plain(cell.value) for cell in row]
    finally:
        book.close()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time.min else value.isoformat()
    return value.isoformat() if isinstance(value, (date, time)) else value
