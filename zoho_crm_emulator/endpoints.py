"""Every endpoint of the API: its method and path, the scopes that it needs, what it costs, and the function behind it.

To add one, write its function (`def name(call: Call) -> Answer`) in the module of its theme, list it here, and name it
in `docs/emulator.md`. The page and the `/_emulator` addresses are in `page.py` and `admin.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from zoho_crm_emulator import (
    cloning,
    coql,
    deleting,
    field_changes,
    field_creation,
    metadata_endpoints,
    record_lists,
    record_reading,
    records,
    searching,
    users,
)
from zoho_crm_emulator.bulk import Bulk
from zoho_crm_emulator.bulk_read import BulkRead
from zoho_crm_emulator.calls import Answer, Call, Endpoint
from zoho_crm_emulator.jobs import Jobs
from zoho_crm_emulator.mass_update import MassUpdate
from zoho_crm_emulator.oauth import module_scopes
from zoho_crm_emulator.refusals import Refused

BULK_CREDITS = 500
BULK_READ_CREDITS = 50
RECORDS_A_CREDIT = 10

Listed = tuple[str, str, Endpoint]
"""Method, path, and what answers there."""
Scopes = list[tuple[str, ...]]
"""Of each tuple one scope is needed."""


def endpoints(jobs: Jobs) -> list[Listed]:
    """Every endpoint; the first match counts, so fixed paths stand before those with a module's name."""
    mass_update = MassUpdate(jobs)
    return [
        *token_endpoints(),
        *people_endpoints(),
        *settings_endpoints(),
        *query_endpoints(),
        *bulk_write_endpoints(Bulk(jobs)),
        *bulk_read_endpoints(BulkRead(jobs)),
        *search_endpoints(),
        *action_endpoints(mass_update),
        *write_endpoints(),
        *read_endpoints(),
        *delete_endpoints(),
    ]


# By theme


def token_endpoints() -> list[Listed]:
    """OAuth: needs no scope."""
    return [("POST", "/oauth/v2/token", Endpoint("token", token, _no_scopes, threaded=True))]


def people_endpoints() -> list[Listed]:
    """The org, its taxes and its users."""
    taxes = _fixed(("ZohoCRM.settings.ALL", "ZohoCRM.settings.READ", "ZohoCRM.org.ALL", "ZohoCRM.org.READ"))
    org = _fixed(("ZohoCRM.org.ALL", "ZohoCRM.org.READ"))
    people = _fixed(("ZohoCRM.users.ALL", "ZohoCRM.users.READ"))
    return [
        ("GET", "/crm/v8/org", Endpoint("org", metadata_endpoints.org, org)),
        ("GET", "/crm/v8/org/taxes", Endpoint("taxes", metadata_endpoints.org_taxes, taxes)),
        ("GET", "/crm/v8/users", Endpoint("users", users.users, people)),
        ("GET", "/crm/v8/users/actions/count", Endpoint("users", users.count, people)),
        ("GET", "/crm/v8/users/{user}", Endpoint("users", users.user, people)),
    ]


def settings_endpoints() -> list[Listed]:
    """Modules, fields and layouts."""
    modules, layouts = _settings("modules"), _settings("layouts")
    fields, create, update, delete = (_settings("fields", each) for each in ("READ", "CREATE", "UPDATE", "DELETE"))
    change = Endpoint("change_field", field_changes.update, update, threaded=True)
    remove = Endpoint("change_field", field_changes.delete, delete, threaded=True)
    return [
        ("GET", "/crm/v8/settings/modules", Endpoint("modules", metadata_endpoints.modules, modules)),
        ("GET", "/crm/v8/settings/modules/{name}", Endpoint("modules", metadata_endpoints.module_by_name, modules)),
        ("GET", "/crm/v8/settings/fields", Endpoint("fields", metadata_endpoints.fields, fields)),
        ("POST", "/crm/v8/settings/fields", Endpoint("create_field", field_creation.create, create, threaded=True)),
        ("PATCH", "/crm/v8/settings/fields", change),
        ("GET", "/crm/v8/settings/fields/{field}", Endpoint("fields", metadata_endpoints.field_by_id, fields)),
        ("PATCH", "/crm/v8/settings/fields/{field}", change),
        ("DELETE", "/crm/v8/settings/fields/{field}", remove),
        ("GET", "/crm/v8/settings/layouts", Endpoint("layouts", metadata_endpoints.layouts, layouts)),
        ("GET", "/crm/v8/settings/layouts/{layout}", Endpoint("layouts", metadata_endpoints.layout_by_id, layouts)),
    ]


