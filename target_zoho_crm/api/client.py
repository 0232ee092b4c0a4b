"""Zoho CRM's write APIs as methods: what is asked, and what comes back as values. How it travels: `transport.py`."""

from __future__ import annotations

import logging
import re
import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from target_zoho_crm.api.calls import API_VERSION, Answer, Call, ConnectionSettings, Fence, Repeat
from target_zoho_crm.api.codes import JOB_GONE, OwnCode, ZohoCode, http_code
from target_zoho_crm.api.costs import JOB_CREDITS, PAGE_ROWS, READ_JOB_CREDITS, query_credits, upsert_credits
from target_zoho_crm.api.data_centers import is_plain_url
from target_zoho_crm.api.errors import (
    AnswerError,
    Gone,
    LostAnswer,
    TransientError,
    ZohoError,
    configuration_error,
)
from target_zoho_crm.api.job_answers import JobAnswer, JobStatus, ReadJobAnswer, job_answer, read_job_answer
from target_zoho_crm.api.limits import CreditKind, CreditMeter
from target_zoho_crm.api.multipart import multipart
from target_zoho_crm.api.places import Places
from target_zoho_crm.api.plain_text import digits_of
from target_zoho_crm.api.transport import Transport

__all__ = ["Answer", "ConnectionSettings", "JobAnswer", "JobStatus", "ZohoClient"]

logger = logging.getLogger("target-zoho-crm")

RESULT_BYTES_MOST = 256 * 1024 * 1024
ID_CHARACTERS = 64
"""Of a job's or file's id; the ledger holds so many."""

_ID = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_REDIRECTS_MOST = 5
_NOT_FOUND = frozenset({http_code(HTTPStatus.NOT_FOUND), http_code(HTTPStatus.GONE)})
"""A gateway's word, or Zoho's."""


