"""The command `history`: what became of one order, when and by which run, and what happens next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import click
import sqlalchemy as sa

from orders_sync.config_sources.ledgers import existing_ledger, json_option, ledger_options, stream_option, the_stream
from orders_sync.output import print_json, say
from sync_ledger.history_reading import PastOutcome, story_of
from sync_ledger.job_journal import SHORT_ID
from sync_ledger.ledger import Ledger
from sync_ledger.run_facts import comes_by_hand
from sync_ledger.tables import AckStatus
from sync_ledger.unconfirmed_inserts import unconfirmed_since
from sync_processes.exit_codes import ExitCode
from target_zoho_crm.api.codes import Family

_STEADY = "nothing, until it changes in the orders' table"
_REFUSED = "nothing, until it changes in the orders' table or `orders-sync retry` makes it due"


@dataclass(frozen=True)
class Story:
    """What became of one order; `ack` is its row, None where the ledger has none."""

    stream: str
    key: str
    outcomes: Sequence[PastOutcome]
    runs: Mapping[str, Any]
    jobs: Mapping[str, Any]
    ack: Any
    following: str

    @property
    def is_known(self) -> bool:
        """Whether ledger or history has anything of it."""
        return self.ack is not None or bool(self.outcomes)

    @property
    def lines(self) -> list[str]:
        """What became of it, the oldest first, and how it stands."""
        lines = [_line(each, self.runs, self.jobs) for each in self.outcomes]
        if self.ack is None:
            return lines
        if not lines:
            lines = [
                "The history has nothing of it: it is from before the history began, or older than `history_days`."
            ]
        record = f", record {self.ack.zoho_id}" if self.ack.zoho_id else ""
        code = f" ({self.ack.error_code})" if self.ack.error_code else ""
        now = f"{self.ack.status}{code} at version {self.ack.version}{record}, since {_time(self.ack.acked_at)}"
        return [*lines, f"Now: {now}"]


def read_story(ledger: Ledger, stream: str, key: str) -> Story:
    """Read all that ledger and history have of an order.

    Raises:
        DatabaseError: the ledger cannot be read.
    """
    with ledger.connect() as connection:
        outcomes = story_of(connection, ledger.tables, stream, key)
        runs = _rows(connection, ledger.tables.run, "run_id", {each.run_id for each in outcomes})
        jobs = _rows(connection, ledger.tables.job, "job_id", {each.job_id for each in outcomes if each.job_id})
        ack = _ack(connection, ledger, stream, key)
        return Story(stream, key, outcomes, runs, jobs, ack, _next(connection, ledger, stream, key, ack))


@click.command()
@click.argument("key")
@ledger_options
@stream_option
@json_option
def history(key: str, ack_url: str | None, ack_schema: str | None, stream: str | None, *, as_json: bool) -> None:
    """Display what became of one order: versions, runs, calls and jobs, Zoho's answers, and what happens next."""
    with existing_ledger(ack_url, ack_schema) as ledger:
        story = read_story(ledger, the_stream(ledger, stream), key)
    if as_json:
        print_json(_document(story))
    else:
        say(f"Order {key} of stream {story.stream}")
        for line in story.lines:
            say(f"  {line}")
        say(f"Next: {story.following}")
    if not story.is_known:
        raise SystemExit(ExitCode.FAILED)


def _rows(connection: sa.Connection, table: sa.Table, column: str, ids: set[str]) -> dict[str, Any]:
    if not ids:
        return {}
    query = sa.select(table).where(table.c[column].in_(sorted(ids)))
    return {getattr(row, column): row for row in connection.execute(query)}


def _ack(connection: sa.Connection, ledger: Ledger, stream: str, key: str) -> Any:
    ack = ledger.tables.ack
    return connection.execute(sa.select(ack).where(ack.c.stream == stream, ack.c.record_key == key)).one_or_none()


def _next(connection: sa.Connection, ledger: Ledger, stream: str, key: str, ack: Any) -> str:
    """What happens to an order by itself, and when."""
    by_hand = comes_by_hand(connection, ledger.tables.run, stream)
    if ack is None:
        plan = (
            "no tap sends orders of this stream"
            if by_hand
            else "`orders-sync plan` says whether the next run reads any"
        )
        return f"the ledger does not know this order; {plan}"
    in_doubt = unconfirmed_since(connection, ledger.tables, stream, {key: ack.version}).get(key)
    doubt = f"; a write of it from {_time(in_doubt)} may land late, and is compared until it cannot" if in_doubt else ""
    if ack.status == AckStatus.SUBMITTED.value:
        return f"its job settles it: {ack.job_id[:SHORT_ID]} in `orders-sync jobs`{doubt}"
    if ack.status == AckStatus.HELD.value:
        return "it was undone, and is held until `orders-sync release`" + doubt
    refused = ack.status in {AckStatus.REJECTED.value, AckStatus.PARKED.value}
    if by_hand:
        return _by_hand(refused=refused, due=ack.next_attempt_at is not None) + doubt
    if ack.next_attempt_at is not None:
        due = ack.next_attempt_at <= ledger.now(connection)
        when = "with the next run" if due else f"with the first run after {_time(ack.next_attempt_at)}"
        return f"it is sent {when}; tries so far: {ack.attempts}{doubt}"
    return (_REFUSED if refused else _STEADY) + doubt


def _by_hand(*, refused: bool, due: bool) -> str:
    """What sends an order again that came from a file, and that no tap sends."""
    if not refused:
        return "nothing, until a file that has it is pushed"
    return "nothing, until its file is " + ("pushed again" if due else "corrected and pushed again")


def _line(outcome: PastOutcome, runs: Mapping[str, Any], jobs: Mapping[str, Any]) -> str:
    parts = [f"{_time(outcome.happened_at)}  {outcome.status}"]
    if outcome.action:
        parts[0] += f" ({outcome.action})"
    parts.append(f"version {outcome.version}")
    if outcome.code:
        field = f" in field {outcome.field}" if outcome.field else ""
        parts.append(f"{outcome.code}{field}{f': {outcome.message}' if outcome.message else ''}")
    if outcome.zoho_id:
        parts.append(f"record {outcome.zoho_id}")
    job = jobs.get(outcome.job_id or "")
    if job is not None:
        parts.append(f"job {job.zoho_job_id or job.job_id[:SHORT_ID]} of {job.row_count:,} orders")
    elif outcome.channel:
        parts.append(f"call {outcome.settlement}")
    elif outcome.status == AckStatus.REJECTED.value and outcome.family == Family.DATA.value:
        parts.append("refused before a call")
    run = runs.get(outcome.run_id)
    ended = f", {run.how_ended}" if run is not None and run.how_ended else ""
    group = f", group {run.run_group}" if run is not None and run.run_group else ""
    parts.append(f"run {outcome.run_id[:SHORT_ID]}{group}{ended}")
    return "; ".join(parts)


def _document(story: Story) -> dict[str, Any]:
    ack = story.ack
    return {
        "stream": story.stream,
        "key": story.key,
        "outcomes": [asdict(each) for each in story.outcomes],
        "runs": {name: {"how_ended": row.how_ended, "run_group": row.run_group} for name, row in story.runs.items()},
        "jobs": {name: {"zoho_job_id": row.zoho_job_id, "orders": row.row_count} for name, row in story.jobs.items()},
        "now": ack
        and {
            name: getattr(ack, name)
            for name in ("status", "version", "zoho_id", "error_code", "error_field", "error_message", "attempts")
        },
        "next": story.following,
        "next_attempt_at": ack and ack.next_attempt_at,
    }


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"
