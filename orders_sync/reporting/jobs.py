"""The command `jobs`: the bulk write jobs whose outcome is not settled, and the way out for one that is stuck."""

from __future__ import annotations

import dataclasses

import click

from orders_sync.config_sources.ledgers import existing_ledger, json_option, ledger_options
from orders_sync.output import new_table, open_console, print_json, row, say
from orders_sync.reporting.health import short
from orders_sync.reporting.open_jobs import read_open_jobs
from sync_ledger.given_up_jobs import NoSuchJobError, give_up
from sync_ledger.job_journal import SHORT_ID
from sync_ledger.ledger import Ledger


@click.command()
@click.option(
    "--abandon",
    metavar="ID",
    help="Wait no longer for this job: its orders are sent again once Zoho says that it has ended, or after 24 hours.",
)
@ledger_options
@json_option
def jobs(abandon: str | None, ack_url: str | None, ack_schema: str | None, *, as_json: bool) -> None:
    """List the bulk write jobs whose outcome is not settled, and which run settles them."""
    with existing_ledger(ack_url, ack_schema) as ledger:
        if abandon is not None:
            _abandon(ledger, abandon, as_json=as_json)
            return
        found = read_open_jobs(ledger)
    if as_json:
        print_json({"jobs": [dataclasses.asdict(each) for each in found]})
        return
    if not found:
        say("No job is open.")
        return
    table = new_table("Id", "Stream", "Zoho's id", "Step", "Rows", "Age", "Settled by", right=("Rows", "Age"))
    for job in found:
        own, step = job.job_id[:SHORT_ID], job.step.replace("_", " ")
        row(table, own, job.stream, job.zoho_job_id or "", step, f"{job.rows:,}", short(job.age), job.keeper)
    open_console().print(table)


def _abandon(ledger: Ledger, job_id: str, *, as_json: bool) -> None:
    try:
        given_up = ledger.transact(
            lambda connection: give_up(connection, ledger.tables.job, job_id, ledger.now(connection))
        )
    except NoSuchJobError as error:
        raise click.ClickException(f"job {job_id!r}: {error}") from None
    if as_json:
        print_json({"job_id": given_up.job_id, "stream": given_up.stream, "given_up": given_up.row_count})
        return
    say(
        f"Job {given_up.job_id[:SHORT_ID]} is given up. The next runs ask Zoho for its end; then, or after 24 hours, "
        f"its {given_up.row_count:,} orders of stream {given_up.stream} are sent again. Other orders go on meanwhile."
    )