class ZohoClient:
    """Zoho CRM over HTTP, for any number of threads.

    Every method raises the `ZohoError` of the right family: ConfigurationError, QuotaError, TransientError (after all
    attempts) and its kinds LostAnswer, AnswerError, Gone; or Stopped.

    Args:
        settings: where and how.
        credits: the run's meter; asked before each call that costs something.
        stop: when set, every wait ends with `Stopped`.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        credits: CreditMeter,  # noqa: A002 - the field's word
        stop: threading.Event | None = None,
    ) -> None:
        self._endpoints = settings.endpoints
        self.stop = stop or threading.Event()
        self._transport = Transport(settings, credits, self.stop)
        self._org: dict[str, Any] | None = None
        self._org_lock = threading.Lock()

    @property
    def upserts(self) -> Places:
        """The places of calls of which Zoho takes ten at once."""
        return self._transport.upserts

    def gets_through(self, since: float) -> bool:
        """Whether calls get through: any has since that moment of `time.monotonic`, or a read of 1 credit does now."""
        return self._transport.gets_through(since)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """Read `path` below the API version, such as "settings/modules". 204 has body None. Costs 1 credit."""
        return self._transport.json(Call("GET", self._api(path), params=params, credits=1))

    def upsert(
        self,
        module: str,
        body: bytes,
        *,
        records: int,
        fence: Fence | None = None,
        repeat: Repeat = Repeat.SAFE,
        splits: bool = False,
    ) -> Answer:
        """Upsert up to 100 records; `body` is JSON that names the key in `duplicate_check_fields`.

        Repeated after a lost answer, which the key makes safe; `repeat` says where it is not: rows of a subform are
        added each time. Answers with a `data` list are returned whatever their status (200, 202, 207, 400): read them
        with `upsert_outcomes`. So with `update` and `delete`.

        Raises:
            UnattributedFailure: with `splits` only, and at once: the call failed, and a record in it may be why.
        """
        where = self._records(module, "/upsert")
        call = Call("POST", where, body=lambda: body, repeat=repeat, fence=fence, splits=splits)
        return self._write(call, records)

    def insert(
        self,
        module: str,
        body: bytes,
        *,
        records: int,
        fence: Fence | None = None,
        repeat: Repeat = Repeat.ONCE,
        splits: bool = False,
    ) -> Answer:
        """Insert up to 100 records; `repeat` SAFE where the caller can tell a record that the first attempt made.

        Raises:
            LostAnswer: nobody knows whether they were inserted: a repeat meets them.
            UnattributedFailure: the same, with `splits`.
        """
        call = Call("POST", self._records(module), body=lambda: body, repeat=repeat, fence=fence, splits=splits)
        return self._write(call, records)

    def update(
        self,
        module: str,
        body: bytes,
        *,
        records: int,
        fence: Fence | None = None,
        splits: bool = False,
        unmodified_since: str | None = None,
    ) -> Answer:
        """Update up to 100 records, each of which names its `id`. Repeated after a lost answer; `splits` as above.

        `unmodified_since`, a time as Zoho writes it: the only record is left alone if it was changed later.
        """
        headers = {} if unmodified_since is None else {"If-Unmodified-Since": unmodified_since}
        call = Call("PUT", self._records(module), headers=headers, body=lambda: body, fence=fence, splits=splits)
        try:
            return self._write(call, records)
        except ZohoError as error:
            if error.code != ZohoCode.ALREADY_MODIFIED:
                raise
            refusal = {"code": error.code, "status": "error", "details": {}, "message": error.happened}
            return Answer(HTTPStatus.PRECONDITION_FAILED, {"data": [refusal]}, {})

    def delete(
        self,
        module: str,
        ids: Sequence[str],
        *,
        workflows: bool = True,
        fence: Fence | None = None,
        splits: bool = False,
    ) -> Answer:
        """Delete up to 100 records. Repeated after a lost answer; those already deleted are then INVALID_DATA.

        `splits` as above.
        """
        params = {"ids": ",".join(ids)} | ({} if workflows else {"wf_trigger": "false"})
        return self._write(Call("DELETE", self._records(module), params=params, fence=fence, splits=splits), len(ids))

    def _write(self, call: Call, records: int) -> Answer:
        whole = replace(
            call,
            headers={**call.headers, "Content-Type": "application/json"} if call.body else {},
            upsert=True,
            results=True,
            credits=upsert_credits(records),
            kind=CreditKind.UPSERT,
        )
        return self._transport.json(whole)

    def _records(self, module: str, further: str = "") -> str:
        return self._api(f"{quote(module, safe='')}{further}")

    def upload(self, path: Path, fence: Fence | None = None) -> str:
        """Upload a zip for bulk write, read from the disk while it travels; gives its file_id."""
        boundary = secrets.token_hex(16)
        headers = {
            "feature": "bulk-write",
            "X-CRM-ORG": str(self.org().get("zgid", "")),
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }
        url = f"{self._endpoints.upload_url}/crm/{API_VERSION}/upload"
        call = Call("POST", url, headers=headers, body=lambda: multipart(path, boundary), fence=fence)
        return _id_in(self._transport.json(call), "file_id", call.where)

    def create_job(self, body: bytes, fence: Fence | None = None) -> str:
        """Create a bulk write job; gives its id. Costs 500 credits.

        Raises:
            LostAnswer: nobody knows whether the job exists. It is never repeated here, since Zoho has no list of
                jobs and a second one costs again.
        """
        call = Call(
            "POST",
            f"{self._bulk()}/write",
            headers={"Content-Type": "application/json"},
            body=lambda: body,
            repeat=Repeat.ONCE,
            credits=JOB_CREDITS,
            kind=CreditKind.BULK_WRITE,
            fence=fence,
        )
        try:
            return _id_in(self._transport.json(call), "id", call.where)
        except AnswerError as error:
            raise error.turned(LostAnswer, "The job may exist.") from error

    def job(self, job_id: str) -> JobAnswer:
        """Where a job stands.

        Raises:
            Gone: Zoho does not know the job (any more).
        """
        call = Call("GET", f"{self._bulk()}/write/{quote(job_id, safe='')}")
        try:
            body = self._transport.json(call).body
        except ZohoError as error:
            if error.code in _NOT_FOUND:  # a gateway's word: the job may well be running
                raise error.turned(TransientError) from error
            raise _gone(error, JOB_GONE) from error
        if not isinstance(body, dict) or not isinstance(body.get("status"), str):
            raise AnswerError(OwnCode.BAD_ANSWER, f"{call.where}: no job in the answer.")
        return job_answer(job_id, body)

    def create_read_job(self, body: bytes) -> str:
        """Create a bulk read job; gives its id. Costs 50 credits, and again where it is repeated."""
        headers, where = {"Content-Type": "application/json"}, f"{self._bulk()}/read"
        call = Call("POST", where, headers=headers, body=lambda: body, credits=READ_JOB_CREDITS)
        answer = self._transport.json(call)
        created = _list_in(answer, "data")
        return _id_in(Answer(answer.status, created[0] if created else None, answer.headers), "id", call.where)

    def read_job(self, job_id: str) -> ReadJobAnswer:
        """Where a bulk read job stands."""
        call = Call("GET", f"{self._bulk()}/read/{quote(job_id, safe='')}")
        found = read_job_answer(self._transport.json(call).body)
        if found is None:
            raise AnswerError(OwnCode.BAD_ANSWER, f"{call.where}: no job in the answer.")
        return found

    def count(self, module: str, criteria: str | None = None) -> int | None:
        """How many records a module has, as of some minutes ago; None where Zoho gives no number. Costs 1 credit."""
        params = None if criteria is None else {"criteria": criteria}
        body = self.get(f"{quote(module, safe='')}/actions/count", params).body
        number = body.get("count") if isinstance(body, dict) else None
        return int(str(number)) if str(number).isdecimal() else None

    def download(self, url: str, target: Path) -> None:
        """Fetch a job's result into `target`, whole or not at all; `url` as Zoho gave it.

        Raises:
            ConfigurationError: the link, or a redirect from it, leads to a host that may not see the token.
            Gone: the result is not kept any more.
        """
        partial = target.with_name(target.name + ".part")
        link = self.resolve(url)
        try:
            for _ in range(_REDIRECTS_MOST):
                call = Call("GET", link)
                answer = self._transport.stream(call, partial, RESULT_BYTES_MOST)
                if answer.status == HTTPStatus.OK:
                    partial.replace(target)
                    return
                link = _joined(link, answer.headers.get("Location", ""))
            raise AnswerError(OwnCode.BAD_ANSWER, "The result's link leads in circles.")
        except ZohoError as error:
            raise _gone(error, JOB_GONE | _NOT_FOUND) from error
        finally:
            partial.unlink(missing_ok=True)

    def resolve(self, url: str) -> str:
        """The full URL of a download link, which comes as absolute, as a path, and as a path with two slashes."""
        if not is_plain_url(url):
            raise configuration_error(OwnCode.HOST_NOT_ALLOWED, "The link to the job's result is no plain URL.")
        if urlsplit(url).scheme:
            return url
        base = self._transport.api_base()
        if url.startswith("//"):
            with_host = f"{urlsplit(base).scheme}:{url}"
            if self._endpoints.may_see_token(with_host):
                return with_host
        return f"{base}/{url.lstrip('/')}"

    def org(self) -> dict[str, Any]:
        """The org, read once; its `zgid` goes with uploads."""
        with self._org_lock:
            if self._org is None:
                self._org = self._only("org", "org")
            return self._org

    def current_user(self) -> dict[str, Any]:
        """The user whose token it is."""
        return self._only("users", "users", {"type": "CurrentUser"})

    def query(self, select: str, *, rows: int = PAGE_ROWS) -> tuple[list[dict[str, Any]], bool]:
        """Read records by COQL; also tells whether there are more. `rows` is the query's limit, which it costs by.

        Raises:
            AnswerError: the answer has no list of records, and does not say that there are none.
        """
        call = Call(
            "POST",
            self._api("coql"),
            headers={"Content-Type": "application/json"},
            body=lambda: msgspec.json.encode({"select_query": select}),
            upsert=True,  # queries share the limit of ten at once
            credits=query_credits(rows),
        )
        answer = self._transport.json(call)
        if answer.body is not None and not (
            isinstance(answer.body, dict) and isinstance(answer.body.get("data"), list)
        ):
            raise AnswerError(OwnCode.BAD_ANSWER, f"{call.where}: no list of records in the answer.")
        return _list_in(answer, "data"), _has_more(answer)

    def modules(self) -> list[dict[str, Any]]:
        """The org's modules as Zoho describes them."""
        return _list_in(self.get("settings/modules"), "modules")

    def create_field(self, module: str, field: Mapping[str, Any]) -> str:
        """Create one custom field, as `POST settings/fields` describes it; gives its id. Costs 1 credit.

        Raises:
            ConfigurationError: Zoho refuses it; the message has Zoho's reason.
            LostAnswer: nobody knows whether it exists.
        """
        body = msgspec.json.encode({"fields": [field]})
        call = Call(
            "POST",
            self._api("settings/fields"),
            params={"module": module},
            headers={"Content-Type": "application/json"},
            body=lambda: body,
            repeat=Repeat.ONCE,
            credits=1,
        )
        answer = self._transport.json(call)
        created = _list_in(answer, "fields")
        return _id_in(Answer(answer.status, created[0] if created else None, answer.headers), "id", call.where)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def _only(self, path: str, name: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        found = _list_in(self.get(path, params), name)
        if not found:
            raise configuration_error(OwnCode.ORG_NOT_FOUND, f"GET {path}: the answer is empty.")
        return found[0]

    def _api(self, path: str) -> str:
        return f"{self._transport.api_base()}/crm/{API_VERSION}/{path.lstrip('/')}"

    def _bulk(self) -> str:
        return f"{self._transport.api_base()}/crm/bulk/{API_VERSION}"


def _joined(link: str, location: str) -> str:
    """Where a redirect leads."""
    if not is_plain_url(location):
        raise configuration_error(OwnCode.HOST_NOT_ALLOWED, "A redirect leads to what is no plain URL.")
    return urljoin(link, location)


def _id_in(answer: Answer, name: str, where: str) -> str:
    """An id from `details` of a success; Zoho's own OpenAPI file gives it as a number, the service as text."""
    details = answer.body.get("details") if isinstance(answer.body, dict) else None
    value = details.get(name) if isinstance(details, dict) else None
    text = value if isinstance(value, str) and _ID.fullmatch(value) else digits_of(value, ID_CHARACTERS)
    if text is None:
        raise AnswerError(
            OwnCode.BAD_ANSWER, f"{where}: HTTP {answer.status} without {name}.", http_status=answer.status
        )
    return text


def _list_in(answer: Answer, name: str) -> list[dict[str, Any]]:
    found = answer.body.get(name) if isinstance(answer.body, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _has_more(answer: Answer) -> bool:
    info = answer.body.get("info") if isinstance(answer.body, dict) else None
    return isinstance(info, dict) and info.get("more_records") is True


def _gone(error: ZohoError, codes: Collection[str]) -> ZohoError:
    return error.turned(Gone) if error.code in codes else error