def query_endpoints() -> list[Listed]:
    """COQL."""
    scopes = _fixed(("ZohoCRM.coql.READ", "ZohoCRM.coql.ALL"))
    query = Endpoint("coql", coql.coql, scopes, cost=coql.cost, credit_kind="coql", heavy=_always, threaded=True)
    return [("POST", "/crm/v8/coql", query)]


def bulk_write_endpoints(bulk: Bulk) -> list[Listed]:
    """Bulk write: the file, the job, its state, its result."""
    upload = Endpoint(
        "upload",
        bulk.upload,
        _fixed(("ZohoFiles.files.ALL", "ZohoFiles.files.CREATE")),
        cost=lambda call: call.switches.cost_upload,
        credit_kind="upload",
        threaded=True,
    )
    create = Endpoint(
        "bulk_create",
        bulk.create,
        _fixed(("ZohoCRM.bulk.ALL", "ZohoCRM.bulk.CREATE")),
        cost=lambda _call: BULK_CREDITS,
        credit_kind="bulk_write",
        threaded=True,
    )
    poll = Endpoint(
        "bulk_poll", bulk.poll, _READ_JOBS, cost=lambda call: call.switches.cost_bulk_poll, credit_kind="bulk_poll"
    )
    result = Endpoint(
        "bulk_result",
        bulk.result,
        _READ_JOBS,
        cost=lambda call: call.switches.cost_bulk_result,
        credit_kind="bulk_result",
    )
    return [
        ("POST", "/crm/v8/upload", upload),
        ("POST", "/crm/bulk/v8/write", create),
        ("GET", "/crm/bulk/v8/write/{job}", poll),
        ("GET", "/v2/crm/org{org}/bulk-write/{job}/{name}.zip", result),
        ("GET", "/v2/crm/{org}/bulk-write/{job}/{name}.zip", result),
    ]


def bulk_read_endpoints(bulk_read: BulkRead) -> list[Listed]:
    """Bulk read: the job, its state, its result."""
    create = Endpoint(
        "bulk_read_create",
        bulk_read.create,
        _READ_JOBS,
        cost=lambda _call: BULK_READ_CREDITS,
        credit_kind="bulk_read",
        threaded=True,
    )
    poll = Endpoint(
        "bulk_read_poll",
        bulk_read.poll,
        _READ_JOBS,
        cost=lambda call: call.switches.cost_bulk_poll,
        credit_kind="bulk_poll",
    )
    result = Endpoint(
        "bulk_read_result",
        bulk_read.result,
        _READ_JOBS,
        cost=lambda call: call.switches.cost_bulk_result,
        credit_kind="bulk_result",
    )
    return [
        ("POST", "/crm/bulk/v8/read", create),
        ("GET", "/crm/bulk/v8/read/{job}", poll),
        ("GET", "/crm/bulk/v8/read/{job}/result", result),
    ]


def search_endpoints() -> list[Listed]:
    """Records found by a condition, deleted ones, and their number."""
    read = _of_module("READ")
    search = Endpoint("search", searching.search, _search_scopes, credit_kind="read", heavy=_always, threaded=True)
    deleted = Endpoint("read_deleted", deleting.deleted, read, credit_kind="read", threaded=True)
    count = Endpoint("count", searching.count, read, credit_kind="read", threaded=True)
    return [
        ("GET", "/crm/v8/{module}/search", search),
        ("GET", "/crm/v8/{module}/deleted", deleted),
        ("GET", "/crm/v8/{module}/actions/count", count),
    ]


