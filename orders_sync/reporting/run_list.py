"""The command `runs`: the last runs, or those of a group, with their sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import sqlalchemy as sa

from orders_sync.config_sources.ledgers import existing_ledger, json_option, ledger_options, stream_option
from orders_sync.output import new_table, open_console, print_json, row, say
from orders_sync.reporting.results import run_document, runs_of_group
from sync_ledger.ledger import Ledger
from sync_ledger.runs import sign_of
from sync_ledger.tables import RUN_COUNTS
from sync_processes.exit_codes import ExitCode


@click.command()
@click.option("--group", metavar="ID", help="All runs of this `run_group`, such as those of a split stream.")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many runs without --group.")
@ledger_options
@stream_option
@json_option
def runs(
    group: str | None, last: int, ack_url: str | None, ack_schema: str | None, stream: str | None, *, as_json: bool
) -> None:
    """Display runs, the earliest first: how each ended, what it counted, its credits; and the sums of all.

    With --group it ends 1 where the last run of a stream or partition did not finish, so that an orchestrator can
    go by it.
    """
    with existing_ledger(ack_url, ack_schema) as ledger:
        found = runs_of_group(ledger, group) if group is not None else last_runs(ledger, stream, last)
        listed = [each for each in found if stream is None or each.stream == stream]
        ends = _ends(ledger, listed)
    if group is not None and not listed:
        raise click.ClickException(f"the ledger has no run of group {group!r}; `run_group` of the target names it")
    sums = sums_of(listed, ends)
    if as_json:
        print_json(
            {
                "group": group,
                "runs": [run_document(each) | {"ended": ends[each.run_id]} for each in listed],
                "sums": sums,
            }
        )
    else:
        _display(listed, ends, sums)
    last_ones = {(each.stream, each.partition_name): ends[each.run_id] for each in listed}
    if group is not None and set(last_ones.values()) != {"finished"}:
        raise SystemExit(ExitCode.FAILED)


def last_runs(ledger: Ledger, stream: str | None, last: int) -> Sequence[sa.Row[Any]]:
    """The last runs of a stream, or of all; the earliest first."""
    run = ledger.tables.run
    query = sa.select(run).order_by(run.c.started_at.desc()).limit(last)
    if stream is not None:
        query = query.where(run.c.stream == stream)
    with ledger.connect() as connection:
        return connection.execute(query).all()[::-1]


def _ends(ledger: Ledger, found: Sequence[sa.Row[Any]]) -> dict[str, str]:
    """How each ended, by its id; of one that has not, what it shows of itself."""
    with ledger.connect() as connection:
        now = ledger.now(connection)
    return {
        each.run_id: str(each.how_ended) if each.finished_at is not None else sign_of(each, now).value for each in found
    }


def sums_of(found: Sequence[sa.Row[Any]], ends: Mapping[str, str]) -> dict[str, Any]:
    """What runs counted together; `seconds` from the first start to the last end, None where one has not ended."""
    until = [each.finished_at for each in found]
    started = [each.started_at for each in found]
    seconds = None if None in until or not found else (max(until) - min(started)).total_seconds()
    return {
        "runs": len(found),
        "how_ended": Counter(ends[each.run_id] for each in found),
        "counts": {name: sum(getattr(each, f"{name}_count") or 0 for each in found) for name in RUN_COUNTS},
        "credits": sum(each.credits or 0 for each in found),
        "seconds": seconds,
    }


def _display(found: Sequence[sa.Row[Any]], ends: Mapping[str, str], sums: dict[str, Any]) -> None:
    if not found:
        say("No run.")
        return
    names = [name for name in RUN_COUNTS if sums["counts"][name]]
    counted = [*(name.capitalize() for name in names), "Credits"]
    table = new_table("Began (UTC)", "Run", "Stream", "Partition", "Ended", *counted, right=counted)
    for each in found:
        counts = (f"{getattr(each, f'{name}_count') or 0:,}" for name in names)
        what = (_time(each.started_at), each.run_id[:8], each.stream, each.partition_name, ends[each.run_id])
        row(table, *what, *counts, f"{each.credits or 0:,}")
    open_console().print(table)
    for each in found:
        if each.error:
            say(f"{each.run_id[:8]} {ends[each.run_id]}: {each.error}")
    ended = ", ".join(f"{count:,} {how}" for how, count in sums["how_ended"].items())
    summed = ", ".join(f"{sums['counts'][name]:,} {name}" for name in names) or "nothing read"
    took = "" if sums["seconds"] is None else f" in {sums['seconds']:,.0f} s"
    say(f"{sums['runs']:,} runs ({ended}){took}: {summed}; {sums['credits']:,} credits")


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
