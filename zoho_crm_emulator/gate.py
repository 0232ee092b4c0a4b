"""The gate that every API request passes: faults, token, scopes, calls at once, credits, latency, then the work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import timezone
from email.utils import formatdate
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from zoho_crm_emulator.calls import Answer, Call, Endpoint, error_answer, refusal_answer, too_many_requests
from zoho_crm_emulator.clock import SECOND
from zoho_crm_emulator.dates import iso
from zoho_crm_emulator.emulator import Emulator
from zoho_crm_emulator.faults import CANNED, ActiveFault
from zoho_crm_emulator.oauth import allows
from zoho_crm_emulator.refusals import Refused, problem
from zoho_crm_emulator.request_contents import RequestContents
from zoho_crm_emulator.server import drop_connection
from zoho_crm_emulator.switches import Switches, changed
from zoho_crm_emulator.versions import ASKED_PATH, as_told, asked_version

SCHEME = "Zoho-oauthtoken "


class _LostError(Exception):
    """The connection is to be closed without an answer."""


class Gate:
    """One endpoint as an ASGI application; counters and limits are touched on the event loop only."""

    def __init__(self, emulator: Emulator, endpoint: Endpoint) -> None:
        self._emulator = emulator
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        emulator, name = self._emulator, self._endpoint.name
        request = Request(scope, receive)
        started = time.perf_counter()
        path = dict(request.path_params)
        faults = emulator.faults.take_for_request(name, path.get("module"))
        switches = self._switched(faults)
        entry: dict[str, Any] = {"at": emulator.clock.now(), "method": request.method, "path": scope[ASKED_PATH]}
        if faults:
            entry["faults"] = [f"{active.id} {active.fault.kind}" for active in faults]
        try:
            answer = await self._answer(request, path, faults, switches, entry)
            await self._after(faults)
        except _LostError:
            entry["status"] = "lost"
            self._note(entry, started)
            await drop_connection(scope, receive)
            return
        except ClientDisconnect:
            entry["status"] = "gone"
            self._note(entry, started)
            return
        for active in faults:
            if active.fault.kind == "answer_after":
                answer = _fault_answer(active)
        entry |= {"status": answer.status, **answer.note}
        self._note(entry, started)
        answer.headers.setdefault("Date", formatdate(self._emulator.clock.now() / SECOND, usegmt=True))
        response = answer.response()
        if any(active.fault.kind == "cut" for active in faults):
            await self._send_half(response, scope, receive, send)
        else:
            await response(scope, receive, send)

    def _note(self, entry: dict[str, Any], started: float) -> None:
        seconds = time.perf_counter() - started
        entry["ms"] = round(seconds * 1000, 2)
        self._emulator.journal.request(self._endpoint.name, entry, seconds)

    def _switched(self, faults: list[ActiveFault]) -> Switches:
        switches = self._emulator.switches
        for active in faults:
            if active.fault.kind == "switch":
                switches = changed(switches, active.fault.set)
        return switches

    async def _answer(
        self,
        request: Request,
        path: dict[str, str],
        faults: list[ActiveFault],
        switches: Switches,
        entry: dict[str, Any],
    ) -> Answer:
        body = await self._read(request, path)
        name, emulator = self._endpoint.name, self._emulator
        if any(active.asks_contents for active in emulator.faults.active):
            contents = RequestContents(emulator, name, dict(request.query_params), body)
            faults += emulator.faults.take_by_contents(name, path.get("module"), contents)
            if faults:
                entry["faults"] = [f"{active.id} {active.fault.kind}" for active in faults]
        for active in faults:
            await self._before(active)
        for active in faults:
            if active.fault.kind == "answer":
                return _fault_answer(active)
        call = Call(
            self._emulator,
            path=path,
            query=dict(request.query_params),
            headers=request.headers,
            body=body,
            faults=faults,
            switches=switches,
            version=asked_version(request.scope),
        )
        try:
            self._check_token(call)
        except Refused as refusal:
            return error_answer(
                refusal.as_problem(), refusal.status, msgspec.structs.replace(switches, request_errors="flat")
            )
        return await self._limited(call, entry)

    async def _read(self, request: Request, path: dict[str, str]) -> bytes:
        """The body; for an upload the file part, whose name joins the path's parts; of a token request a plain form."""
        if self._endpoint.name == "token" and request.headers.get("content-type", "").startswith("multipart/"):
            return await _plain_form(request)
        if self._endpoint.name != "upload":
            return await request.body()
        try:
            async with request.form(max_files=2, max_fields=10) as form:
                part = form.get("file")
                if not isinstance(part, UploadFile):
                    return b""
                path["file_name"] = part.filename or "file.zip"
                return await part.read()
        except HTTPException:
            return b""

    async def _before(self, active: ActiveFault) -> None:
        kind = active.fault.kind
        if kind == "delay":
            await asyncio.sleep(active.fault.seconds)
        elif kind == "hold_before":
            await _hold(active)
        elif kind == "lost_before":
            raise _LostError

    async def _after(self, faults: list[ActiveFault]) -> None:
        for active in faults:
            if active.fault.kind == "hold_after":
                await _hold(active)
        if any(active.fault.kind == "lost_after" for active in faults):
            raise _LostError

    def _check_token(self, call: Call) -> None:
        if self._endpoint.name == "token":
            return
        header = call.headers.get("authorization", "")
        if not header.startswith(SCHEME):
            raise Refused("AUTHENTICATION_FAILURE", status=401)
        access = self._emulator.oauth.access(header.removeprefix(SCHEME).strip())
        if access is None:
            raise Refused(call.switches.unauthorized_code, status=401)
        for needed in self._endpoint.scopes(call):
            if not allows(access.scopes, needed):
                raise Refused("OAUTH_SCOPE_MISMATCH", status=401)

    async def _limited(self, call: Call, entry: dict[str, Any]) -> Answer:
        endpoint, emulator = self._endpoint, self._emulator
        if endpoint.name == "token":
            return await self._work(call)
        heavy = endpoint.heavy(call)
        if not emulator.calls.enter(heavy=heavy):
            return too_many_requests(call.switches)
        try:
            cost = endpoint.cost(call)
            if not emulator.credits.spend(endpoint.credit_kind, cost):
                return too_many_requests(call.switches)
            entry["credits"] = cost
            answer = await self._work(call)
        finally:
            emulator.calls.leave(heavy=heavy)
        answer.headers |= self._credit_header(call.switches)
        if isinstance(answer.body, dict):
            forms, limits_as = call.version.json_paths, call.switches.limits_as
            answer.body = as_told(answer.body, json_paths=forms, limits_as=limits_as)
            answer.headers |= self._always(call)
        return answer

    def _always(self, call: Call) -> Mapping[str, str]:
        """Headers that every answer with a JSON body of a call of the API has."""
        now = self._emulator.clock.now()
        ends = self._emulator.oauth.ends(call.headers.get("authorization", "").removeprefix(SCHEME).strip()) or now
        return {
            "X-ACCESSTOKEN-RESET": iso(ends, timezone.utc),
            "Content-Disposition": "attachment; filename=response.json",
            "Cache-Control": "no-store, no-cache, must-revalidate, private",
        }

    def _credit_header(self, switches: Switches) -> Mapping[str, str]:
        limit, left = self._emulator.credits.limit, self._emulator.credits.remaining()
        if limit is None or left is None or switches.credits_header == "never":
            return {}
        if switches.credits_header == "past_half" and left * 2 > limit:
            return {}
        return {"X-API-CREDITS-REMAINING": str(left)}

    async def _work(self, call: Call) -> Answer:
        emulator, endpoint = self._emulator, self._endpoint
        pause = emulator.call_seconds.get(endpoint.name, emulator.call_seconds["*"])
        if endpoint.name == "upload" and endpoint.name not in emulator.call_seconds:
            pause = emulator.upload_seconds
        if pause[1] > 0:
            await asyncio.sleep(emulator.draw(endpoint.name, pause))
        try:
            if endpoint.threaded:
                return await run_in_threadpool(endpoint.handler, call)
            return endpoint.handler(call)
        except Refused as refusal:
            return refusal_answer(refusal, call.switches)

    async def _send_half(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and half of the body, then close the connection."""
        body = bytes(response.body)
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(0.05)  # let the half leave before the connection goes
        await drop_connection(scope, receive)


def _fault_answer(active: ActiveFault) -> Answer:
    fault = active.fault
    if fault.canned is not None:
        status, body = CANNED[fault.canned]
    else:
        status, body = fault.status or 500, fault.body
    if fault.status is not None:
        status = fault.status
    return Answer(body, status, dict(fault.headers), {"fault": active.id})


async def _plain_form(request: Request) -> bytes:
    """A form in parts as the same form on one line; nothing where it cannot be read."""
    try:
        async with request.form(max_files=0, max_fields=10) as form:
            return urlencode([(name, value) for name, value in form.items() if isinstance(value, str)]).encode()
    except HTTPException:
        return b""


async def _hold(active: ActiveFault) -> None:
    active.held += 1
    try:
        await active.released.wait()
    finally:
        active.held -= 1


class NotThere:
    """The answer to any other address or method under /crm."""

    def __init__(self, emulator: Emulator, code: str) -> None:
        self._emulator = emulator
        self._code = code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        wrong_method = self._code == "INVALID_REQUEST_METHOD"
        status = self._emulator.switches.wrong_method_status if wrong_method else 404
        entry = {"at": self._emulator.clock.now(), "method": request.method, "path": scope[ASKED_PATH]}
        entry |= {"status": status, "code": self._code}
        self._emulator.journal.request("unknown", entry, 0.0)
        await Answer(problem(self._code), status).response()(scope, receive, send)
