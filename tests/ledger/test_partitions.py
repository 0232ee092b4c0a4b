"""Partitions: SQL and Python split alike, each key is in one share, and keys that Zoho takes for one are together."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_ledger.ledger import Ledger
from sync_ledger.partitions import PARTITIONS_MOST, WHOLE, Partition
from target_zoho_crm.mapping.key_folding import KeyFolding

ODD_TEXTS = ["", " 1 ", "ß12", "Ä-\uff199", "|1\\|2", "0" * 90, "7\t", "—9'3"]
"""Among them a digit that is none of ours."""

OF = [2, 3, 4, 7, 16]

splits = st.integers(1, PARTITIONS_MOST)
keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
keys |= st.from_regex(r"[A-Za-z]{0,3}[-_ ]?[0-9]{1,9}[a-z|\\\\ ]?", fullmatch=True)


def shares(of: int) -> list[Partition]:
    return [Partition(index, of) for index in range(1, of + 1)]


def test_sql_and_python_split_keys_alike(engine_url: str) -> None:
    table = sa.Table("k", sa.MetaData(), sa.Column("key", sa.Unicode(100)))
    texts = [f"SO-{number}" for number in range(0, 3000, 7)] + [
        "",
        " 1 ",
        "ß12",
        "Ä-\N{FULLWIDTH DIGIT NINE}9",
        "|1\\|2",
        "0" * 90,
        "7\t",
        "—9'3",
    ]
    texts += [f"{number:x}-Ω{number * 7919}" for number in range(400)]
    engine = Ledger.open(engine_url).engine
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(sa.insert(table), [{"key": text} for text in texts])
        for of in OF:
            for share in shares(of):
                query = sa.select(table.c.key).where(share.condition([table.c.key], engine.dialect))
                assert Counter(connection.execute(query).scalars()) == Counter(filter(share.holds, texts)), share
        joined = sa.select(sa.func.count()).where(Partition(2, 4).condition([table.c.key] * 2, engine.dialect))
        assert connection.execute(joined).scalar() == sum(Partition(2, 4).holds(f"{text}|{text}") for text in texts)
    engine.dispose()


@given(keys, splits)
def test_each_key_is_in_one_share(key: str, of: int) -> None:
    assert sum(share.holds(key) for share in shares(of)) == 1


@given(keys, splits)
def test_keys_that_zoho_takes_for_one_are_in_one_share(key: str, of: int) -> None:
    folding = KeyFolding(folds_case=True)
    twins = [f" {key}\t", key.upper(), key.lower(), key.swapcase(), key.casefold(), key.title()]
    for twin in (each for each in twins if folding.fold(each) == folding.fold(key)):
        assert [share.holds(twin) for share in shares(of)] == [share.holds(key) for share in shares(of)]


@pytest.mark.parametrize("make", ["SO-{:d}", "{:05d}/2026-DE01"])
@pytest.mark.parametrize("step", [1, 2, 3, 10, 0x9E3779B97F4A])
def test_shares_are_of_like_size(make: str, step: int) -> None:
    texts = [make.format(10_000 + number * step) for number in range(4000)]
    for of in (2, 3, 4, 8, 16):
        assert max(sum(map(share.holds, texts)) for share in shares(of)) <= 1.5 * len(texts) / of


@settings(max_examples=30)
@given(splits, splits, st.data())
def test_one_share_is_within_another_where_all_its_keys_are(of: int, other_of: int, data: st.DataObject) -> None:
    share = Partition(data.draw(st.integers(1, of)), of)
    other = Partition(data.draw(st.integers(1, other_of)), other_of)
    mine = [text for text in map(str, range(2000)) if share.holds(text)]
    assert share.within(other) == all(map(other.holds, mine))


def test_names_go_there_and_back() -> None:
    assert Partition.named("3/16") == Partition(3, 16)
    assert WHOLE.name == "1/1"
    for wrong in ("", "1", "0/4", "5/4", "1/17", "01/4", "1/4/2", "a/b", "-1/4", "1/ 4"):
        with pytest.raises(ValueError):  # noqa: PT011 - the caller says more
            Partition.named(wrong)


def test_the_split_stays_the_same_from_version_to_version() -> None:
    """Another split under the same name would let two runs of neighbouring shares write one order at once."""
    found = [next(share.index for share in shares(16) if share.holds(key)) for key in ("1", "29", "SO-1000042", "A|7")]
    assert found == [10, 9, 4, 8]
