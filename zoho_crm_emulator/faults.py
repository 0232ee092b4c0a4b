"""Faults on demand: what goes wrong, for which endpoint, how often, and how often it did.

A fault of a request is taken when the request arrives; a fault of a job when the job is created or runs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, get_args

import msgspec

from zoho_crm_emulator.oauth import ACCESS_DENIED
from zoho_crm_emulator.refusals import problem

RequestKind = Literal[
    "answer", "answer_after", "lost_before", "lost_after", "cut", "delay", "hold_before", "hold_after", "switch"
]
JobKind = Literal["job_failed", "unprocessed", "record_error", "poison", "callback", "result_elsewhere", "never_ends"]
RecordKind = Literal["record_error", "poison"]
JOB_KINDS: frozenset[str] = frozenset(get_args(JobKind))

GATEWAY_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr></body></html>"
LINK_GONE = {"x-error": "Link not valid", "info": "Bad Request", "x-info": "Link not valid", "http_status": "400"}

# Whole answers to send by name in place of spelling out status and body.
CANNED: dict[str, tuple[int, Any]] = {
    "too_many_requests": (429, problem("TOO_MANY_REQUESTS")),
    "internal_error": (500, problem("INTERNAL_ERROR")),
    "bad_gateway": (502, GATEWAY_PAGE.format("502 Bad Gateway")),
    "unavailable": (503, GATEWAY_PAGE.format("503 Service Temporarily Unavailable")),
    "gateway_timeout": (504, GATEWAY_PAGE.format("504 Gateway Time-out")),
    "invalid_token": (401, problem("INVALID_TOKEN")),
    "authentication_failure": (401, problem("AUTHENTICATION_FAILURE")),
    "scope_mismatch": (401, problem("OAUTH_SCOPE_MISMATCH")),
    "storage_full": (400, problem("MAX_RECORDS_LIMIT_REACHED")),
    "license_limit": (400, problem("LICENSE_LIMIT_EXCEEDED")),
    "feature_not_supported": (403, problem("FEATURE_NOT_SUPPORTED")),
    "no_permission": (403, problem("NO_PERMISSION")),
    "access_denied": (400, ACCESS_DENIED),
    "invalid_code": (200, {"error": "invalid_code"}),
    "link_gone": (400, LINK_GONE),
    "ok_but_error": (200, problem("INTERNAL_ERROR")),
    "not_json": (200, "OK"),
    "empty": (200, ""),
}


class RequestContents(Protocol):
    """What a request is about: `request_contents.py`."""

    @property
    def records(self) -> int:
        """How many records it writes or deletes."""

    def names(self, keys: frozenset[str]) -> bool:
        """Whether it is about a record of one of these folded keys."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault as asked for. `endpoint` is an endpoint's name, or `*`; faults of jobs leave it out."""

    kind: RequestKind | JobKind
    endpoint: str = "*"
    times: int | None = None  # how often it fires; None without end
    after: int = 0  # how many matching requests (or jobs, or records) pass first
    module: str | None = None  # only requests or jobs of this module
    over: int = 0  # only requests with more records than that
    # answer, answer_after
    canned: str | None = None
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = {}
    # delay
    seconds: float = 0
    # switch
    set: dict[str, Any] = {}
    # job_failed, record_error, poison (also `status` of the call's answer)
    code: str = "INVALID_DATA"
    field: str | None = None
    # record_error, poison; faults of requests: only those that are about a record of one of these keys
    keys: tuple[str, ...] = ()
    # unprocessed
    rows: int | None = None
    share: float | None = None
    # callback
    callback: Literal["early", "twice", "never"] = "never"


