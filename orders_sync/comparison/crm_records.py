"""The CRM's records as an audit reads them: all of a module by the cheaper way, or those of some keys."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from orders_sync.comparison.written_orders import MODIFIED_BY, MODIFIED_TIME, WrittenOrders
from sync_databases.chunks import chunks_of
from sync_ledger.retry_schedules import READ_JOB_POLLS
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.coql_rows import all_rows
from target_zoho_crm.api.costs import (
    QUERY_ROWS,
    QUERY_VALUES,
    READ_FIELDS,
    READ_JOB_CREDITS,
    READ_JOB_ROWS,
    query_credits,
)
from target_zoho_crm.api.errors import AnswerError, ConfigurationError, TransientError
from target_zoho_crm.api.job_answers import ReadJobAnswer
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.compare.cells import held_value
from target_zoho_crm.mapping.references import quoted
from target_zoho_crm.writing.job_polling import Pauses
from target_zoho_crm.writing.records_read import RecordsRead

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


def look_credits(keys: int, fields: int) -> int:
    """What looking so many orders up by key costs."""
    return -(-keys // QUERY_VALUES) * max(1, -(-fields // QUERY_FIELDS))


class CrmRecords:
    """Reads the records of one module. All methods raise `ZohoError` where the CRM cannot be asked."""

    def __init__(self, client: ZohoClient, written: WrittenOrders, folder: Path) -> None:
        """Files of jobs lie in `folder` for as long as they are read."""
        self._client = client
        self._module = written.own.module
        self.key_field = written.mapping.key_field.api_name
        self.names: Sequence[str] = written.names
        mapped = (each.field for each in written.mapping.written)
        self._fields = {each.api_name: each for each in (written.mapping.key_field, *mapped)}
        self._folder = folder
        self._by_id = RecordsRead(client, self._module)
        self._pauses = Pauses(READ_JOB_POLLS)
        self._us: str | None = None

    def count(self, since: datetime | None = None) -> int | None:
        """How many records there are, or were changed since then (UTC), as of some minutes ago. Costs 1 credit.

        None where the token may not count, or Zoho gives no number.
        """
        criteria = None if since is None else f"({MODIFIED_TIME}:greater_equal:{_zoho_time(since)})"
        try:
            return self._client.count(self._module, criteria)
        except ConfigurationError:  # counting asks for scopes that nothing else of ours needs
            return None

    def all(self, price: ReadingPrice) -> Iterator[Sequence[Record]]:
        """All records, each with its `id`, by the way that the price is for."""
        if price.by_jobs:
            yield from self._by_jobs()
        else:
            rows = all_rows(self._client, self.names, self._module, "id is not null")
            yield from chunks_of(rows, ROWS_AT_A_TIME)

    def keys_since(self, since: datetime) -> Iterator[str]:
        """The keys of records that were changed since then: UTC. Costs 3 credits for 2,000 of them."""
        condition = f"{MODIFIED_TIME} >= '{_zoho_time(since)}'"
        for row in all_rows(self._client, [self.key_field], self._module, condition):
            if row.get(self.key_field):
                yield str(row[self.key_field])

    def of_keys(self, keys: Collection[str]) -> list[Record]:
        """The records that hold these keys, or what Zoho takes for them. Costs 1 credit for 50 keys."""
        found: dict[str, dict[str, Any]] = {}
        for some in chunks_of(keys, QUERY_VALUES):
            values = ",".join(quoted(key) for key in some)
            for names in chunks_of(self.names, QUERY_FIELDS):
                columns = ",".join(["id", *names])
                rows, _ = self._client.query(
                    f"select {columns} from {self._module} where {self.key_field} in ({values}) limit 200"  # noqa: S608 - COQL
                )
                for row in rows:
                    found.setdefault(str(row["id"]), {}).update(row)
        return list(found.values())

    def of_ids(self, ids: Collection[str]) -> dict[str, Record]:
        """The records of these ids that are there. Costs 1 credit for 100."""
        return dict(self._by_id.by_id(ids, self.names))

    def person(self, record: Record) -> str | None:
        """Who changed a record last, if it was not this token's user, whom the first call asks for: 1 credit."""
        last = record.get(MODIFIED_BY)
        name = last.get("name") if isinstance(last, dict) else None
        identity = str((last.get("id") if isinstance(last, dict) else last) or "")
        if not identity:
            return None
        if self._us is None:
            self._us = str(self._client.current_user().get("id"))
        return None if identity == self._us else f"{name} ({identity})" if name else f"user {identity}"

    def _by_jobs(self) -> Iterator[Sequence[Record]]:
        query: dict[str, Any] | None = {"module": {"api_name": self._module}, "fields": list(self.names)}
        while query is not None:
            ended = self._ended(self._client.create_read_job(msgspec.json.encode({"query": query})))
            if ended.download_url is None:
                raise AnswerError(OwnCode.BAD_ANSWER, "A bulk read job has completed, and gives no file.")
            path = self._folder / "read.zip"
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


def _zoho_time(time_utc: datetime) -> str:
    return f"{time_utc:%Y-%m-%dT%H:%M:%S}+00:00"


def _held(field: Field | None, cell: str) -> Any:
    return (cell or None) if field is None else held_value(field, cell)
