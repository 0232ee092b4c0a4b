"""The page at `/`: what a person looks at while orders arrive.

It never reads a whole module: counts are kept, lists are short, and a search looks up keys by index and then looks
through the latest records only.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from zoho_crm_emulator.dates import JSON_DATETIME
from zoho_crm_emulator.emulator import CURRENT_USER, Emulator
from zoho_crm_emulator.job_plan import module_name
from zoho_crm_emulator.jobs import Job, Jobs
from zoho_crm_emulator.record_reading import COLUMNS, Reader, StoredRecord, fetch
from zoho_crm_emulator.schema import ModuleView
from zoho_crm_emulator.unique_keys import key_maker

ROWS = 25
NUMBERS = frozenset({"integer", "currency", "double", "percent"})
SEARCHED_RECORDS = 20_000  # the latest ones, when a search is for no key
SHOWN_FIELDS = 8
SHOWN_JOBS = 8
SHOWN_REQUESTS = 10


def _clock_time(milliseconds: int) -> str:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.timezone.utc).strftime("%H:%M:%S")


def _thousands(number: int | None) -> str:
    return "unlimited" if number is None else f"{number:,}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return str(value.get("name") or value.get("id"))
    text = str(value)
    return text[:19].replace("T", " ") if JSON_DATETIME.fullmatch(text) else text


class Page:
    """The page and the numbers on it."""

    def __init__(self, emulator: Emulator, jobs: Jobs) -> None:
        self._emulator = emulator
        self._jobs = jobs
        templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.filters.update(clock_time=_clock_time, thousands=_thousands, cell=_cell)
        self._template = templates.get_template("page.html")

    def routes(self) -> list[Route]:
        """The page's only address."""
        return [Route("/", self.show)]

    async def show(self, request: Request) -> HTMLResponse:
        """GET /: `module` chooses the records shown, `q` searches among them."""
        name = request.query_params.get("module", "Orders")
        search = request.query_params.get("q", "").strip()
        html = await run_in_threadpool(lambda: self._template.render(self._told(name, search)))
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    def _told(self, name: str, search: str) -> dict[str, Any]:
        emulator = self._emulator
        views = emulator.catalog.modules
        view = views.get(name) or next(iter(views.values()))
        reader = emulator.store.read()
        records = self._records(view, search)
        counts = dict(reader.execute("SELECT module, records FROM counts").fetchall())
        credits_ = emulator.credits
        limit, spent = credits_.limit, credits_.spent_today()
        return {
            "base_url": emulator.base_url,
            "edition": credits_.edition,
            "clock_mode": emulator.clock.mode,
            "now": emulator.clock.now(),
            "modules": [{"name": one.name, "records": counts.get(one.id, 0)} for one in views.values()],
            "module": view.name,
            "search": search,
            "searched": SEARCHED_RECORDS,
            "fields": self._columns(view, records),
            "numbers": {field.api_name for field in view.stored if field.data_type in NUMBERS},
            "records": records,
            "credits": {
                "spent": spent,
                "limit": limit,
                "percent": 0 if not limit else min(100, round(100 * spent / limit, 1)),
                "by_kind": sorted(credits_.by_kind.items(), key=lambda pair: -pair[1]),
            },
            "calls": {"running": emulator.calls.running, "limit": emulator.calls.limit},
            "tokens": emulator.oauth.live_tokens(),
            "jobs": [self._job(job) for job in self._jobs.recent(SHOWN_JOBS)],
            "requests": list(reversed(emulator.journal.tail(SHOWN_REQUESTS))),
            "written": emulator.journal.counts()["records"],
            "faults": [active.describe() for active in emulator.faults.active],
        }

    @staticmethod
    def _columns(view: ModuleView, records: list[dict[str, Any]]) -> list[str]:
        """Unique fields first, then those that hold anything in the records shown."""
        keys = [field.api_name for field in view.keys]
        rest = [field.api_name for field in view.stored if field.api_name not in keys]
        filled = [name for name in rest if any(record[name] is not None for record in records)]
        return [*keys, *filled][:SHOWN_FIELDS]

    def _records(self, view: ModuleView, search: str) -> list[dict[str, Any]]:
        rows = self._found(view, search) if search else self._latest(view)
        return Reader(self._emulator, view, self._emulator.switches.time_zone).records(rows)

    def _latest(self, view: ModuleView) -> list[StoredRecord]:
        return (
            self._emulator.store.read()
            .execute(
                f"SELECT {COLUMNS} FROM records WHERE module = ? ORDER BY modified DESC LIMIT ?",  # noqa: S608
                (view.id, ROWS),
            )
            .fetchall()
        )

    def _found(self, view: ModuleView, search: str) -> list[StoredRecord]:
        """By id, by the beginning of a unique value, then anywhere in the latest records."""
        reader = self._emulator.store.read()
        ids: dict[int, None] = {}
        if search.isascii() and search.isdigit() and len(search) < 20:  # noqa: PLR2004 - digits of an id
            ids[int(search)] = None
        for field in view.keys:
            key = key_maker(field, CURRENT_USER)(search)
            for (record,) in reader.execute(
                "SELECT record FROM unique_keys WHERE field = ? AND key >= ? AND key < ? LIMIT ?",
                (field.id, key, key + "\U0010ffff", ROWS),
            ):
                ids[record] = None
        rows = fetch(reader, view, ids)
        if len(rows) < ROWS:
            pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            rows += reader.execute(
                f"SELECT {COLUMNS} FROM ("  # noqa: S608
                f"SELECT {COLUMNS} FROM records WHERE module = ? ORDER BY modified DESC LIMIT ?) "
                "WHERE doc LIKE ? ESCAPE '\\' LIMIT ?",
                (view.id, SEARCHED_RECORDS, pattern, ROWS),
            ).fetchall()
        return list({row[0]: row for row in rows}.values())[:ROWS]

    def _job(self, job: Job) -> dict[str, Any]:
        return {
            "id": job.id,
            "created": job.created,
            "status": job.status,
            "operation": job.request["operation"],
            "module": module_name(job.request["resource"][0]),
            "counts": job.outcome.get("counts", {}),
            "code": job.outcome.get("code", ""),
            "untried": job.outcome.get("untried", 0),
        }
