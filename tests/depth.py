"""How deep a test looks: `make test` tries some of what `make nightly` tries."""

from __future__ import annotations

import os

BY_NIGHT = os.environ.get("NIGHTLY") == "all"


def examples(by_day: int, by_night: int) -> int:
    """How many examples a property is tried with."""
    return by_night if BY_NIGHT else by_day
