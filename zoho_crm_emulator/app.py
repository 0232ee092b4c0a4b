"""The web application: every address of the API, the admin API and the page."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from zoho_crm_emulator import (
    cloning,
    coql,
    deleting,
    field_changes,
    field_creation,
    metadata_endpoints,
    record_reading,
    records,
    searching,
    users,
)
from zoho_crm_emulator.admin import Admin
from zoho_crm_emulator.bulk import Bulk
from zoho_crm_emulator.bulk_read import BulkRead
from zoho_crm_emulator.calls import Answer, Call, Endpoint
from zoho_crm_emulator.emulator import Emulator
from zoho_crm_emulator.gate import Gate, NotThere
from zoho_crm_emulator.jobs import Jobs
from zoho_crm_emulator.mass_update import MassUpdate
from zoho_crm_emulator.oauth import module_scopes
from zoho_crm_emulator.page import Page
from zoho_crm_emulator.refusals import Refused

BULK_CREDITS = 500
BULK_READ_CREDITS = 50
RECORDS_A_CREDIT = 10
NO_MODULES = ("coql", "org", "settings", "upload", "users")  # first parts of addresses that name no module
Scopes = list[tuple[str, ...]]


def _settings(part: str, operation: str = "READ") -> tuple[str, ...]:
    return tuple(f"ZohoCRM.settings.{name}" for name in ("ALL", operation, f"{part}.ALL", f"{part}.{operation}"))


def _of_module(operation: str) -> object:
    def scopes(call: Call) -> Scopes:
        view = call.emulator.catalog.get(call.module_name or "")
        return [module_scopes(call.module_name or "", operation, custom=view.module.custom if view else True)]

    return scopes


def _search_scopes(call: Call) -> Scopes:
    return [module_scopes(call.module_name or "", "READ", custom=True), ("ZohoSearch.securesearch.READ",)]


def _mass_update_scopes(call: Call) -> Scopes:
    module = call.module_name or ""
    names = [module, module.lower(), "custom"]
    return [tuple(f"ZohoCRM.mass_update.{name}.{operation}" for name in names for operation in ("UPDATE", "ALL"))]


def _bulk_create_scopes(_call: Call) -> Scopes:
    return [("ZohoCRM.bulk.ALL", "ZohoCRM.bulk.CREATE")]


def _write_cost(call: Call) -> int:
    return max(1, -(-call.record_count // RECORDS_A_CREDIT))


def _delete_cost(call: Call) -> int:
    count = len(call.query.get("ids", "").split(","))
    return max(1, -(-count // RECORDS_A_CREDIT))


def _mass_update_cost(call: Call) -> int:
    try:
        ids = call.json.get("ids") if isinstance(call.json, dict) else None
    except Refused:
        return 1
    return max(1, -(-len(ids) // RECORDS_A_CREDIT)) if isinstance(ids, list) else 1


def token(call: Call) -> Answer:
    """POST /oauth/v2/token."""
    emulator = call.emulator
    by_code = call.form.get("grant_type") == "authorization_code"
    answer = emulator.grant_codes.exchange if by_code else emulator.oauth.refresh
    status, body = answer(call.form, emulator.base_url, tell_scope=call.switches.answers_scope == "present")
    return Answer(body, status, note={"code": body["error"]} if "error" in body else {})


def endpoints(jobs: Jobs) -> list[tuple[str, str, Endpoint]]:
    """Every endpoint with its method and path; the first match counts."""
    bulk, bulk_read, mass_update = Bulk(jobs), BulkRead(jobs), MassUpdate(jobs)
    none: Scopes = []

    def fixed(*scopes: tuple[str, ...]) -> object:
        return lambda _call: list(scopes)

    def make(name: str, handler: object, scopes: object, **more: object) -> Endpoint:
        return Endpoint(name, handler, scopes, **more)  # type: ignore[arg-type]

    write = {"cost": _write_cost, "credit_kind": "write", "threaded": True}
    heavy = {**write, "heavy": lambda call: call.record_count > RECORDS_A_CREDIT}
    read_jobs = fixed(("ZohoCRM.bulk.ALL", "ZohoCRM.bulk.READ"))
    read = {"credit_kind": "read"}
    modules = fixed(_settings("modules"))
    people = fixed(("ZohoCRM.users.ALL", "ZohoCRM.users.READ"))
    return [
        ("POST", "/oauth/v2/token", make("token", token, lambda _call: none, threaded=True)),
        ("GET", "/crm/v8/org", make("org", metadata_endpoints.org, fixed(("ZohoCRM.org.ALL", "ZohoCRM.org.READ")))),
        ("GET", "/crm/v8/users", make("users", users.users, people)),
        ("GET", "/crm/v8/users/actions/count", make("users", users.count, people)),
        ("GET", "/crm/v8/users/{user}", make("users", users.user, people)),
        ("GET", "/crm/v8/settings/modules", make("modules", metadata_endpoints.modules, modules)),
        ("GET", "/crm/v8/settings/modules/{name}", make("modules", metadata_endpoints.module_by_name, modules)),
        ("GET", "/crm/v8/settings/fields", make("fields", metadata_endpoints.fields, fixed(_settings("fields")))),
        ("POST", "/crm/v8/settings/fields", make(
            "create_field", field_creation.create, fixed(_settings("fields", "CREATE")), threaded=True)),
        ("PATCH", "/crm/v8/settings/fields", make(
            "change_field", field_changes.update, fixed(_settings("fields", "UPDATE")), threaded=True)),
        ("GET", "/crm/v8/settings/fields/{field}", make(
            "fields", metadata_endpoints.field_by_id, fixed(_settings("fields")))),
        ("PATCH", "/crm/v8/settings/fields/{field}", make(
            "change_field", field_changes.update, fixed(_settings("fields", "UPDATE")), threaded=True)),
        ("DELETE", "/crm/v8/settings/fields/{field}", make(
            "change_field", field_changes.delete, fixed(_settings("fields", "DELETE")), threaded=True)),
        ("GET", "/crm/v8/settings/layouts", make("layouts", metadata_endpoints.layouts, fixed(_settings("layouts")))),
        ("GET", "/crm/v8/settings/layouts/{layout}", make(
            "layouts", metadata_endpoints.layout_by_id, fixed(_settings("layouts")))),
        ("POST", "/crm/v8/coql", make(
            "coql", coql.coql, fixed(("ZohoCRM.coql.READ", "ZohoCRM.coql.ALL")), cost=coql.cost, credit_kind="coql",
            heavy=lambda _call: True, threaded=True)),
        ("POST", "/crm/v8/upload", make(
            "upload", bulk.upload, fixed(("ZohoFiles.files.ALL", "ZohoFiles.files.CREATE")),
            cost=lambda call: call.switches.cost_upload, credit_kind="upload", threaded=True)),
        ("POST", "/crm/bulk/v8/write", make(
            "bulk_create", bulk.create, _bulk_create_scopes, cost=lambda _call: BULK_CREDITS,
            credit_kind="bulk_write", threaded=True)),
        ("GET", "/crm/bulk/v8/write/{job}", make(
            "bulk_poll", bulk.poll, read_jobs, cost=lambda call: call.switches.cost_bulk_poll,
            credit_kind="bulk_poll")),
        ("GET", "/v2/crm/org{org}/bulk-write/{job}/{name}.zip", make(
            "bulk_result", bulk.result, read_jobs, cost=lambda call: call.switches.cost_bulk_result,
            credit_kind="bulk_result")),
        ("POST", "/crm/bulk/v8/read", make(
            "bulk_read_create", bulk_read.create, read_jobs, cost=lambda _call: BULK_READ_CREDITS,
            credit_kind="bulk_read", threaded=True)),
        ("GET", "/crm/bulk/v8/read/{job}", make("bulk_read_poll", bulk_read.poll, read_jobs, **read)),
        ("GET", "/crm/bulk/v8/read/{job}/result", make("bulk_read_result", bulk_read.result, read_jobs, **read)),
        ("GET", "/crm/v8/{module}/search", make(
            "search", searching.search, _search_scopes, **read, heavy=lambda _call: True, threaded=True)),
        ("GET", "/crm/v8/{module}/deleted", make(
            "read_deleted", deleting.deleted, _of_module("READ"), **read, threaded=True)),
        ("GET", "/crm/v8/{module}/actions/count", make(
            "count", searching.count, _of_module("READ"), **read, threaded=True)),
        ("GET", "/crm/v8/{module}/actions/mass_update", make(
            "mass_update_status", mass_update.status, _mass_update_scopes, **read)),
        ("POST", "/crm/v8/{module}/actions/mass_update", make(
            "mass_update", mass_update.start, _mass_update_scopes, cost=_mass_update_cost, credit_kind="write",
            threaded=True)),
        ("GET", "/crm/v8/{module}/actions/fetch_full_data", make(
            "read_full", record_reading.full_texts, _of_module("READ"), **read, threaded=True)),
        ("GET", "/crm/v8/{module}/{record}/actions/fetch_full_data", make(
            "read_full", record_reading.full_texts, _of_module("READ"), **read, threaded=True)),
        ("POST", "/crm/v8/{module}/{record}/actions/clone", make(
            "clone", cloning.clone, _of_module("CREATE"), credit_kind="write", threaded=True)),
        ("POST", "/crm/v8/{module}/upsert", make("upsert", records.upsert, _of_module("CREATE"), **heavy)),
        ("POST", "/crm/v8/{module}", make("insert", records.insert, _of_module("CREATE"), **write)),
        ("PUT", "/crm/v8/{module}", make("update", records.update, _of_module("UPDATE"), **write)),
        ("PUT", "/crm/v8/{module}/{record}", make("update", records.update, _of_module("UPDATE"), **write)),
        ("GET", "/crm/v8/{module}", make(
            "read_many", record_reading.read_many, _of_module("READ"), **read, threaded=True)),
        ("GET", "/crm/v8/{module}/{record}", make("read_one", record_reading.read_one, _of_module("READ"), **read)),
        ("DELETE", "/crm/v8/{module}", make(
            "delete", deleting.delete, _of_module("DELETE"), cost=_delete_cost, credit_kind="write", threaded=True)),
        ("DELETE", "/crm/v8/{module}/{record}", make(
            "delete", deleting.delete, _of_module("DELETE"), credit_kind="write", threaded=True)),
    ]  # fmt: skip


class _OneSlash:
    """Takes a doubled slash at the head of a path for one: the official SDK sends it for a relative download_url."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("//"):
            scope["path"] = "/" + scope["path"].lstrip("/")
            scope["raw_path"] = scope["path"].encode()
        await self._app(scope, receive, send)


def build(emulator: Emulator, jobs: Jobs) -> ASGIApp:
    """The application of one emulator."""
    admin, page = Admin(emulator, jobs), Page(emulator, jobs)
    listed = endpoints(jobs)
    routes: list[Route | Mount] = [*page.routes(), Mount("/_emulator", routes=admin.routes())]
    by_path: dict[str, list[Route]] = {}
    for method, path, endpoint in listed:
        by_path.setdefault(path, []).append(Route(path, Gate(emulator, endpoint), methods=[method]))
    no_module = [
        Route(f"/crm/v8/{name}/{{rest:path}}", NotThere(emulator, "INVALID_URL_PATTERN")) for name in NO_MODULES
    ]
    for path, of_path in by_path.items():
        if path.startswith("/crm/v8/{module}"):
            routes += no_module
            no_module = []
        # Another method is refused here, and not looked for under a path with a module's name in its place.
        routes += [*of_path, Route(path, NotThere(emulator, "INVALID_REQUEST_METHOD"))]
    routes.append(Route("/{rest:path}", NotThere(emulator, "INVALID_URL_PATTERN")))
    return _OneSlash(Starlette(routes=routes))
