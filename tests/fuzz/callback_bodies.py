"""Bodies and paths of callbacks, against the receiver itself and a ledger of its own."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections import deque
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from fuzz.choices import Choices, awkward_json

from orders_sync.callback_receiver.callback import BODY_BYTES_MOST, IDS_MOST, ids_in, receiver
from sync_ledger.job_journal import JournalledJob, Manifest, journal_intent, journal_step
from sync_ledger.ledger import Ledger
from sync_ledger.tables import JobStep

PATH = "/hook/a-secret-that-nobody-guesses"
JOBS = {"open": "554000000012345678", "other": "554000000099999999", "over": "554000000077777777"}
NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - the ledger's moments are naive UTC


def run_one(data: bytes) -> None:
    choices = Choices(data)
    path = PATH if not choices.one_in(6) else choices.pick((PATH[:-1], PATH + "/", "/hook//x", "/" + choices.text(6)))
    method = choices.pick(("POST", "POST", "POST", "POST", "POST", "GET", "PUT"))
    body = choices.rest() if choices.one_in(6) else awkward_json(choices, _body(choices))
    if choices.one_in(20):
        body *= min(choices.number(2000), 1 + 4 * BODY_BYTES_MOST // max(1, len(body)))
    size = 1 + choices.number(5000)
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    ids = ids_in(body)
    assert len(ids) == len(set(ids)) <= IDS_MOST
    assert set(ids) <= set(re.findall("[0-9]{6,64}", body.decode("latin-1")))
    ledger = _ledger()
    status = _loop().run_until_complete(_post(method, path, chunks))
    noted = _noted_and_forgotten(ledger)
    if path != PATH:
        assert status in {404, 405}
        assert noted == set()
    elif method != "POST":
        assert (status, noted) == (405, set())
    elif len(body) > BODY_BYTES_MOST:
        assert (status, noted) == (413, set())
    else:
        named = {name for name in ("open", "other") if JOBS[name] in ids}
        assert (status, noted) == (204, named or {"open", "other"})


def _body(choices: Choices) -> Any:
    job = choices.pick((*JOBS.values(), "554000000012345678' OR '1'='1", "1" * 200, choices.text(9)))
    body = {"job_id": job, "state": "COMPLETED", "result": {"download_url": "https://evil.example/x"}}
    if choices.one_in(3):
        body[choices.text(4)] = choices.json()
    return body


async def _post(method: str, path: str, chunks: list[bytes]) -> int:
    waiting = deque({"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks)
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    answers: list[Any] = []

    async def receive() -> Any:
        return waiting.popleft()

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8700),
    }  # fmt: skip
    await _receiver()(scope, receive, send)
    status: int = answers[0]["status"]
    return status


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _receiver() -> Any:
    return receiver(_ledger(), PATH)


@cache
def _ledger() -> Ledger:
    folder = tempfile.mkdtemp(prefix=f"fuzz-{os.getpid()}-")
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.sqlite")
    ledger.ensure_tables()
    job = ledger.tables.job
    with ledger.begin() as connection:
        for name, zoho_id in JOBS.items():
            journalled = JournalledJob(
                name, "orders", "run", "Orders", JobStep.INTENT, Manifest.of({"A": "1"}), credits=0
            )
            journal_intent(connection, job, journalled, NOON)
            journal_step(connection, job, name, JobStep.CREATED, NOON, zoho_job_id=zoho_id)
        journal_step(connection, job, "over", JobStep.APPLIED, NOON)
    return ledger


def _noted_and_forgotten(ledger: Ledger) -> set[str]:
    job = ledger.tables.job
    with ledger.begin() as connection:
        noted = set(connection.execute(sa.select(job.c.job_id).where(job.c.called_back_at.is_not(None))).scalars())
        if noted:
            connection.execute(sa.update(job).values(called_back_at=None))
    return noted
