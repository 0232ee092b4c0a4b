"""The admin API under `/_emulator`: everything a test needs to arrange and to see.

It asks for no token and costs no credits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from zoho_crm_emulator.alterations import Alteration
from zoho_crm_emulator.calls import Answer
from zoho_crm_emulator.child_batch import batch_for
from zoho_crm_emulator.criteria import condition_of
from zoho_crm_emulator.emulator import CURRENT_USER, Emulator
from zoho_crm_emulator.faults import Fault
from zoho_crm_emulator.jobs import Jobs
from zoho_crm_emulator.oauth import ALL_SCOPES
from zoho_crm_emulator.record_reading import dump
from zoho_crm_emulator.record_writing import Row, Rules
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import Dependency, Field, Layout, Module, ModuleView, SchemaError, Validation
from zoho_crm_emulator.standard import system_fields
from zoho_crm_emulator.switches import changed

Handler = Callable[[Request], Awaitable[Any]]


class AdminError(Exception):
    """A request of the admin API that cannot be met; the text says why."""


class Admin:
    """The admin endpoints of one emulator."""

    def __init__(self, emulator: Emulator, jobs: Jobs) -> None:
        self._emulator = emulator
        self._jobs = jobs

    def routes(self) -> list[Route]:
        """Every address of the admin API."""
        listed: list[tuple[str, str, Handler]] = [
            ("GET", "/state", self.state),
            ("POST", "/reset", self.reset),
            ("PATCH", "/settings", self.settings),
            ("POST", "/clock", self.clock),
            ("GET", "/faults", self.faults),
            ("POST", "/faults", self.add_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("DELETE", "/faults/{number:int}", self.remove_fault),
            ("POST", "/faults/{number:int}/release", self.release),
            ("GET", "/stats", self.stats),
            ("GET", "/requests", self.requests),
            ("GET", "/jobs", self.jobs),
            ("POST", "/modules", self.put_module),
            ("PATCH", "/modules/{module}", self.rename_module),
            ("POST", "/modules/{module}/fields", self.put_field),
            ("POST", "/modules/{module}/subforms", self.put_subform),
            ("POST", "/modules/{module}/layouts", self.put_layout),
            ("PUT", "/modules/{module}/validations", self.put_validations),
            ("PUT", "/modules/{module}/dependencies", self.put_dependencies),
            ("PUT", "/modules/{module}/alterations", self.put_alterations),
            ("PATCH", "/modules/{module}/fields/{field}", self.alter_field),
            ("DELETE", "/modules/{module}/fields/{field}", self.remove_field),
            ("GET", "/modules/{module}/records", self.records),
            ("POST", "/modules/{module}/records", self.put_records),
            ("POST", "/codes", self.grant_code),
            ("POST", "/grants", self.grant),
            ("DELETE", "/grants/{token}", self.revoke_grant),
            ("DELETE", "/tokens", self.revoke_tokens),
        ]
        return [Route(path, _answering(handler), methods=[method]) for method, path, handler in listed]

    async def state(self, _request: Request) -> Any:
        """Settings, switches, clock and latency."""
        return self._emulator.describe()

    async def reset(self, _request: Request) -> Any:
        """Back to the state of an empty data file."""
        self._emulator.faults.clear()
        idle = self._jobs.idle()
        await run_in_threadpool(idle.__enter__)
        try:
            self._emulator.reset()
        finally:
            idle.__exit__(None, None, None)
        return {}

    async def settings(self, request: Request) -> Any:
        """Change settings: edition, users, credits_remaining, calls_at_once, latency, switches."""
        body = await _body(request)
        emulator = self._emulator
        if "edition" in body or "users" in body:
            users = int(body.pop("users", emulator.credits.users))
            emulator.credits.set_edition(body.pop("edition", emulator.credits.edition), users)
        if "credits_remaining" in body:
            emulator.credits.set_remaining(int(body.pop("credits_remaining")))
        if "calls_at_once" in body:
            emulator.calls.override = body.pop("calls_at_once")
        if "job_seconds" in body:
            emulator.job_seconds = _seconds(body.pop("job_seconds"))
        if "upload_seconds" in body:
            emulator.upload_seconds = _seconds(body.pop("upload_seconds"))
        for name, value in body.pop("call_seconds", {}).items():
            emulator.call_seconds[name] = _seconds(value)
        emulator.switches = changed(emulator.switches, body.pop("switches", {}))
        if body:
            raise AdminError(f"unknown settings: {', '.join(body)}")
        return emulator.describe()

    async def clock(self, request: Request) -> Any:
        """Set the mode, advance by seconds, or both."""
        body = await _body(request)
        clock = self._emulator.clock
        if "mode" in body:
            clock.set_mode(body["mode"])
        clock.advance(float(body.get("advance", 0)))
        self._jobs.wake()
        return {"mode": clock.mode, "now": clock.now()}

    async def faults(self, _request: Request) -> Any:
        """Every fault that is on, and how often each fired."""
        return {"faults": [active.describe() for active in self._emulator.faults.active]}

    async def add_fault(self, request: Request) -> Any:
        """Switch a fault on."""
        fault = msgspec.convert(await _body(request), Fault)
        changed(self._emulator.switches, fault.set)
        return self._emulator.faults.add(fault).describe()

    async def clear_faults(self, _request: Request) -> Any:
        """Switch all faults off."""
        self._emulator.faults.clear()
        return {}

    async def remove_fault(self, request: Request) -> Any:
        """Switch one fault off."""
        if not self._emulator.faults.remove(request.path_params["number"]):
            raise AdminError("no such fault")
        return {}

    async def release(self, request: Request) -> Any:
        """Let go what a fault holds, and whatever it would hold from now on."""
        active = self._emulator.faults.get(request.path_params["number"])
        if active is None:
            raise AdminError("no such fault")
        held = active.held
        active.released.set()
        return {"released": held}

    async def stats(self, _request: Request) -> Any:
        """Requests, records, credits, jobs, calls at once."""
        emulator = self._emulator
        reader = emulator.store.read()
        counted = dict(reader.execute("SELECT module, records FROM counts").fetchall())
        return {
            **emulator.journal.counts(),
            "credits": {
                "spent": sum(emulator.credits.by_kind.values()),
                "spent_today": emulator.credits.spent_today(),
                "remaining": emulator.credits.remaining(),
                "limit": emulator.credits.limit,
                "by_kind": dict(emulator.credits.by_kind),
            },
            "calls_at_once": {
                "most": emulator.calls.most_running,
                "most_heavy": emulator.calls.most_heavy,
                "limit": emulator.calls.limit,
            },
            "jobs": dict(reader.execute("SELECT status, count(*) FROM jobs GROUP BY status").fetchall()),
            "modules": {name: counted.get(view.id, 0) for name, view in emulator.catalog.modules.items()},
            "live_tokens": emulator.oauth.live_tokens(),
        }

    async def requests(self, request: Request) -> Any:
        """The last requests, newest last."""
        return {"requests": self._emulator.journal.tail(int(request.query_params.get("last", "100")))}

    async def jobs(self, request: Request) -> Any:
        """The last jobs, newest first."""
        recent = self._jobs.recent(int(request.query_params.get("last", "100")))
        return {
            "jobs": [
                {
                    "id": str(job.id),
                    "status": job.status,
                    "created": job.created,
                    "due": job.due,
                    "ended": job.outcome.get("ended"),
                    "operation": job.request["operation"],
                    "module": job.module,
                    "outcome": job.outcome,
                }
                for job in recent
            ]
        }

    async def put_module(self, request: Request) -> Any:
        """Add or replace a module: `module` (its properties) and `fields`."""
        body = await _body(request)
        module = msgspec.convert(body["module"], Module)
        fields = msgspec.convert(body.get("fields", []), list[Field])
        given = {field.api_name for field in fields}
        fields += [field for field in system_fields() if field.api_name not in given]
        view = self._emulator.catalog.put_module(module, fields)
        return {"id": str(view.id), "api_name": view.name}

    async def rename_module(self, request: Request) -> Any:
        """Give a module another API name."""
        body = await _body(request)
        view = self._emulator.catalog.rename_module(request.path_params["module"], body["api_name"])
        return {"id": str(view.id), "api_name": view.name}

    async def put_field(self, request: Request) -> Any:
        """Add or replace a field."""
        field = msgspec.convert(await _body(request), Field)
        return msgspec.to_builtins(self._emulator.catalog.put_field(request.path_params["module"], field))

    async def put_subform(self, request: Request) -> Any:
        """Add a subform or multiple lookup, or replace it: `field`, and the `fields` of its rows."""
        body = await _body(request)
        catalog, module = self._emulator.catalog, request.path_params["module"]
        field = msgspec.convert(body["field"], Field)
        rows = msgspec.convert(body.get("fields", []), list[Field])
        return msgspec.to_builtins(catalog.put_rows_field(module, field, [*rows, *system_fields()]))

    async def put_layout(self, request: Request) -> Any:
        """Add or replace a layout beside the standard one."""
        layout = msgspec.convert(await _body(request), Layout)
        return msgspec.to_builtins(self._emulator.catalog.put_layout(request.path_params["module"], layout))

    async def put_validations(self, request: Request) -> Any:
        """Set the validation rules of a module, in place of those it has."""
        rules = msgspec.convert((await _body(request))["validations"], tuple[Validation, ...])
        for rule in rules:
            self._check_criteria(self._view(request), rule)
        self._emulator.catalog.put_rules(request.path_params["module"], validations=rules)
        return {}

    @staticmethod
    def _check_criteria(view: ModuleView, rule: Validation) -> None:
        try:
            condition_of(rule.criteria, view)
        except Refused as refusal:
            raise AdminError(f"{refusal.code}: {refusal.details}") from None

    async def put_dependencies(self, request: Request) -> Any:
        """Set which pick lists of a module depend on others, in place of those that do."""
        rules = msgspec.convert((await _body(request))["dependencies"], tuple[Dependency, ...])
        self._emulator.catalog.put_rules(request.path_params["module"], dependencies=rules)
        return {}

    async def put_alterations(self, request: Request) -> Any:
        """Set what the org makes of a module's values, in place of what it does."""
        rules = msgspec.convert((await _body(request))["alterations"], tuple[Alteration, ...])
        self._emulator.catalog.put_rules(request.path_params["module"], alterations=rules)
        return {}

    async def alter_field(self, request: Request) -> Any:
        """Change some properties of a field."""
        path = request.path_params
        return msgspec.to_builtins(
            self._emulator.catalog.alter_field(path["module"], path["field"], await _body(request))
        )

    async def remove_field(self, request: Request) -> Any:
        """Take a field away."""
        path = request.path_params
        self._emulator.catalog.remove_field(path["module"], path["field"])
        return {}

    async def records(self, request: Request) -> Any:
        """Every record of a module as JSON lines."""
        return StreamingResponse(dump(self._emulator, self._view(request)), media_type="application/x-ndjson")

    async def put_records(self, request: Request) -> Any:
        """Put records as they are: values in stored form, unchecked but for unique fields; returns their ids."""
        body = await _body(request)
        user = int(body.get("user") or CURRENT_USER)
        return await run_in_threadpool(self._put_records, self._view(request), body["records"], user)

    def _put_records(self, view: ModuleView, records: list[dict[str, Any]], user: int) -> dict[str, Any]:
        emulator = self._emulator
        rows = [Row({name: value for name, value in record.items() if name != "id"}) for record in records]
        with emulator.store.write() as connection:
            batch = batch_for(
                emulator.store,
                connection,
                view,
                Rules("upsert", view.keys),
                user=user,
                now=emulator.clock.now(),
            )
            outcomes = batch.write(rows)
        for outcome in outcomes:
            if outcome.refused is not None:
                raise AdminError(f"{outcome.refused.code}: {outcome.refused.details}")
        return {"ids": [str(outcome.id) for outcome in outcomes]}

    async def grant(self, request: Request) -> Any:
        """Give out a refresh token with chosen scopes and life."""
        body = await _body(request)
        body["scopes"] = body.get("scopes") or ALL_SCOPES
        return {"refresh_token": await run_in_threadpool(lambda: self._emulator.oauth.grant(**body))}

    async def grant_code(self, request: Request) -> Any:
        """Give out a grant code, as the API console does, with chosen scopes and life."""
        body = await _body(request)
        body["scopes"] = body.get("scopes") or ALL_SCOPES
        return {"code": await run_in_threadpool(lambda: self._emulator.grant_codes.issue(**body))}

    async def revoke_grant(self, request: Request) -> Any:
        """End a refresh token."""
        if not self._emulator.oauth.revoke_grant(request.path_params["token"]):
            raise AdminError("no such refresh token")
        return {}

    async def revoke_tokens(self, _request: Request) -> Any:
        """End every access token."""
        return {"revoked": self._emulator.oauth.revoke_tokens()}

    def _view(self, request: Request) -> ModuleView:
        view = self._emulator.catalog.get(request.path_params["module"])
        if view is None:
            raise AdminError(f"no module {request.path_params['module']}")
        return view


def _seconds(value: Any) -> tuple[float, float]:
    low, high = value if isinstance(value, list) else (value, value)
    return float(low), float(high)


async def _body(request: Request) -> dict[str, Any]:
    body = msgspec.json.decode(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise AdminError("the body must be a JSON object")
    return body


def _answering(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            value = await handler(request)
        except (
            AdminError,
            SchemaError,
            msgspec.ValidationError,
            msgspec.DecodeError,
            ValueError,
            KeyError,
            TypeError,
        ) as error:
            return Answer({"error": f"{type(error).__name__}: {error}"}, 400).response()
        return value if isinstance(value, Response) else Answer(value).response()

    return answer
