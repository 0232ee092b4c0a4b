"""A sample of the orders, and what it can say of all of them. Pure, but for chance."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

CONFIDENCE_PERCENT = 95
_BISECTIONS = 60


def sample_of(pages: Iterable[Iterable[str]], size: int) -> tuple[list[str], int]:
    """Choose so many keys by chance, each as likely as any other, holding no more; also gives how many there were."""
    chosen: list[str] = []
    met = 0
    for key in (key for page in pages for key in page):
        met += 1
        if len(chosen) < size:
            chosen.append(key)
        elif (at := random.randrange(met)) < size:  # noqa: S311 - no secret
            chosen[at] = key
    return chosen, met


def share_at_most(found: int, looked_at: int) -> float:
    """The share of all orders that differ is no larger than this, at 95 % confidence (Clopper and Pearson)."""
    if found >= looked_at:
        return 1.0
    low, high = found / looked_at, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _chance_of_at_most(found, looked_at, middle) > 1 - CONFIDENCE_PERCENT / 100:
            low = middle
        else:
            high = middle
    return high


def _chance_of_at_most(found: int, looked_at: int, share: float) -> float:
    """How likely it is to find no more than `found`, where this share differs."""
    if share >= 1:
        return 0.0
    logs = (
        math.lgamma(looked_at + 1)
        - math.lgamma(count + 1)
        - math.lgamma(looked_at - count + 1)
        + (count * math.log(share) if count else 0.0)
        + (looked_at - count) * math.log1p(-share)
        for count in range(found + 1)
    )
    return sum(map(math.exp, logs))
