"""What each page reads of the ledger, and what is decided there. Nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from orders_sync.actions.order_commands import push_again
from orders_sync.live_page import pages
from orders_sync.reporting.history import read_story
from orders_sync.reporting.report_facts import read_report
from sync_ledger import decisions
from sync_ledger.decisions import Choice
from sync_ledger.ledger import Ledger
from sync_ledger.problems import problems_of
from sync_ledger.run_facts import comes_by_hand

KEYS_MOST = 20


class NotThereError(Exception):
    """What was asked for is not there; the text says what."""


class LiveLedger:
    """The ledger of the pages; `streams` names its streams.

    Each method raises `NotThereError` where it lacks what was asked for.
    """

    def __init__(self, ledger: Ledger, streams: Callable[[], list[str]]) -> None:
        """Read nothing yet."""
        self._ledger, self._streams = ledger, streams

    def overview(self, asked: Mapping[str, str]) -> str:
        """The report."""
        days = int(asked["days"]) if asked.get("days") in {str(each) for each in pages.DAYS} else pages.DAYS[1]
        streams = self._streams()
        with self._ledger.connect() as connection:
            now = self._ledger.now(connection)
        return pages.overview(read_report(self._ledger, streams, days, until=now, credit_limit=None), streams, days)

    def order(self, asked: Mapping[str, str]) -> str:
        """One order; or those whose keys begin with what was looked for."""
        stream, key = self._stream(asked), asked.get("key", "").strip()
        story = read_story(self._ledger, stream, key)
        if story.is_known:
            return pages.order(story, self._streams(), asked.get("done", ""))
        ack = self._ledger.tables.ack
        like = sa.select(ack.c.record_key).where(
            ack.c.stream == stream, ack.c.record_key.startswith(key, autoescape=True)
        )
        with self._ledger.connect() as connection:
            keys = list(connection.execute(like.order_by(ack.c.record_key).limit(KEYS_MOST)).scalars())
        return pages.keys_like(stream, key, keys if key else [], self._streams())

    def problems(self, asked: Mapping[str, str]) -> str:
        """Refused orders of each stream."""
        streams = self._streams()
        with self._ledger.connect() as connection:
            found = {
                stream: problems_of(connection, self._ledger.tables, stream, samples=pages.KEYS_OF_A_PROBLEM)
                for stream in streams
            }
        return pages.problems(found, streams, asked.get("done", ""))

    def decide(self, name: str, form: Mapping[str, str]) -> str:
        """Retry or dismiss an order, or all of a code; says what was done."""
        if name not in pages.WHAT:
            raise NotThereError("no such decision")
        if ("key" in form) == ("code" in form):
            raise NotThereError("no order that is meant")
        stream = self._stream(form)
        choice = Choice(keys=[form["key"]] if "key" in form else None, code=form.get("code"))
        ack = self._ledger.tables.ack

        with self._ledger.connect() as connection:
            if name == "retry" and comes_by_hand(connection, self._ledger.tables.run, stream):
                return f"Nothing was done. {push_again(stream)}."

        def act(connection: sa.Connection) -> int:
            if name == "retry":
                return decisions.retry(connection, ack, stream, choice, self._ledger.now(connection))
            return decisions.dismiss(connection, ack, stream, choice)

        count = self._ledger.transact(act)
        what = "due; the next run sends them" if name == "retry" else "parked until they change"
        return f"{count:,} orders are {what}."

    def _stream(self, asked: Mapping[str, str]) -> str:
        streams = self._streams()
        stream = asked.get("stream") or (streams[0] if len(streams) == 1 else "")
        if stream not in streams:
            raise NotThereError("no stream of that name")
        return stream
