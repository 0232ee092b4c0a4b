"""Settings as they are given: nulls, and numbers as texts, which singer-sdk 0.54 leaves as the environment has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d+)?\s*")


def read_as_given(config: dict[str, Any], schema: Mapping[str, Any]) -> None:
    """Take out what is null, which is no setting: the default holds. Make numbers of texts where the schema wants some.

    In place; a text that is no number stays, to be refused.
    """
    for name, value in list(config.items()):
        types = schema["properties"].get(name, {}).get("type", ())
        if value is None:
            del config[name]
        elif "number" in types and "string" not in types and isinstance(value, str) and _NUMBER.fullmatch(value):
            config[name] = float(value) if "." in value else int(value)
