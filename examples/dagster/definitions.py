"""Dagster runs the pair by partitions: for those who outgrow one machine.

Each partition is a share of the orders (docs/running.md), and a run of its own: the run queue gives them to as many
workers as `dagster.yaml` allows, on as many machines as the run launcher reaches. Code and settings of the pair are
in an environment of their own; this file only starts it and reads what became of it.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

SHARES = int(os.environ.get("ORDERS_SYNC_PARTITIONS", "8"))
"""How many; all workers must agree, and it may change between two runs (docs/running.md)."""
BIN = Path(os.environ["ORDERS_SYNC_BIN"])
"""Where the pair is installed: its tap-legacy-orders, target-zoho-crm and orders-sync."""
RUN_PAIR = Path(os.environ["ORDERS_SYNC_RUN_PAIR"])
"""examples/shell/run-pair."""
TRY_AGAIN_SECONDS = 60
ANOTHER_RUN_IS_LIVE = 3
TICK = "orders_sync/tick"
"""The tag that says which tick of the schedule asked for a run: those of one tick share full jobs."""
NEEDS_A_PERSON = {2, 4}
"""Exit codes that no retry helps (docs/exit-codes.md)."""

shares = dg.StaticPartitionsDefinition([f"{index}-of-{SHARES}" for index in range(1, SHARES + 1)])


def environment(share: str, group: str | None) -> dict[str, str]:
    """The settings of one share's pair: those of the worker, which share it is, and which runs belong together."""
    index, _, of = share.partition("-of-")
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    partition = json.dumps({"index": int(index), "of": int(of)})
    of_group = {} if group is None else {"TARGET_ZOHO_CRM_RUN_GROUP": group}
    return {**os.environ, "PATH": path, "TAP_LEGACY_ORDERS_PARTITION": partition, **of_group}


def status(*options: str) -> dict[str, Any]:
    """`orders-sync status` as a document; it ends 1 where something is not well, and says so in the document too."""
    command = [BIN / "orders-sync", "status", "--json", *options]
    asked = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    document: dict[str, Any] = json.loads(asked.stdout)
    return document


def last_run(share: str) -> dict[str, dg.MetadataValue]:
    """Counts and credits of the share's last run, as metadata that Dagster plots."""
    (stream,) = status("--ledger-only", "--runs", str(20 * SHARES))["streams"]
    run = next(run for run in stream["runs"] if run["partition"] == share.replace("-of-", "/"))
    counts = {f"orders {word}": dg.MetadataValue.int(number) for word, number in run["counts"].items()}
    return {**counts, "credits": dg.MetadataValue.int(run["credits"])}


@dg.asset(
    partitions_def=shares,
    pool="zoho_org",
    retry_policy=dg.RetryPolicy(
        max_retries=5, delay=TRY_AGAIN_SECONDS, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(warn_window=timedelta(minutes=15), fail_window=timedelta(hours=1)),
    kinds={"singer", "zoho"},
)
def orders_in_crm(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """The orders of one share that are new or changed, written to Zoho CRM, each with its ack in the ledger."""
    share = context.partition_key
    group = context.run.tags.get("dagster/backfill", context.run.tags.get(TICK))
    pair = subprocess.Popen([RUN_PAIR], env=environment(share, group), stderr=subprocess.PIPE, text=True)
    assert pair.stderr is not None
    try:
        for line in pair.stderr:
            context.log.info(line.rstrip())
        code = pair.wait()
    finally:
        pair.terminate()  # where Dagster ends the run: tap and target hand over what is in flight
    if code == ANOTHER_RUN_IS_LIVE:
        raise dg.RetryRequested(max_retries=10, seconds_to_wait=TRY_AGAIN_SECONDS)
    if code != 0:
        text = f"the pair of share {share} ended with exit code {code}; its last lines say why"
        raise dg.Failure(text, allow_retries=code not in NEEDS_A_PERSON)
    return dg.MaterializeResult(metadata=last_run(share))


@dg.asset_check(asset=orders_in_crm, blocking=False)
def every_order_is_accounted_for() -> dg.AssetCheckResult:
    """`orders-sync status` as a health check: late runs, late orders, refused ones."""
    limits = ["--max-age", os.environ.get("ORDERS_SYNC_MAX_AGE", "15m"), "--max-rejected", "10"]
    told = status(*limits)
    acks: dict[str, int] = {}
    for stream in told["streams"]:
        for word, number in stream["acks"].items():
            acks[word] = acks.get(word, 0) + number
    return dg.AssetCheckResult(passed=told["healthy"], metadata={"complaints": told["complaints"], **acks})


orders_to_crm = dg.define_asset_job("orders_to_crm", selection=[orders_in_crm], partitions_def=shares)
health = dg.define_asset_job("health", selection=dg.AssetSelection.checks(every_order_is_accounted_for))


@dg.schedule(job=orders_to_crm, cron_schedule="*/5 * * * *")
def every_five_minutes(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run a share; one that is still under way makes the next one of its share wait."""
    for share in shares.get_partition_keys():
        tick = f"{context.scheduled_execution_time:%Y%m%dT%H%M}"
        yield dg.RunRequest(run_key=f"{tick}-{share}", partition_key=share, tags={TICK: tick})


check_health = dg.ScheduleDefinition(name="check_health", job=health, cron_schedule="*/15 * * * *")

definitions = dg.Definitions(
    assets=[orders_in_crm],
    asset_checks=[every_order_is_accounted_for],
    jobs=[orders_to_crm, health],
    schedules=[every_five_minutes, check_health],
    executor=dg.in_process_executor,  # a run has one step: its worker is one process
)
