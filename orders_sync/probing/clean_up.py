"""Deletes what a probe made: what answers named, and what still bears its prefix."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from itertools import islice

from orders_sync.probing.bench import Bench
from orders_sync.probing.job_values import ENDS
from orders_sync.probing.journal import INTENDED
from orders_sync.probing.scrubbing import PREFIX
from orders_sync.probing.verdicts import NotAsked, ProbeError
from sync_ledger.retry_schedules import PROBE_JOBS, PROBE_UNKNOWN_JOBS
from target_zoho_crm.api.costs import CALL_RECORDS, PAGE_ROWS, upsert_credits

_PRODUCTS = ("Products", "Product_Name")
_ROUNDS = 200


def clean_up(bench: Bench) -> int:
    """Delete every record of any probe from the module, and made-up products; gives how many.

    Jobs of a probe that was killed, or that had no answer, may still make some: it waits for them.

    Raises:
        ProbeError: something is left; the message says what to do.
    """
    try:
        _wait_for_jobs(bench)
        deleted = _delete_all(bench)
        if INTENDED in bench.journal.jobs:  # it has no id here, and may be at work
            for look in range(1, PROBE_UNKNOWN_JOBS.attempts):
                bench.wire.pace.wait(PROBE_UNKNOWN_JOBS.pause_after(look))
                deleted += _delete_all(bench)
    except NotAsked as missing:
        raise ProbeError(
            f"Made-up records may be left in {bench.module}: {missing}. Clean up again later."
        ) from missing
    bench.journal.forget()
    return deleted


def _delete_all(bench: Bench) -> int:
    """What answers named, then what bears the prefix."""
    deleted = 0
    for module in dict.fromkeys(module for module, _ in bench.made):
        deleted += _delete(bench, module, (record for of, record in bench.made if of == module))
    bench.made.clear()
    places = [(bench.module, bench.name_field)] + ([_PRODUCTS] if bench.line_items else [])
    for module, field in places:
        deleted += _sweep(bench, module, field)
    return deleted


def _wait_for_jobs(bench: Bench) -> None:
    """Wait until the jobs that were not seen to end have ended.

    Raises:
        ProbeError: one does not end.
    """
    for job in [each for each in bench.journal.jobs if each != INTENDED]:
        for look in range(1, PROBE_JOBS.attempts + 1):
            found = bench.wire.bulk("GET", f"write/{job}", credits=0, keep=False)
            if found.flat.get("status") in ENDS or found.status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
                break
            bench.wire.pace.wait(PROBE_JOBS.pause_after(look))
        else:
            raise ProbeError("A job of the probe has not ended. Clean up again later.")
        bench.journal.ended(job)


def _sweep(bench: Bench, module: str, field: str) -> int:
    """Delete what bears the prefix, page by page, until nothing is found; the server's filter is not believed.

    Raises:
        ProbeError: it finds other records too, or what it finds cannot be deleted.
    """
    query = f"select id, {field} from {module} where {field} like '{PREFIX}%' limit {PAGE_ROWS}"  # noqa: S608 - names
    deleted = 0
    for _ in range(_ROUNDS):
        found = bench.wire.call("POST", "coql", {"select_query": query}, credits=1)
        if found.status == HTTPStatus.NO_CONTENT or (found.status == HTTPStatus.OK and not found.items):
            return deleted
        if found.status != HTTPStatus.OK:
            code = found.flat.get("code") or found.status
            raise ProbeError(f"Records may be left in {module}: a query was answered {code}.")
        if not all(str(each.get(field)).startswith(PREFIX) for each in found.items):
            raise ProbeError(f"The query for made-up records of {module} finds others too; delete {PREFIX}* by hand.")
        these = _delete(bench, module, [str(each["id"]) for each in found.items if "id" in each])
        if not these:
            break
        deleted += these
    raise ProbeError(f"Records that begin with {PREFIX} are left in {module}; delete them by hand.")


def _delete(bench: Bench, module: str, records: Iterable[str]) -> int:
    waiting, deleted = iter(dict.fromkeys(records)), 0
    while some := list(islice(waiting, CALL_RECORDS)):
        params = {"ids": ",".join(some), "wf_trigger": "false"}
        found = bench.wire.call("DELETE", module, credits=upsert_credits(len(some)), params=params)
        deleted += sum(isinstance(each, dict) and each.get("code") == "SUCCESS" for each in found.items)
    return deleted
