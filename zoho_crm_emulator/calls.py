"""A call of the API and its answer, as the endpoints see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

import msgspec
from starlette.responses import Response

from zoho_crm_emulator.emulator import Emulator
from zoho_crm_emulator.faults import ActiveFault
from zoho_crm_emulator.refusals import Refused, problem
from zoho_crm_emulator.schema import ModuleView
from zoho_crm_emulator.switches import Switches
from zoho_crm_emulator.versions import ApiVersion

JSON = "application/json;charset=UTF-8"
ENCODER = msgspec.json.Encoder(decimal_format="number")
DECODER = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(slots=True)
class Answer:
    """What goes back: a JSON value, bytes as they are, or nothing (204)."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    note: dict[str, Any] = field(default_factory=dict)  # for the request log

    def response(self) -> Response:
        """As a response of the web framework."""
        if self.body is None:
            return Response(status_code=self.status, headers={"Content-Type": JSON, **self.headers})
        if isinstance(self.body, bytes):
            return Response(self.body, self.status, self.headers)
        if isinstance(self.body, str):
            return Response(self.body, self.status, self.headers, media_type="text/html")
        return Response(ENCODER.encode(self.body), self.status, self.headers, media_type=JSON)


class Call:
    """One request, read to its end."""

    def __init__(
        self,
        emulator: Emulator,
        *,
        path: Mapping[str, str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
        faults: list[ActiveFault],
        switches: Switches,
        version: ApiVersion,
    ) -> None:
        self.emulator = emulator
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.faults = faults
        self.switches = switches
        self.version = version

    @cached_property
    def json(self) -> Any:
        """The body as JSON, whatever its Content-Type; numbers with a point stay decimals."""
        try:
            return DECODER.decode(self.body)
        except (msgspec.DecodeError, InvalidOperation):  # or a number whose exponent no decimal has
            raise Refused("INVALID_DATA", {"expected_data_type": "jsonobject"}, "body") from None

    @cached_property
    def form(self) -> dict[str, str]:
        """The body as a URL-encoded form, over the query."""
        from urllib.parse import parse_qsl  # noqa: PLC0415 - used by the token endpoint only

        return {**self.query, **dict(parse_qsl(self.body.decode("latin-1")))}

    @cached_property
    def view(self) -> ModuleView:
        """The module that the path names."""
        view = self.module_called(self.path["module"])
        if view is None:
            raise Refused("INVALID_MODULE", {"resource_path_index": 0})
        return view

    def module_called(self, name: str) -> ModuleView | None:
        """The module of that name, in any case of its letters where the version or the switch takes it so."""
        any_case = self.version.modules_in_any_case
        if any_case is None:
            any_case = self.switches.module_names == "any_case"
        return self.emulator.catalog.get(name, any_case=any_case)

    @property
    def module_name(self) -> str | None:
        """The module's name as the path has it, if it has one."""
        return self.path.get("module")

    @property
    def record_count(self) -> int:
        """How many records the body holds; 0 when it cannot be counted."""
        try:
            data = self.json.get("data") if isinstance(self.json, dict) else None
        except Refused:
            return 0
        return len(data) if isinstance(data, list) else 0


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of the API: who may call it, what it costs, and what does the work."""

    name: str
    handler: Callable[[Call], Answer]
    scopes: Callable[[Call], list[tuple[str, ...]]]  # of each tuple one scope is needed
    cost: Callable[[Call], int] = lambda _call: 1
    credit_kind: str = "metadata"
    heavy: Callable[[Call], bool] = lambda _call: False
    threaded: bool = False  # writes, or reads much: off the event loop


def refusal_answer(refusal: Refused, switches: Switches) -> Answer:
    """A request-level error, flat or inside `data`."""
    return error_answer(refusal.as_problem(), refusal.status, switches)


def error_answer(body: dict[str, Any], status: int, switches: Switches) -> Answer:
    """An error object as an answer."""
    note = {"code": body["code"]}
    if switches.request_errors == "in_data" and status < 500 and status != 401:  # noqa: PLR2004 - HTTP
        return Answer({"data": [body]}, status, note=note)
    return Answer(body, status, note=note)


def too_many_requests(switches: Switches) -> Answer:
    """The 429 of either limit; Zoho's answer does not say which."""
    headers = {} if switches.retry_after is None else {"Retry-After": str(switches.retry_after)}
    note = {"code": "TOO_MANY_REQUESTS"}
    body = problem("TOO_MANY_REQUESTS")
    if switches.too_many_requests_body == "empty":
        return Answer(b"", 429, headers, note)
    if switches.too_many_requests_body == "in_data":
        return Answer({"data": [body]}, 429, headers, note)
    return Answer(body, 429, headers, note)
