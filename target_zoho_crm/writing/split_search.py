"""Which orders make a call fail as a whole, found by sending parts of it. Pure: what sends is passed in.

For each order that fails the call at most 8 calls beyond the first one, however many there are in a call of 100; where
none fails it any more, since the failure has passed, the call is sent in three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

MOST_PARTS = 3


def find_failing(keys: Sequence[str], passes: Callable[[Sequence[str]], bool]) -> Iterator[str]:
    """Give those of `keys`, which failed together, that fail a call, one by one; all others then passed, each once.

    `passes` sends some of them and returns whether they went through; what it raises ends the search.

    A part is sent before it is taken for failing, so a failure that has passed is blamed on nobody. From there on each
    half that passes says that the other one fails. What a search leaves unsent then goes in one call, and if that fails
    it is searched in turn.
    """
    waiting = list(keys)
    while waiting:
        for size in parts_of(len(waiting)):
            part, waiting = waiting[:size], waiting[size:]
            if not passes(part):
                failing, unsent = _search(part, passes)
                yield failing
                waiting = unsent + waiting
                break
        if waiting and passes(waiting):
            return


def parts_of(count: int) -> list[int]:
    """The sizes in which so many orders are sent again: 100 as 64, 32 and 4.

    Powers of two, since it takes n calls to find one of 2**n; and each part smaller than the one before, since by then
    more calls are spent.
    """
    sizes: list[int] = []
    size = 1 << max(count - 1, 0).bit_length() >> 1
    while count > size and size and len(sizes) < MOST_PARTS - 1:
        sizes.append(size)
        count -= size
        size >>= 1
    return [*sizes, count] if count else sizes


def _search(part: Sequence[str], passes: Callable[[Sequence[str]], bool]) -> tuple[str, list[str]]:
    """Find one failing order of a part that failed; gives it and what was not sent."""
    unsent: list[str] = []
    while len(part) > 1:
        middle = (len(part) + 1) // 2
        first, second = part[:middle], part[middle:]
        if passes(first):
            part = second
        else:
            part, unsent = first, [*second, *unsent]
    return part[0], unsent
