"""The files of bulk jobs and of their results, as Zoho has them."""

from __future__ import annotations

import csv
import io
import random
import zipfile


def rows_of_file(body: bytes) -> dict[str, str]:
    """What a job's file says of each key."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        text = archive.read(archive.namelist()[0]).decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text))
    at = header.index("Notes") if "Notes" in header else 1
    return {row[0]: row[at] for row in rows}


def in_other_order(body: bytes, generator: random.Random) -> bytes:
    """A result with its rows shuffled."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        name = archive.namelist()[0]
        header, *rows = csv.reader(io.StringIO(archive.read(name).decode("utf-8-sig")))
    generator.shuffle(rows)
    text, packed = io.StringIO(), io.BytesIO()
    csv.writer(text).writerows([header, *rows])
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, text.getvalue())
    return packed.getvalue()
