"""An order's lines as typed rows: decoded only when they are needed, by a struct compiled from the schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import Any

import msgspec

from sync_databases.exact_numbers import exact_number
from sync_databases.keys import KEY_LENGTH
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.mapping.field_values import Refusal
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.odd_names import OddNames
from target_zoho_crm.record_decoding import SCALARS, BadRecordError, join_key

_COUNTING = msgspec.json.Decoder(list[msgspec.Raw])


def count_lines(encoded: object) -> int:
    """How many lines an order has, without decoding them; none where that is no list, which `read` refuses."""
    try:
        return len(_COUNTING.decode(encoded)) if isinstance(encoded, bytes) else 0
    except (msgspec.MsgspecError, RecursionError):
        return 0


@dataclass
class LineRows:
    """The lines of some orders: three lists of equal length, `orders` holding the order's key of each line.

    `stated` are all orders whose lines are known, those without any too; `refusals` are by order.
    """

    orders: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    values: list[tuple[Any, ...]] = field(default_factory=list)
    stated: list[str] = field(default_factory=list)
    refusals: dict[str, Refusal] = field(default_factory=dict)

    def of(self, orders: Mapping[str, Any]) -> LineRows:
        """Only the lines of these orders."""
        kept = [index for index, order in enumerate(self.orders) if order in orders]
        return LineRows(
            [self.orders[index] for index in kept],
            [self.keys[index] for index in kept],
            [self.values[index] for index in kept],
            [order for order in self.stated if order in orders],
        )

    def add(self, rows: LineRows) -> None:
        """Take more lines in."""
        self.orders += rows.orders
        self.keys += rows.keys
        self.values += rows.values
        self.stated += rows.stated

    def take(self, count: int) -> LineRows:
        """Give out the first `count` lines; who is `stated` stays."""
        taken = LineRows(self.orders[:count], self.keys[:count], self.values[:count])
        del self.orders[:count], self.keys[:count], self.values[:count]
        return taken


class LineReader:
    """Reads the lines of one stream's orders."""

    def __init__(
        self, properties: Mapping[str, Mapping[str, Any]], *, key_property: str, sources: Sequence[str]
    ) -> None:
        """Compile for the schema of a line; `sources` are the properties that a row holds, in this order."""
        names = {name: f"p{index}" for index, name in enumerate(dict.fromkeys([*sources, key_property]))}
        self._odd = OddNames(names)
        fields = [
            (
                attribute,
                _type_of(properties.get(name, {})) | None,
                msgspec.field(name=self._odd.other(name), default=None),
            )
            for name, attribute in names.items()
        ]
        line = msgspec.defstruct("OrderLine", fields, kw_only=True, gc=False)
        # float_hook also for typed numbers: they are Decimal there.
        self._lines: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[line], float_hook=exact_number)  # type: ignore[valid-type]
        self._key = attrgetter(names[key_property])
        attributes = [names[source] for source in sources]
        self._take: Callable[[Any], tuple[Any, ...]] = (
            attrgetter(*attributes)
            if len(attributes) > 1
            else lambda row: tuple(getattr(row, attribute) for attribute in attributes)
        )

    def read(
        self, encoded: Mapping[str, bytes | None], folding: KeyFolding, owners: dict[str, str] | None = None
    ) -> LineRows:
        """Read the lines of some orders, given as JSON by the order's key; None says nothing of an order's lines.

        `owners` keeps the lines' keys from one call to the next, where a batch is read in parts.

        An order is refused when its lines are not what the schema says, or when one has no usable key, or one that
        Zoho would take for that of another line.
        """
        found = LineRows()
        owners = {} if owners is None else owners
        for order, text in encoded.items():
            if text is None:
                continue
            try:
                lines = self._lines.decode(self._odd.rename(text))
                keys = [_key_text(self._key(line)) for line in lines]
                for key, folded in zip(keys, folding.folded(keys), strict=True):
                    if folded in owners:
                        _refuse_double(found, key, order, owners[folded])
                    owners[folded] = order
            except (msgspec.MsgspecError, RecursionError, BadRecordError) as error:
                found.refusals[order] = Refusal(ZohoCode.INVALID_DATA, None, f"its lines cannot be read: {error}")
                continue
            found.stated.append(order)
            found.orders += [order] * len(keys)
            found.keys += keys
            found.values += map(self._take, lines)
        if found.refusals:
            refusals = found.refusals
            found = found.of({order: None for order in found.stated if order not in refusals})
            found.refusals = refusals
        return found


def _refuse_double(found: LineRows, key: str, order: str, other: str) -> None:
    for one, elsewhere in ((order, other), (other, order)):
        where = "twice" if one == elsewhere else f"also in order {elsewhere!r}"
        found.refusals[one] = Refusal(
            ZohoCode.DUPLICATE_DATA, None, f"line {key!r} is there {where}, as Zoho compares keys"
        )


def _key_text(value: Any) -> str:
    key = value if isinstance(value, str) else join_key([value])
    if not key or len(key) > KEY_LENGTH:
        raise BadRecordError(f"a line has no key, or one of more than {KEY_LENGTH} characters")
    return key


def _type_of(definition: Mapping[str, Any]) -> Any:
    """The type of one property; what is no plain scalar is taken as it comes."""
    kinds = definition.get("type", [])
    names = {kinds} if isinstance(kinds, str) else set(kinds)
    plain = names - {"null"}
    if plain == {"integer", "number"}:
        return Decimal
    scalar = SCALARS.get(next(iter(plain))) if len(plain) == 1 else None
    return scalar if scalar is not None else Any
