"""Numbers of JSON, to the last digit."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def exact_number(text: str) -> Decimal:
    """Read a number of JSON; as `float_hook` of a decoder it makes of a number beyond all bounds a `DecodeError`.

    Raises:
        ValueError: its exponent is larger than any number of this world has.
    """
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number is beyond all bounds") from None
