"""Whether the tap came to its end: by a pipe alone a target cannot tell the end of a run from that of a tap that died.

Our tap says in its SCHEMA that its last STATE will have a mark. Other taps say nothing, and nothing is asked of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_ledger.state_contract import streams_of_ours, without_end
from sync_ledger.stream_contract import Announcement


class EndOfInput:
    """The streams whose tap still has to say that it came to its end."""

    def __init__(self) -> None:
        """None was announced yet."""
        self._open: dict[str, None] = {}
        self._announced: set[str] = set()
        self._has_schema = False

    def begin(self, named: str, announced: Announcement) -> None:
        """Take note of a SCHEMA message that says that the end of its stream will be marked."""
        if not self._has_schema:
            self._has_schema = True
            self._open.clear()
        if announced.marks_end:
            stream = announced.stream or named  # STATE has the tap's own name
            self._announced.add(stream)
            self._open[stream] = None

    def read(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read the marks in a STATE; gives it without them, as other targets would let it out.

        Where our tap goes on from an earlier run, that run's STATE comes first, and the SCHEMA once the tap has read.
        """
        if not self._has_schema:
            self._open = dict.fromkeys(streams_of_ours(state))
        for stream in self._announced:
            state, ended = without_end(state, stream)
            if ended:
                self._open.pop(stream, None)
        return state

    @property
    def complaint(self) -> str | None:
        """What to say at the end of the input; None where every tap came to its end."""
        if not self._open:
            return None
        named = ", ".join(map(repr, self._open))
        return (
            f"stream {named}: the tap did not finish, its log says why; what it had sent is settled and counts, and "
            "the next run sends the rest"
        )