class ActiveFault:
    """A fault that is on, with its counters."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.id = number
        self.fault = fault
        self.seen = 0
        self.fired = 0
        self.held = 0
        self.keys = frozenset(key.strip().casefold() for key in fault.keys)
        self.released = asyncio.Event()

    @property
    def asks_contents(self) -> bool:
        """Whether it meets requests by what they hold."""
        return bool(self.keys) or self.fault.over > 0

    @property
    def spent(self) -> bool:
        """Whether it will not fire any more."""
        return self.fault.times is not None and self.fired >= self.fault.times

    def take(self) -> bool:
        """Count one matching event; True when the fault fires on it."""
        self.seen += 1
        if self.seen <= self.fault.after or self.spent:
            return False
        self.fired += 1
        return True

    def describe(self) -> dict[str, Any]:
        """For the admin API and the page."""
        plain = msgspec.to_builtins(self.fault)
        defaults = msgspec.to_builtins(Fault(kind=self.fault.kind))
        told = {name: value for name, value in plain.items() if value != defaults[name] or name == "kind"}
        return {
            "id": self.id,
            **told,
            "endpoint": self.fault.endpoint,
            "seen": self.seen,
            "fired": self.fired,
            "held": self.held,
            "spent": self.spent,
        }


class Faults:
    """All faults that are on. Taken from the event loop and from the job worker, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 1
        self.active: list[ActiveFault] = []

    def add(self, fault: Fault) -> ActiveFault:
        """Switch a fault on; raises ValueError for a canned answer nobody knows."""
        if fault.canned is not None and fault.canned not in CANNED:
            raise ValueError(f"no canned answer {fault.canned}; there are {', '.join(CANNED)}")
        if fault.kind in {"answer", "answer_after"} and fault.canned is None and fault.status is None:
            raise ValueError("an answer needs `canned`, or `status` with `body`")
        with self._lock:
            active = ActiveFault(self._next, fault)
            self._next += 1
            self.active = [*self.active, active]
        return active

    def get(self, number: int) -> ActiveFault | None:
        """The fault of that number."""
        return next((active for active in self.active if active.id == number), None)

    def remove(self, number: int) -> bool:
        """Switch one off and let go what it holds; False when there is none. Event loop only."""
        active = self.get(number)
        if active is None:
            return False
        with self._lock:
            self.active = [other for other in self.active if other is not active]
        active.released.set()
        return True

    def clear(self) -> None:
        """Switch all off and let go what they hold. Event loop only."""
        with self._lock:
            gone, self.active = self.active, []
        for active in gone:
            active.released.set()

    def take_for_request(self, endpoint: str, module: str | None) -> list[ActiveFault]:
        """The faults that fire on this request, whatever it holds."""
        return self._take(lambda each: _meets(each, endpoint, module) and not each.asks_contents)

    def take_by_contents(self, endpoint: str, module: str | None, contents: RequestContents) -> list[ActiveFault]:
        """The faults that fire on this request for what it holds."""
        return self._take(
            lambda each: (
                _meets(each, endpoint, module)
                and each.asks_contents
                and contents.records >= each.fault.over + (each.fault.over > 0)
                and (not each.keys or contents.names(each.keys))
            )
        )

    def take_for_job(self, kind: JobKind, module: str) -> ActiveFault | None:
        """The first fault of that kind that fires on this job."""
        fired = self._take(lambda each: each.fault.kind == kind and each.fault.module in {None, module}, first=True)
        return fired[0] if fired else None

    def record_faults(self, kind: RecordKind, module: str, endpoint: str) -> Sequence[ActiveFault]:
        """The faults that certain records of a module bring about; `take_record` counts each time."""
        return [
            active
            for active in self.active
            if active.fault.kind == kind
            and active.fault.module in {None, module}
            and active.fault.endpoint in {"*", endpoint}
            and not active.spent
        ]

    def take_record(self, active: ActiveFault) -> bool:
        """Count one record that a fault names, or one call or job with such; True when the fault fires on it."""
        with self._lock:
            return active.take()

    def _take(self, matches: Callable[[ActiveFault], bool], *, first: bool = False) -> list[ActiveFault]:
        fired: list[ActiveFault] = []
        with self._lock:
            for active in self.active:
                if matches(active) and active.take():
                    fired.append(active)
                    if first:
                        break
        return fired


def _meets(active: ActiveFault, endpoint: str, module: str | None) -> bool:
    fault = active.fault
    return fault.kind not in JOB_KINDS and fault.endpoint in {"*", endpoint} and fault.module in {None, module}
