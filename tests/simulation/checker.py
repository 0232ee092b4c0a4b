"""The law, checked against what really happened: legacy table, CRM, ledger and STATE.

At every quiet point: each order's newest version is in the CRM exactly once, or its ack says truthfully why not and
when it is tried again; and the ledger's sums equal what the emulator saw.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from simulation.legacy import Shop, number_of
from simulation.network import Zoho
from simulation.ownership import Ownership
from simulation.people import People
from simulation.simulated_databases import plain

from sync_ledger.codes import LedgerCode
from sync_ledger.job_journal import Manifest

COUNT_FOR_NOBODY = frozenset(
    code.value
    for code in (
        LedgerCode.CALL_FAILED,
        LedgerCode.UPLOAD_FAILED,
        LedgerCode.JOB_WITHOUT_RESULT,
        LedgerCode.ALIKE_IN_DOUBT,
    )
)
A_DAY = timedelta(days=1)
OPEN = ("intent", "calling", "uploaded", "created")


class Checker:
    """Looks at one history from outside."""

    def __init__(
        self,
        ledger: Path,
        shop: Shop,
        zoho: Zoho,
        people: People,
        max_attempts: int,
        poisoned: Collection[str] = (),
    ) -> None:
        """Read the ledger at `ledger`; no call can write an order that is `poisoned`."""
        # The emulator's faults go by folded keys.
        self._poisoned = frozenset(key.strip().casefold() for key in poisoned)
        self._ledger = plain(ledger)
        self._ledger.row_factory = sqlite3.Row
        self._shop = shop
        self._zoho = zoho
        self._people = people
        self._ownership = Ownership(self._ledger, shop, zoho, people)
        self._max_attempts = max_attempts
        self.found: list[str] = []
        self.laws: list[Callable[[], Iterable[str]]] = []
        """What else holds at quiet points."""

    def fail(self, text: str) -> None:
        """Note a violation."""
        self.found.append(text)

    # At any time

    def state_went_out(self, records: Iterable[tuple[str, str, int]]) -> None:
        """STATE goes out only when every record before it has an outcome in the ledger, since the tick of its reading.

        One that is `submitted` may have had one: a run that lasts reads an order again that is due again.
        """
        acks = {row["record_key"]: row for row in self._ledger.execute("SELECT * FROM zoho_sync_ack")}
        settled = "SELECT 1 FROM sim_acks WHERE record_key = ? AND status <> 'submitted' AND moment > ?"
        for key, (version, read_at) in {key: (version, read_at) for key, version, read_at in records}.items():
            ack = acks.get(key)
            if ack is not None and (ack["version"] != version or ack["status"] != "submitted"):
                continue
            if ack is None or self._ledger.execute(settled, (key, read_at)).fetchone() is None:
                self.fail(
                    f"STATE went out before order {key} at {version!r} had an outcome: {dict(ack) if ack else None}"
                )

    def job_created(self, keys: Iterable[str]) -> None:
        """Whatever is in a job is `submitted` before Zoho has the job, so that no run sends it a second time."""
        acks = {row["record_key"]: row["status"] for row in self._ledger.execute("SELECT * FROM zoho_sync_ack")}
        for key in keys:
            if acks.get(key) != "submitted":
                self.fail(f"order {key} is in a new job, and its ack says {acks.get(key)}")

    def run_ended(self, lives: Callable[[int], str | None]) -> None:
        """A run that is awake is not taken for dead. `lives` names the process of an id that was never silent."""
        for row in self._ledger.execute("SELECT pid FROM zoho_sync_run WHERE how_ended = 'died'"):
            name = lives(row["pid"])
            if name is not None:
                self.fail(f"{name} lives, and another run has taken it for dead")

    # At quiet points

    def quiet(self) -> None:
        """What holds whenever no run is live."""
        acks = self._ledger.execute("SELECT * FROM zoho_sync_ack").fetchall()
        jobs = self._ledger.execute("SELECT * FROM zoho_sync_job").fetchall()
        self._acks_are_true(acks)
        self._submitted_are_in_jobs(acks, jobs)
        self._retries_end(acks)
        self._crm_never_goes_back()
        self._no_duplicates()
        self._job_sums(jobs)
        self._run_sums()
        self.found += self._ownership.broken(acks)
        for law in self.laws:
            self.found += law()

    def _acks_are_true(self, acks: list[Any]) -> None:
        """An ack that says synced was written after the CRM had that version; the log is the database's own."""
        writes: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for row in self._zoho.writes:
            writes[row.key].append((row.moment, number_of(row.value)))
        seen: dict[str, int] = {}
        log = "SELECT moment, record_key, version, status FROM sim_acks ORDER BY rowid"
        for moment, key, version, status in self._ledger.execute(log):
            if status == "restored":
                seen.clear()
            if status != "synced":
                continue
            numbers = self._shop.numbers(key, version)
            had = set(numbers) & {number for at, number in writes[key] if at < moment}
            if not had:
                self.fail(f"order {key} is called synced at {version!r}, which the CRM has never had")
            elif seen.get(key, 0) > max(numbers):
                self.fail(f"the ack of order {key} went back to {version!r}")
            else:
                seen[key] = max(had)
        ids = {key: record for key, _, record in self._zoho.records()}
        owners = {record: key for key, record in ids.items()}
        in_jobs = {ack["record_key"] for ack in acks if ack["status"] == "submitted"}
        for ack in acks:
            theirs = ack["zoho_id"] in self._people.touched
            # Where jobs match by another unique field, one that lands takes another order's record: that is seen when
            # its result is read, or its own order is looked at, so that it is judged at the end.
            not_seen = owners.get(ack["zoho_id"]) in self._zoho.in_doubt | in_jobs
            theirs |= self._people.plan.jobs_match_all and not_seen
            if ack["status"] == "synced" and ids.get(ack["record_key"]) != ack["zoho_id"] and not theirs:
                self.fail(f"order {ack['record_key']} is called synced under an id that the CRM does not know")

    def _submitted_are_in_jobs(self, acks: list[Any], jobs: list[Any]) -> None:
        """`submitted` means: in an open job of the journal."""
        waiting: dict[str, Mapping[str, str]] = {
            job["job_id"]: Manifest(job["manifest"], job["row_count"]).texts()
            for job in jobs
            if job["step"] in OPEN and job["manifest"]
        }
        for ack in acks:
            key = ack["record_key"]
            if ack["status"] == "submitted" and waiting.get(ack["job_id"], {}).get(key) != ack["version"]:
                self.fail(f"order {key} is submitted for ever: no open job has it")
            if ack["status"] == "rejected" and ack["family"] == "transient" and ack["next_attempt_at"] is None:
                self.fail(f"order {key} is refused for a reason that passes, and never tried again")

    def _retries_end(self, acks: list[Any]) -> None:
        """Tries end; where the answers blame nobody, a day after the first of them and not earlier.

        Every ack that was is looked at, but those of orders in the CRM: the try that brings one there ends its tries.
        """
        log = "SELECT * FROM sim_acks WHERE attempts > ? AND status NOT IN ('synced', 'restored') ORDER BY rowid"
        for row in self._ledger.execute(log, (self._max_attempts,)):
            if row["failing_since"] is None or (row["status"] == "rejected" and _of_a_day(row)):
                text = f"order {row['record_key']} was tried {row['attempts']} times, at most {self._max_attempts}"
                self.fail(text)
        for ack in acks:
            key, code = ack["record_key"], ack["error_code"]
            if ack["status"] == "parked" and code in COUNT_FOR_NOBODY:
                self.fail(f"order {key} is parked for {code}, which counts for nobody")
            if ack["status"] == "parked" and code == LedgerCode.BREAKS_CALLS.value and not _of_a_day(ack):
                self.fail(f"order {key} is parked within a day, for answers that blame nobody")

    def _crm_never_goes_back(self) -> None:
        """An older version never lands on a newer one, but of what may land late: that is judged at the end."""
        newest: dict[str, int] = {}
        for row in self._zoho.writes:
            number = number_of(row.value)
            if (
                row.pid not in self._zoho.undoing_pids
                and number < newest.get(row.key, 0)
                and row.key not in self._zoho.in_doubt
            ):
                self.fail(f"the CRM's order {row.key} went back from change {newest[row.key]} to {number}")
            newest[row.key] = number
        for text in self._zoho.violations:
            self.fail(text)

    def _no_duplicates(self) -> None:
        counts = Counter(key for key, *_ in self._zoho.records() if key is not None)
        for key, count in counts.items():
            if count > 1:
                self.fail(f"order {key} is in the CRM {count} times")
            if key not in self._shop.history and key not in self._shop.all_names:
                self.fail(f"the CRM has order {key}, which never was")

    def _job_sums(self, jobs: list[Any]) -> None:
        """What the journal says of a job is what the emulator did with its rows."""
        store = self._zoho.emulator.store
        for job in jobs:
            if job["step"] != "applied" or job["zoho_job_id"] is None:
                continue
            outcome = (
                store.read()
                .execute("SELECT status, outcome FROM jobs WHERE id = ?", (int(job["zoho_job_id"]),))
                .fetchone()
            )
            told = msgspec.json.decode(outcome[1]) if outcome and outcome[1] else {}
            counts = told.get("counts") or {}
            written = counts.get("added_count", 0) + counts.get("updated_count", 0)
            said = job["synced_count"] + job["rejected_count"] + job["due_again_count"]
            if said != job["row_count"]:
                self.fail(f"a job of {job['row_count']} orders has {said} outcomes in the journal")
            in_conflict = self._people.plan.jobs_match_all or bool(self._people.rekeyed)
            if job["synced_count"] not in {0, written} and not (in_conflict and job["synced_count"] < written):
                self.fail(f"the journal has {job['synced_count']} orders of a job synced, the emulator wrote {written}")

    def _run_sums(self) -> None:
        """What was read has an outcome; and the credits are those that the emulator counted."""
        for run in self._ledger.execute("SELECT * FROM zoho_sync_run WHERE how_ended IN ('finished', 'failed')"):
            if run["read_count"] is None:
                continue  # an undo
            parts = ("synced", "unchanged", "superseded", "rejected", "parked", "held", "unsynced")
            total = sum(run[f"{name}_count"] for name in parts)
            if total != run["read_count"]:
                self.fail(f"a run read {run['read_count']} orders and accounts for {total}")
            spent = self._zoho.spent[run["pid"]]
            certain = run["pid"] not in self._zoho.unsure and run["how_ended"] == "finished"
            if run["credits"] < spent or (certain and run["credits"] != spent):
                self.fail(f"a run says {run['credits']} credits, the emulator counted {spent}")

    # At the end

    def pending(self, refused: Mapping[str, str], stream: str, where: str | None) -> list[str]:
        """The orders of a stream, as far as its filter lets them through, that are not yet where they are to be."""
        rows = self._ledger.execute("SELECT * FROM zoho_sync_ack").fetchall()
        others = {row["stream"] for row in rows} - {stream}
        left = [f"acks are called those of {other}, by which no tap looks for them" for other in sorted(others)]
        acks = {row["record_key"]: row for row in rows if row["stream"] == stream}
        crm = {key: (value, record) for key, value, record in self._zoho.records()}
        for key, (value, text) in self._shop.orders(where).items():
            ack, record = acks.get(key), crm.get(key)
            at = (ack["version"], ack["status"]) if ack else None
            used_up = ack is not None and at == (text, "parked") and ack["attempts"] >= self._max_attempts
            if at is not None and at[0] == text and self._ownership.stands_against(ack):
                continue  # another order, or a person, has what it needs, and the ledger says so
            breaks_calls = ack is not None and ack["error_code"] == LedgerCode.BREAKS_CALLS.value
            if used_up and breaks_calls and key.strip().casefold() not in self._poisoned:
                left.append(f"{key}: parked, though calls with it do not fail")
            if key in refused:
                wanted = "parked" if refused[key] == "RECORD_LOCKED" or used_up else "rejected"
                # The last of its tries may have met a fault instead.
                truths = {refused[key], LedgerCode.BREAKS_CALLS.value, "UNPROCESSED"} if used_up else {refused[key]}
                told = ack is not None and ack["error_code"] in truths
                if at != (text, wanted) or not told:
                    left.append(f"{key}: {at} though Zoho refuses it with {refused[key]}")
            elif used_up:
                continue  # faults used its tries up, and the ledger says so
            elif at != (text, "synced"):
                left.append(f"{key}: ack {at}, the newest version is {text!r}")
            elif (record is None or record[0] != value) and not self._ownership.changed_by_people(ack):
                left.append(f"{key}: called synced at {text!r}, the CRM has {record and record[0]}, newest is {value}")
        submitted = [key for key, ack in acks.items() if ack["status"] == "submitted"]
        return left + [f"{key}: still submitted" for key in submitted]

    def next_due(self, where: str | None) -> str | None:
        """When the next refused order is due that the filter lets through, by the ledger's clock."""
        query = "SELECT record_key, next_attempt_at FROM zoho_sync_ack WHERE status = 'rejected'"
        orders = self._shop.orders(where)
        return min((due for key, due in self._ledger.execute(query) if due and key in orders), default=None)

    def close(self) -> None:
        """Close the connection."""
        self._ledger.close()


def _of_a_day(ack: sqlite3.Row) -> bool:
    """Whether the order has failed for a day, by answers that blame nobody."""
    since = ack["failing_since"]
    return since is not None and datetime.fromisoformat(ack["acked_at"]) - datetime.fromisoformat(since) >= A_DAY
