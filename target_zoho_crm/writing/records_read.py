"""The CRM's records read back by their ids, with the fields that a comparison asks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from sync_databases.chunks import chunks_of
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.costs import CALL_RECORDS, READ_FIELDS
from target_zoho_crm.api.errors import AnswerError


class RecordsRead:
    """Reads records of one module."""

    def __init__(self, client: ZohoClient, module: str) -> None:
        self._client = client
        self._module = quote(module, safe="")

    def by_id(self, ids: Collection[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The records that are there, by id. Costs 1 credit for each 100 ids, and again for each 50 fields.

        A field that is hidden from the token's user is absent from its record.

        Raises:
            ZohoError: the CRM could not be asked.
        """
        return self._found(ids, fields)[0]

    def by_id_at(self, ids: Collection[str], fields: Sequence[str]) -> tuple[dict[str, dict[str, Any]], datetime]:
        """The same, and Zoho's time when the first of them was read.

        Raises:
            AnswerError: an answer does not tell the time.
            ZohoError: as above.
        """
        found, dates = self._found(ids, fields)
        try:
            times = [parsedate_to_datetime(date) for date in dates]
        except ValueError as error:
            raise AnswerError(OwnCode.BAD_ANSWER, f"GET {self._module}: the header Date is no time.") from error
        return found, min(times)

    def _found(self, ids: Collection[str], fields: Sequence[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
        found: dict[str, dict[str, Any]] = {}
        dates: list[str] = []
        for some in chunks_of(list(ids), CALL_RECORDS):
            for names in chunks_of(list(fields), READ_FIELDS):
                answer = self._client.get(self._module, {"ids": ",".join(some), "fields": ",".join(names)})
                dates.append(answer.headers.get("Date", ""))
                for record in self._records_in(answer.body):
                    found.setdefault(str(record.get("id")), {}).update(record)
        return found, dates

    def _records_in(self, body: Any) -> list[dict[str, Any]]:
        if body is None:
            return []
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, list) or not all(isinstance(each, dict) and each.get("id") for each in data):
            raise AnswerError(OwnCode.BAD_ANSWER, f"GET {self._module}: no list of records in the answer.")
        return data
