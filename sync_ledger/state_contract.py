"""What STATE says beyond Singer: of which ledger and filter a bookmark is, since when, and when all were last compared.

The tap writes it into its stream's bookmark. Its last STATE has a mark too, which the target takes out: where it is
missing, and the SCHEMA said that it would come, the tap did not come to its end. The target adds, when it lets a STATE
out, how far its run has settled by then: so a ledger that was restored from a backup is known by what it lacks
(`identity.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEDGER = "ledger"
FILTER = "filter"
COMPARED_AT = "compared_at"
SINCE = "since"
_END = "end"


@dataclass(frozen=True, slots=True)
class StateMark:
    """The ledger that a STATE speaks of, and the run, with its settlements so far, that let it out."""

    ledger_id: str
    run_id: str | None = None
    settlements: int = 0

    def document(self) -> dict[str, Any]:
        """As a bookmark holds it."""
        if self.run_id is None:
            return {"id": self.ledger_id}
        return {"id": self.ledger_id, "run": self.run_id, "settlements": self.settlements}


def mark_of(bookmark: Mapping[str, Any]) -> StateMark | None:
    """The mark of a stream's bookmark; None where it has none, or none that we wrote."""
    document = bookmark.get(LEDGER)
    if not isinstance(document, dict):
        return None
    ledger_id, run_id, settlements = document.get("id"), document.get("run"), document.get("settlements", 0)
    if not (isinstance(ledger_id, str) and isinstance(run_id, str | None) and isinstance(settlements, int)):
        return None
    return StateMark(ledger_id, run_id, settlements)


def bookmark_of(state: Mapping[str, Any], stream: str) -> str | None:
    """Where the stream's bookmark stands; None where STATE does not say."""
    bookmarks = state.get("bookmarks")
    bookmark = bookmarks.get(stream) if isinstance(bookmarks, dict) else None
    value = bookmark.get("replication_key_value") if isinstance(bookmark, dict) else None
    return None if value is None else str(value)


def streams_of_ours(state: Mapping[str, Any]) -> list[str]:
    """The streams whose bookmarks our tap has written."""
    bookmarks = state.get("bookmarks")
    known = bookmarks.items() if isinstance(bookmarks, dict) else ()
    return [stream for stream, bookmark in known if isinstance(bookmark, dict) and mark_of(bookmark) is not None]


def mark_end(bookmark: dict[str, Any]) -> None:
    """Say in a stream's bookmark that this is the last STATE of a tap that came to its end."""
    bookmark[_END] = True


def remove_end(bookmark: dict[str, Any]) -> None:
    """Take out the mark of an earlier run, which targets that do not know it keep."""
    bookmark.pop(_END, None)


def without_end(state: Mapping[str, Any], stream: str) -> tuple[Mapping[str, Any], bool]:
    """The STATE without the stream's mark, and whether it had it."""
    bookmarks = state.get("bookmarks")
    bookmark = bookmarks.get(stream) if isinstance(bookmarks, dict) else None
    if not (isinstance(bookmarks, dict) and isinstance(bookmark, dict) and bookmark.get(_END) is True):
        return state, False
    plain = {name: value for name, value in bookmark.items() if name != _END}
    return {**state, "bookmarks": {**bookmarks, stream: plain}}, True


def stamped(state: Mapping[str, Any], stream: str, mark: StateMark, read_by: str | None) -> Mapping[str, Any]:
    """The STATE with the mark in the stream's bookmark, if the tap wrote that in this run, and by the same ledger.

    `read_by` is the ledger that the tap announced: another one where there was none yet.

    The SDK's first STATE is the one that it was given, and goes out as it is: the tap may not have believed it.
    """
    bookmarks = state.get("bookmarks")
    bookmark = bookmarks.get(stream) if isinstance(bookmarks, dict) else None
    if not (isinstance(bookmarks, dict) and isinstance(bookmark, dict)):
        return state
    known = mark_of(bookmark)
    if known is None or known.run_id is not None or known.ledger_id not in {mark.ledger_id, read_by}:
        return state
    return {**state, "bookmarks": {**bookmarks, stream: {**bookmark, LEDGER: mark.document()}}}
