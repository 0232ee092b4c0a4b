"""Made-up values for the fields of every type: right ones, wrong ones, and some at the limits."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable

HOWS = ("typed", "text", "untyped", "typed")
"""How a tap may tell the values; most of them as a database would."""
TAME = {"Must": "must", "Text": "text"}
"""What a record has where nothing is made up for it."""
LONGEST_EMAIL = "a" * 88 + "@example.com"

plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
digits = st.integers(-(10**9), 10**9)
moments = st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1), timezones=st.none() | st.just(timezone.utc))  # noqa: DTZ001
amounts = st.decimals(-(10**12), 10**12, places=2)


def texts_of(length: int) -> st.SearchStrategy[str]:
    return plain | st.sampled_from(
        ["x" * length, "x" * (length + 1), 'a "quoted", text', "two\nlines", " ", "a\0b", "½"]
    )


STRINGS: dict[str, st.SearchStrategy[Any]] = {
    "Text": texts_of(255),
    "Short": texts_of(8),
    "Area": texts_of(2000),
    "Must": plain | st.sampled_from(["x" * 20, "x" * 21, ""]),
    "Email": st.sampled_from(["ada@example.com", LONGEST_EMAIL, "a" + LONGEST_EMAIL, "ada", "a b@c.de"]),
    "Phone": st.sampled_from(["+49 30 1234", "1" * 30, "1" * 31, "(030) 12-34", "?"]),
    "Website": st.sampled_from(["https://example.com/a?b=c", "example.com", "not a site", "x" * 451]),
    "Status": st.sampled_from(["New", "Shipped", "Lost", "Shiped", "new", "x" * 200]),
    "Channel": st.sampled_from(["Web", "Shop", "Fax", "x" * 120, "x" * 121]),
    "Kind": st.sampled_from(["Plain", "Gift", "Odd"]),
    "Marks": st.sampled_from(["gift", "gift;express", "express; gift", "gift;odd", ";", "gift;gift"]),
    "Day": moments.map(lambda at: at.date().isoformat()) | st.sampled_from(["2024-02-30", "2024-06-30T23:30:00+02:00"]),
    "Moment": st.sampled_from(["2024-01-01T10:00:00Z", "2024-07-01 10:20:30.5-05", "so"])
    | moments.map(datetime.isoformat),
    "Whole": digits.map(str) | st.sampled_from(["1.0", "1.5", "999999999", "1000000000", "x"]),
    "Big": st.integers(-(10**18), 10**18).map(str) | st.sampled_from(["9" * 18, "9" * 19, "x"]),
    "Money": amounts.map(str) | st.sampled_from(["1E+3", "0.005", "9" * 16, "9" * 17, "1,5", "1.500"]),
    "Double": amounts.map(str) | st.sampled_from(["0.123456789", "0.1234567891", "-0", "1E-9"]),
    "Rounded": amounts.map(str) | st.sampled_from(["0.0005", "-2.00049", "9999999999999999.9996"]),
    "Share": st.sampled_from(["12.5", "99999", "100000", "0.125", "5"]),
    "Flag": st.sampled_from(["true", "No", "1", "perhaps"]),
}  # fmt: skip
NATURAL: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "Day": ("string", STRINGS["Day"]),
    "Whole": ("integer", digits | st.sampled_from([10**9, 10**9 - 1, -(10**9)])),
    "Big": ("integer", st.integers(-(10**18), 10**18)),
    "Money": ("number", amounts | st.sampled_from([Decimal("0.005"), Decimal(10**16), Decimal("1E+2")])),
    "Double": ("number", amounts | st.sampled_from([Decimal("0.1234567891"), Decimal("1E-9")])),
    "Rounded": ("number", amounts | st.sampled_from([Decimal("0.0005"), Decimal("9999999999999999.9996")])),
    "Share": ("integer", st.sampled_from([0, 5, 99_999, 100_000])),
    "Flag": ("boolean", st.booleans()),
    "Marks": ("array", st.lists(st.sampled_from(["gift", "express", "odd", "a;b", 5]), max_size=3)),
}
ODD = st.none() | st.booleans() | digits | amounts | plain | st.lists(plain, max_size=2) | st.just({"id": "x"})


def values_of(name: str, how: str, ids: dict[str, list[str]]) -> tuple[dict[str, Any], st.SearchStrategy[Any]]:
    """The JSON schema of a property and its values: typed as a database would, all text, or of no certain type."""
    if name in ids:
        known = st.sampled_from(ids[name])
        return {}, st.none() | known | known.map(int) | known.map(lambda given: {"id": given}) | st.sampled_from(
            ["x", "7"]
        )
    if how == "typed" and name in NATURAL:
        json_type, values = NATURAL[name]
        return {"type": [json_type, "null"]}, st.none() | values
    if how == "untyped":
        return {}, STRINGS[name] | STRINGS[name] | STRINGS[name] | ODD
    return {"type": ["string", "null"]}, st.none() | STRINGS[name]


def links_of(accounts: list[str], users: list[str]) -> dict[str, st.SearchStrategy[Any]]:
    """Values of the fields that hold several records, users or names; few of them lead nowhere."""
    partners = st.lists(st.sampled_from(accounts), max_size=4)
    clerks = st.lists(st.sampled_from(users), max_size=2)
    names = st.lists(st.sampled_from(["vip", "late", "a b"]), max_size=3)
    odd = st.sampled_from(["x", "7", [accounts[0], "7"], {"id": accounts[0]}, [{"id": 7}], 7, True])
    odd_names = st.sampled_from(["vip; late", "", [{"name": "vip"}], ["a;b"], 5])
    seldom = st.integers(0, 7).map(bool)
    return {
        "Partners": partners | partners.map(";".join) | partners.map(lambda ids: [{"id": each} for each in ids]) | odd,
        "Clerks": seldom.flatmap(lambda none: st.none() if none else clerks | clerks.map(";".join) | odd),
        "Tag": seldom.flatmap(lambda none: st.none() if none else names | odd_names),
    }


def records_of(described: dict[str, st.SearchStrategy[Any]], count: int) -> list[dict[str, Any]]:
    """Records with a few wild values each, so that most of them can be written; each field is in one at least."""
    generated: list[dict[str, Any]] = []
    wild = st.lists(st.sampled_from(sorted(described)), max_size=4, unique=True)
    turns: list[tuple[set[str], int]] = [({name}, 1) for name in sorted(described)[:count]]
    for certain, examples in [*turns, (set(), count - len(turns))]:

        @settings(max_examples=max(examples, 1), phases=[Phase.generate], database=None, deadline=None)
        @given(wild.flatmap(lambda chosen, certain=certain: _each_of(described, certain.union(chosen))))
        def generate(record: dict[str, Any]) -> None:
            generated.append(record)

        generate()
    return generated[:count]


def _each_of(described: dict[str, st.SearchStrategy[Any]], names: Iterable[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({name: described[name] for name in sorted(names)})
