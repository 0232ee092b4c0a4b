"""How long a first load takes beside the best possible schedule: `python -m benchmarks.initial_load --rows 1000000`.

Tap and target by a pipe, into an emulator of an Enterprise org whose jobs take 4 to 12 seconds. Each number of jobs at
a time is run twice: once with a Zoho that takes no time, which shows what the host can do, and once as said.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.best_schedule import Taken, best_seconds
from benchmarks.contenders import target_settings
from benchmarks.measured import Usage, run_measured
from benchmarks.orders import make_orders
from benchmarks.peers import ours
from benchmarks.processes import BenchmarkError, work_folder
from benchmarks.results import Table, keep
from zoho_crm_emulator.control import EmulatorProcess

LATENCIES: Mapping[str, Any] = {"job_seconds": [4, 12], "upload_seconds": [0.2, 0.6], "call_seconds": {"*": [0.1, 0.8]}}
NONE: Mapping[str, Any] = {"job_seconds": 0, "upload_seconds": 0, "call_seconds": {"*": 0}}
SEED = 7
USERS = 5
REQUESTS_KEPT = 2000  # by the emulator
ASKED = ("token", "fields", "layouts", "org")
_LOGGED = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) .* in \d+ bulk write job")
STEPS = ("read", "intend", "upload", "uploaded", "create", "created", "due", "ended", "told", "downloaded", "settled")


@dataclass(frozen=True)
class Load:
    """One first load: how long it took, what the processes used, and when each job came to which step (seconds).

    `asking` is what the calls took without which no order can be written: for a token, then for what the CRM is like,
    which could all be asked at once.
    """

    seconds: float
    asking: float
    usages: Mapping[str, Usage]
    timeline: list[dict[str, float]]
    stats: Mapping[str, Any]


class FirstLoad:
    """The work directory, and the orders."""

    def __init__(self, folder: Path, rows: int, bulk_rows: int) -> None:
        """Make the orders."""
        self._bulk_rows = bulk_rows
        self._folder = folder
        self._rows = rows
        self._source = folder / "orders.sqlite"
        self._database = folder / "run.sqlite"
        make_orders(f"sqlite:///{self._source}", rows)

    def run(self, max_jobs: int, latencies: Mapping[str, Any]) -> Load:
        """Load everything into an empty CRM."""
        for left in ("", "-wal", "-shm"):
            Path(f"{self._database}{left}").unlink(missing_ok=True)
        shutil.copyfile(self._source, self._database)
        with EmulatorProcess(self._folder / "crm.sqlite", edition="enterprise", users=USERS, seed=SEED) as emulator:
            emulator.admin.reset()
            emulator.admin.settings(**latencies)
            began = time.time()
            usages = self._pair(emulator, max_jobs)
            seconds = time.time() - began
            stats = emulator.admin.stats()
            if stats["modules"]["Orders"] != self._rows:
                raise BenchmarkError(f"{stats['modules']['Orders']} of {self._rows} orders reached the CRM")
            requests = emulator.admin.requests(REQUESTS_KEPT)
            steps = self._timeline(emulator, requests, began)
        Path(self._folder / "crm.sqlite").unlink()
        took = {name: next(each["ms"] / 1000 for each in requests if each["endpoint"] == name) for name in ASKED}
        asking = took.pop("token") + max(took.values())
        return Load(seconds, asking, usages, steps, stats)

    def _pair(self, emulator: EmulatorProcess, max_jobs: int) -> dict[str, Usage]:
        url = f"sqlite:///{self._database}"
        target = {
            **target_settings(emulator, url),
            "channel": "bulk_write",
            "bulk_rows": self._bulk_rows,
            "max_jobs": max_jobs,
        }
        settings = {"tap": {"sqlalchemy_url": url, "orders_table": "orders"}, "target": target}
        programs = {"tap": "tap-legacy-orders", "target": "target-zoho-crm"}
        source, sink = os.pipe()
        with self._logs() as logs, ThreadPoolExecutor(2) as pool:
            running = {}
            for role, streams in (("tap", {"stdout": sink}), ("target", {"stdin": source, "stdout": logs["out"]})):
                path = self._folder / f"{role}.json"
                path.write_text(json.dumps(settings[role]), encoding="utf-8")
                command = [ours(programs[role]), "--config", str(path)]
                running[role] = pool.submit(self._measured, command, logs[role], streams)
            usages = {role: each.result() for role, each in running.items()}
        for role, usage in usages.items():
            if usage.exit_code:
                said = (self._folder / f"{role}.log").read_text(encoding="utf-8").splitlines()[-5:]
                raise BenchmarkError("\n  ".join([f"the {role} ended with exit code {usage.exit_code}", *said]))
        return usages

    @staticmethod
    def _measured(command: list[str], log: int, streams: dict[str, int]) -> Usage:
        """Run one of both; its end of the pipe is closed here as soon as it has ended."""
        usage = run_measured(command, stderr=log, **streams)
        os.close(streams.get("stdin", streams["stdout"]))
        return usage

    @contextmanager
    def _logs(self) -> Iterator[dict[str, int]]:
        files = {name: (self._folder / f"{name}.log").open("wb") for name in ("tap", "target", "out")}
        try:
            yield {name: file.fileno() for name, file in files.items()}
        finally:
            for file in files.values():
                file.close()

    def _timeline(
        self, emulator: EmulatorProcess, requests: list[dict[str, Any]], began: float
    ) -> list[dict[str, float]]:
        """When each job came to which step, in seconds from the start, by the order of creation."""
        journal = self._journal()
        read = sorted(_moments(self._folder / "target.log"))
        noted = sorted(journal.values(), key=lambda row: row["intended_at"])
        if len(read) != len(noted):
            raise BenchmarkError(f"the target's log tells of {len(read)} batches, its journal of {len(noted)} jobs")
        for row, moment in zip(noted, read, strict=True):
            row["read"] = moment
        found = []
        for job in sorted(emulator.admin.jobs(10_000), key=lambda job: job["created"]):
            row = journal[job["id"]]
            upload = _request(requests, "upload", file_id=row["file_id"])
            create = _request(requests, "bulk_create", job=job["id"])
            result = _request(requests, "bulk_result", job=job["id"])
            moments = {
                "read": row["read"],
                "intend": row["intended_at"],
                "upload": upload[0],
                "uploaded": upload[1],
                "create": create[0],
                "created": job["created"] / 1000,
                "due": job["due"] / 1000,
                "ended": job["ended"] / 1000,
                "told": result[0],
                "downloaded": result[1],
                "settled": row["settled_at"],
            }
            found.append({step: round(moments[step] - began, 3) for step in STEPS})
        return found

    def _journal(self) -> dict[str, dict[str, Any]]:
        """The ledger's lines of all jobs, by Zoho's id."""
        query = "SELECT zoho_job_id, file_id, intended_at, updated_at FROM zoho_sync_job WHERE step = 'applied'"
        connection = sqlite3.connect(self._database)
        try:
            rows = connection.execute(query).fetchall()
        finally:
            connection.close()
        return {
            job: {"file_id": file, "intended_at": _utc(intended), "settled_at": _utc(settled)}
            for job, file, intended, settled in rows
        }


def result_of(max_jobs: int, host: Load, load: Load) -> dict[str, Any]:
    """What one number of jobs at a time gave; `host` is the load into a Zoho that takes no time."""
    # The host's own pace: when a file was ready to go in the run in which nothing but the host took time.
    ready = sorted(load.asking - host.asking + step["upload"] for step in host.timeline)
    rest = host.seconds - max(step["downloaded"] for step in host.timeline)
    as_they_were = [
        Taken(
            at,
            step["uploaded"] - step["upload"],
            step["created"] - step["create"],
            step["ended"] - step["created"],
            step["downloaded"] - step["told"],
        )
        for at, step in zip(ready, load.timeline, strict=True)
    ]
    drawn = [
        Taken(each.ready, each.upload, each.create, step["due"] - step["created"], each.download)
        for each, step in zip(as_they_were, load.timeline, strict=True)
    ]
    best, best_as_drawn = (
        max(host.seconds + load.asking - host.asking, best_seconds(jobs, at_once=max_jobs, rest=rest))
        for jobs in (as_they_were, drawn)
    )
    requests = load.stats["requests"]
    return {
        "max_jobs": max_jobs,
        "seconds": round(load.seconds, 2),
        "best_seconds": round(best, 2),
        "ratio": round(load.seconds / best, 4),
        "best_seconds_as_drawn": round(best_as_drawn, 2),
        "ratio_as_drawn": round(load.seconds / best_as_drawn, 4),
        "host_seconds": round(host.seconds, 2),
        "asking_seconds": round(load.asking, 2),
        "jobs": len(load.timeline),
        "polls": requests.get("bulk_poll", 0),
        "refused_for_haste": sum(n for what, n in load.stats["statuses"].items() if what.endswith(" 429")),
        "credits": load.stats["credits"]["spent"],
        "most_calls_at_once": load.stats["calls_at_once"]["most"],
        "processes": {role: asdict(usage) for role, usage in load.usages.items()},
        "timeline": {step: [moments[step] for moments in load.timeline] for step in STEPS},
    }


def _request(requests: list[dict[str, Any]], endpoint: str, **note: str) -> tuple[float, float]:
    """When the first request began and ended that succeeded and is noted so."""
    for each in requests:
        if each["endpoint"] == endpoint and all(each.get(name) == value for name, value in note.items()):
            return each["at"] / 1000, (each["at"] + each["ms"]) / 1000
    raise BenchmarkError(f"the emulator does not remember {endpoint} of {note}")


def _moments(log: Path) -> list[float]:
    """When the target had read each batch, by its log."""
    lines = log.read_text(encoding="utf-8").splitlines()
    texts = [match[1] for match in map(_LOGGED.match, lines) if match]
    return [datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").timestamp() for text in texts]  # noqa: DTZ007 - local time


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.initial_load", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="orders in the table")
    parser.add_argument("--max-jobs", type=int, nargs="+", default=[1, 4, 10], help="jobs at a time")
    parser.add_argument("--bulk-rows", type=int, default=25_000, help="orders in a job")
    options = parser.parse_args()
    try:
        with work_folder() as folder:
            runs = measure(folder, options.rows, options.bulk_rows, options.max_jobs)
    except BenchmarkError as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    figures = {
        "rows": options.rows,
        "bulk_rows": options.bulk_rows,
        "latencies": LATENCIES,
        "seed": SEED,
        "runs": runs,
    }
    keep("first-load", figures, [table(figures)])
    return 0


def measure(folder: Path, rows: int, bulk_rows: int, jobs_at_a_time: Sequence[int]) -> list[dict[str, Any]]:
    """Load once with a Zoho that takes no time and once with one that does, for each number of jobs at a time."""
    first_load = FirstLoad(folder, rows, bulk_rows)
    runs = []
    for max_jobs in jobs_at_a_time:
        host = first_load.run(max_jobs, NONE)
        runs.append(result_of(max_jobs, host, first_load.run(max_jobs, LATENCIES)))
        print(f"max_jobs {max_jobs}: {runs[-1]['seconds']} s, best {runs[-1]['best_seconds']} s", file=sys.stderr)
    return runs


def table(figures: Mapping[str, Any]) -> Table:
    """A row for each number of jobs at a time."""
    rows = [
        [
            str(run["max_jobs"]),
            f"{run['seconds']:.1f}",
            f"{run['best_seconds']:.1f}",
            f"{run['ratio']:.3f}",
            f"{run['ratio_as_drawn']:.3f}",
            f"{run['host_seconds']:.1f}",
            f"{run['polls'] / run['jobs']:.1f}",
            str(run["refused_for_haste"]),
        ]
        for run in figures["runs"]
    ]
    columns = ["max_jobs", "Seconds", "Best possible", "Ratio", "Ratio as drawn", "Host alone", "Polls a job", "429s"]
    note = (
        f"{figures['rows']:,} orders, {figures['bulk_rows']:,} in a job. *As drawn* takes a job's time from creation "
        "to the end that the emulator had planned. *Host alone* is a run into a Zoho that takes no time."
    )
    return Table("A first load beside the best possible schedule", columns, rows, note)


if __name__ == "__main__":
    sys.exit(main())