def action_endpoints(mass_update: MassUpdate) -> list[Listed]:
    """Actions on records: mass update, long texts in full, clone."""
    status = Endpoint("mass_update_status", mass_update.status, _mass_update_scopes, credit_kind="read")
    start = Endpoint(
        "mass_update",
        mass_update.start,
        _mass_update_scopes,
        cost=_mass_update_cost,
        credit_kind="write",
        threaded=True,
    )
    full = Endpoint("read_full", record_reading.full_texts, _of_module("READ"), credit_kind="read", threaded=True)
    clone = Endpoint("clone", cloning.clone, _of_module("CREATE"), credit_kind="write", threaded=True)
    return [
        ("GET", "/crm/v8/{module}/actions/mass_update", status),
        ("POST", "/crm/v8/{module}/actions/mass_update", start),
        ("GET", "/crm/v8/{module}/actions/fetch_full_data", full),
        ("GET", "/crm/v8/{module}/{record}/actions/fetch_full_data", full),
        ("POST", "/crm/v8/{module}/{record}/actions/clone", clone),
    ]


def write_endpoints() -> list[Listed]:
    """Upsert, insert and update."""
    upsert = Endpoint(
        "upsert",
        records.upsert,
        _of_module("CREATE"),
        cost=_write_cost,
        credit_kind="write",
        heavy=lambda call: call.record_count > RECORDS_A_CREDIT,
        threaded=True,
    )
    insert = Endpoint(
        "insert", records.insert, _of_module("CREATE"), cost=_write_cost, credit_kind="write", threaded=True
    )
    update = Endpoint(
        "update", records.update, _of_module("UPDATE"), cost=_write_cost, credit_kind="write", threaded=True
    )
    return [
        ("POST", "/crm/v8/{module}/upsert", upsert),
        ("POST", "/crm/v8/{module}", insert),
        ("PUT", "/crm/v8/{module}", update),
        ("PUT", "/crm/v8/{module}/{record}", update),
    ]


def read_endpoints() -> list[Listed]:
    """Records, many or one."""
    read = _of_module("READ")
    many = Endpoint("read_many", record_lists.read_many, read, credit_kind="read", threaded=True)
    return [
        ("GET", "/crm/v8/{module}", many),
        ("GET", "/crm/v8/{module}/{record}", Endpoint("read_one", record_reading.read_one, read, credit_kind="read")),
    ]


def delete_endpoints() -> list[Listed]:
    """Deletions, many or one."""
    delete = _of_module("DELETE")
    many = Endpoint("delete", deleting.delete, delete, cost=_delete_cost, credit_kind="write", threaded=True)
    one = Endpoint("delete", deleting.delete, delete, credit_kind="write", threaded=True)
    return [("DELETE", "/crm/v8/{module}", many), ("DELETE", "/crm/v8/{module}/{record}", one)]


def token(call: Call) -> Answer:
    """POST /oauth/v2/token."""
    emulator = call.emulator
    by_code = call.form.get("grant_type") == "authorization_code"
    answer = emulator.grant_codes.exchange if by_code else emulator.oauth.refresh
    status, body = answer(call.form, emulator.base_url, tell_scope=call.switches.answers_scope == "present")
    return Answer(body, status, note={"code": body["error"]} if "error" in body else {})


# Scopes


def _fixed(*scopes: tuple[str, ...]) -> Callable[[Call], Scopes]:
    return lambda _call: list(scopes)


def _no_scopes(_call: Call) -> Scopes:
    return []


_READ_JOBS = _fixed(("ZohoCRM.bulk.ALL", "ZohoCRM.bulk.READ"))


def _settings(part: str, operation: str = "READ") -> Callable[[Call], Scopes]:
    names = ("ALL", operation, f"{part}.ALL", f"{part}.{operation}")
    return _fixed(tuple(f"ZohoCRM.settings.{name}" for name in names))


def _of_module(operation: str) -> Callable[[Call], Scopes]:
    def scopes(call: Call) -> Scopes:
        view = call.module_called(call.module_name or "")
        return [module_scopes(call.module_name or "", operation, custom=view.module.custom if view else True)]

    return scopes


def _search_scopes(call: Call) -> Scopes:
    return [module_scopes(call.module_name or "", "READ", custom=True), ("ZohoSearch.securesearch.READ",)]


def _mass_update_scopes(call: Call) -> Scopes:
    module = call.module_name or ""
    names = [module, module.lower(), "custom"]
    return [tuple(f"ZohoCRM.mass_update.{name}.{operation}" for name in names for operation in ("UPDATE", "ALL"))]


# Credits


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


def _always(_call: Call) -> bool:
    return True
