"""Partitions: a stream's keys in several shares, so that as many pairs run side by side; disjoint, and complete.

Which share a key belongs to follows from its digits alone: each has a weight, and the sum of the weights is divided by
the number of shares. SQL says it in the same words on every engine. Letters and blanks do not count, so keys that Zoho
takes for one (`SO-1`, `so-1`) are always in one share, where they are found and refused; a hash would split them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from sync_databases import dialects
from sync_databases.engines import Family, engine_of

Element = sa.ColumnElement[Any]

PARTITIONS_MOST = 16

WEIGHTS = {"1": 249, "2": 497, "3": 5339, "4": 8281, "5": 702, "6": 4936, "7": 9335, "8": 752, "9": 3319}
"""Searched for so that numbers spread over 2 to 16 shares whatever step they grow by; a plain sum of digits would put
all multiples of 3 into one of three. Changing one moves orders to other shares."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One share of a stream's keys: the `index`th of `of`, counted from 1."""

    index: int
    of: int

    @property
    def name(self) -> str:
        """As the ledger and the messages from tap to target name it: `2/4`."""
        return f"{self.index}/{self.of}"

    @property
    def is_whole(self) -> bool:
        """Whether it is the only share."""
        return self.of == 1

    @classmethod
    def named(cls, name: str) -> Partition:
        """Read a name.

        Raises:
            ValueError: it is none.
        """
        index, _, of = name.partition("/")
        partition = cls(int(index), int(of))
        if not 1 <= partition.index <= partition.of <= PARTITIONS_MOST or partition.name != name:
            raise ValueError(name)
        return partition

    def holds(self, key: str) -> bool:
        """Whether a key is of this share."""
        return sum(weight * key.count(digit) for digit, weight in WEIGHTS.items()) % self.of == self.index - 1

    def condition(self, texts: Sequence[Element], dialect: Dialect) -> sa.ColumnElement[bool]:
        """Say `holds` in SQL; `texts` are those of a key's columns, whose digits are those of the key."""
        weights = {digit: weight % self.of for digit, weight in WEIGHTS.items() if weight % self.of}
        total = _weighed(texts[0], weights, dialect)
        for text in texts[1:]:
            total = total + _weighed(text, weights, dialect)
        return total % _number(self.of) == _number(self.index - 1)

    def within(self, other: Partition) -> bool:
        """Whether all keys of this share are keys of another one, too."""
        return self.of % other.of == 0 and (self.index - other.index) % other.of == 0

    def has_no_key_of(self, name: str) -> bool:
        """Whether the share of this name certainly has no key in common with this one."""
        return name != self.name and name.endswith(f"/{self.of}")

    def is_disjoint_from(self, name: Element) -> sa.ColumnElement[bool]:
        """Say `has_no_key_of` in SQL."""
        return sa.and_(name != self.name, name.like(f"%/{self.of}"))


WHOLE = Partition(1, 1)
"""The only share of a stream that is not split."""


def _weighed(text: Element, weights: Mapping[str, int], dialect: Dialect) -> Element:
    """The sum of a text's weights: how much shorter it is without a digit is how often it is there."""
    if engine_of(dialect).family is Family.SQL_SERVER:  # whose REPLACE otherwise goes by the column's collation
        text = sa.collate(sa.cast(text, dialects.mssql.NVARCHAR(4000)), "Latin1_General_BIN2")
    nothing: Element = sa.literal_column("''")
    total: Element = _length(text, dialect) * _number(sum(weights.values()))
    for digit, weight in weights.items():
        found: Element = sa.literal_column(f"'{digit}'")
        without = sa.func.replace(text, found, nothing, type_=sa.String())
        total = total - _length(without, dialect) * _number(weight)
    return total


def _length(text: Element, dialect: Dialect) -> Element:
    family = engine_of(dialect).family
    if family is Family.SQL_SERVER:  # LEN would leave out blanks at the end; two bytes are a character
        return sa.func.datalength(text, type_=sa.Integer()) // _number(2)
    if family is Family.ORACLE:  # where an empty text is NULL
        return sa.func.coalesce(sa.func.length(text), _number(0), type_=sa.Integer())
    return sa.func.char_length(text, type_=sa.Integer())


def _number(number: int) -> Element:
    return sa.literal_column(str(number), sa.Integer())
