"""The CRM's records found by the orders' keys: for updates, and to tell whether an insert had its effect."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.costs import QUERY_VALUES
from target_zoho_crm.api.errors import AnswerError
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.mapping.references import quoted

CLOCK_TICK = timedelta(seconds=1)
"""Created_Time and the header Date tick in seconds."""


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record as far as it matters here: its id, and who made it when (UTC)."""

    zoho_id: str
    created_by: str | None
    created_at: datetime | None


class RecordsByKey:
    """Looks records of one module up by its key field."""

    def __init__(self, client: ZohoClient, module: str, key_field: str, folding: KeyFolding) -> None:
        self._client = client
        self._module = module
        self._key_field = key_field
        self._folding = folding

    def find(self, keys: Collection[str]) -> dict[str, FoundRecord]:
        """The records that hold these keys, by key. Costs 1 credit for each 50 keys.

        Raises:
            ZohoError: the CRM could not be asked.
        """
        by_fold = {self._folding.fold(key): key for key in keys}
        found: dict[str, FoundRecord] = {}
        alike: dict[str, FoundRecord] = {}
        remaining = iter(keys)
        while some := list(islice(remaining, QUERY_VALUES)):
            asked = set(some)
            rows, _ = self._client.query(self._select(some))
            for row in rows:
                value = row.get(self._key_field)
                if value in asked:
                    found[value] = _record(row)
                elif isinstance(value, str) and (key := by_fold.get(self._folding.fold(value))) is not None:
                    alike[key] = _record(row)
        return {**alike, **found}  # a key that is there as it is written means that record

    def made_by_us_since(self, records: Iterable[FoundRecord], began: float) -> set[str]:
        """The ids of those records that this token's user has made since, by Zoho's own clock.

        `began` is a moment of `time.monotonic`, or before that clock's start. What has passed since is measured after
        Zoho gave its time, so that an error can only make the span longer.

        Raises:
            AnswerError: Zoho's answer does not tell the time, so nothing can be said.
            ZohoError: the CRM could not be asked.
        """
        answer = self._client.get("users", {"type": "CurrentUser"})
        users = answer.body.get("users") if isinstance(answer.body, dict) else None
        date = answer.headers.get("Date")
        if not users or not date:
            raise AnswerError(OwnCode.BAD_ANSWER, "GET users: the answer names no user, or its header no date.")
        elapsed = timedelta(seconds=time.monotonic() - began)
        since = parsedate_to_datetime(date).astimezone(timezone.utc) - elapsed - CLOCK_TICK
        us = str(users[0].get("id"))
        return {
            record.zoho_id
            for record in records
            if record.created_by == us and record.created_at is not None and record.created_at >= since
        }

    def _select(self, keys: Iterable[str]) -> str:
        values = ",".join(quoted(key) for key in keys)
        columns = f"id,{self._key_field},Created_Time,Created_By"
        return f"select {columns} from {self._module} where {self._key_field} in ({values})"  # noqa: S608 - COQL


def _record(row: dict[str, Any]) -> FoundRecord:
    person, moment = row.get("Created_By"), row.get("Created_Time")
    created_by = str(person["id"]) if isinstance(person, dict) and person.get("id") else None
    try:
        created_at = datetime.fromisoformat(moment).astimezone(timezone.utc) if isinstance(moment, str) else None
    except ValueError:
        created_at = None
    return FoundRecord(str(row["id"]), created_by, created_at)
