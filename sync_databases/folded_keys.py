"""The one form of all keys that a CRM's unique field may take for one: the casefold of the upper case of NFKC, trimmed.

It is written in upper case, as order numbers mostly are: two keys have the same form just where their casefolds are the
same, and a key of ASCII capitals and digits is its own form, which needs no place in the ledger.
"""

from __future__ import annotations

import unicodedata


def folded_key(key: str, *, folds_case: bool) -> str:
    """Fold one key; without `folds_case` only blanks at its ends and compatible characters are taken for one."""
    if key.isascii():
        return key.strip().upper() if folds_case else key.strip()
    compatible = unicodedata.normalize("NFKC", key)
    if not folds_case:
        return compatible.strip()
    # Upper case first: the casefold alone keeps some small letters apart whose capital is the same.
    return unicodedata.normalize("NFKC", compatible.upper().casefold().upper()).strip()


def shortest_number(text: str) -> str:
    """A number written out, without zeros that say nothing: 7 for 7.00. Any other text as it is."""
    if "." not in text or not text.removeprefix("-").replace(".", "", 1).isdecimal():
        return text
    short = text.rstrip("0").rstrip(".")
    return "0" if short == "-0" else short
