"""All records of one module as an audit reads them, by bulk read or by queries, as costs less."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sync_databases.chunks import chunks_of
from sync_ledger.retry_schedules import READ_JOB_POLLS
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.coql_rows import all_rows
from target_zoho_crm.api.costs import QUERY_ROWS, READ_FIELDS, READ_JOB_CREDITS, READ_JOB_ROWS, query_credits
from target_zoho_crm.api.errors import AnswerError, ConfigurationError, TransientError
from target_zoho_crm.api.job_answers import ReadJobAnswer
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.compare.cells import held_value
from target_zoho_crm.writing.job_polling import Pauses

QUERY_FIELDS = READ_FIELDS - 1
"""Fields of one query beside the id; the older pages of Zoho's say 50 in all."""
ROWS_AT_A_TIME = 2_000

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadingPrice:
    """What reading all of about so many `records` costs, by bulk read or by queries, in `calls` or jobs."""

    records: int
    by_jobs: bool
    calls: int
    credits: int

    @classmethod
    def of(cls, records: int, fields: int) -> ReadingPrice:
        """The cheaper way; where both cost the same, queries: a job takes minutes at Zoho."""
        by_queries = cls.of_queries(records)
        jobs = max(1, -(-records // READ_JOB_ROWS))
        by_jobs = jobs * READ_JOB_CREDITS
        if fields <= QUERY_FIELDS and by_queries.credits <= by_jobs:
            return by_queries
        return cls(records, by_jobs=True, calls=jobs, credits=by_jobs)

    @classmethod
    def of_queries(cls, records: int) -> ReadingPrice:
        """By queries, whatever they cost."""
        queries = max(1, -(-records // QUERY_ROWS))
        return cls(records, by_jobs=False, calls=queries, credits=queries * query_credits(QUERY_ROWS))


class ModuleReading:
    """Reads one module. All methods raise `ZohoError` where the CRM cannot be asked."""

    def __init__(self, client: ZohoClient, module: str, names: Sequence[str], fields: Mapping[str, Field]) -> None:
        """`names` are asked for; `fields` says what those are whose cells need more than their text."""
        self.module = module
        self.names = names
        self._client = client
        self._fields = fields
        self._pauses = Pauses(READ_JOB_POLLS)

    def count(self, criteria: str | None = None) -> int | None:
        """How many records there are, or meet criteria, as of some minutes ago. Costs 1 credit.

        None where the token may not count, or Zoho gives no number.
        """
        try:
            return self._client.count(self.module, criteria)
        except ConfigurationError:  # counting asks for scopes that nothing else of ours needs
            return None

    def all(self, price: ReadingPrice, folder: Path) -> Iterator[Sequence[Record]]:
        """All records, each with its `id`, by the way that the price is for; a job's file lies in `folder`."""
        if price.by_jobs:
            yield from self._by_jobs(folder)
        else:
            rows = all_rows(self._client, self.names, self.module, "id is not null")
            yield from chunks_of(rows, ROWS_AT_A_TIME)

    def _by_jobs(self, folder: Path) -> Iterator[Sequence[Record]]:
        query: dict[str, Any] | None = {"module": {"api_name": self.module}, "fields": list(self.names)}
        while query is not None:
            ended = self._ended(self._client.create_read_job(msgspec.json.encode({"query": query})))
            if ended.download_url is None:
                raise AnswerError(OwnCode.BAD_ANSWER, "A bulk read job has completed, and gives no file.")
            path = folder / "read.zip"
            try:
                self._client.download(ended.download_url, path)
                yield from self._rows_of(path)
            finally:
                path.unlink(missing_ok=True)
            query = None if ended.next_page is None else {"page_token": ended.next_page}

    def _ended(self, job: str) -> ReadJobAnswer:
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            answer = self._client.read_job(job)
            elapsed = time.monotonic() - began
            if answer.ended:
                self._pauses.took(elapsed)
                break
            wait_or_stop(self._client.stop, self._pauses.after(elapsed, time.monotonic() - asked))
        if answer.code is not None:
            raise TransientError(answer.code, f"Bulk read job {job} failed.")
        return answer

    def _rows_of(self, path: Path) -> Iterator[Sequence[Record]]:
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
            rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
            header = ["id" if name.lower() == "id" else name for name in next(rows, [])]
            fields = [self._fields.get(name) for name in header]
            for some in chunks_of(rows, ROWS_AT_A_TIME):
                yield [dict(zip(header, map(_held, fields, row), strict=True)) for row in some]


def _held(field: Field | None, cell: str) -> Any:
    return (cell or None) if field is None else held_value(field, cell)
