"""How many calls may be under way at once, learned from what Zoho refuses. Pure.

Zoho's limit differs by edition, is shared with whoever else works in the org, and is told by nothing but a 429. So the
window shrinks by a factor when calls are refused, and grows by one while many go through: each client of an org comes
to its share, and the limit is tried again seldom enough that few calls are refused.
"""

from __future__ import annotations

SHRINK = 0.7
CALLS_TO_GROW = 50
"""So many calls go through before one more at once is tried: about one call in 100 is refused then."""


class CallWindow:
    """The number of calls that may be under way, between 1 and `most`."""

    def __init__(self, most: int) -> None:
        """Start with all: whoever has the limit to himself never learns that there is one."""
        self._most = most
        self._answered = 0
        self.size = most
        self.era = 0
        """Grows with each refusal that was heeded. A call belongs to that in which it was sent."""

    def answered(self) -> None:
        """Note a call that Zoho took."""
        if self.size < self._most:
            self._answered += 1
            if self._answered >= CALLS_TO_GROW:
                self.size += 1
                self._answered = 0

    def refused(self, era: int) -> bool:
        """Note that Zoho refused a call of `era` for haste; tells whether anything follows from it.

        Calls that were sent before the window shrank say nothing of the window as it is now.
        """
        if era != self.era:
            return False
        self.era += 1
        self.size = max(1, int(self.size * SHRINK))
        self._answered = 0
        return True
