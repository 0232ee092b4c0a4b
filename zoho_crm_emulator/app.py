"""The web application: the endpoints of the API behind their gate, the admin API and the page."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from zoho_crm_emulator.admin import Admin
from zoho_crm_emulator.emulator import Emulator
from zoho_crm_emulator.endpoints import endpoints
from zoho_crm_emulator.gate import Gate, NotThere
from zoho_crm_emulator.jobs import Jobs
from zoho_crm_emulator.page import Page
from zoho_crm_emulator.strangers import KeepStrangersOut
from zoho_crm_emulator.versions import AnyVersion

NO_MODULES = ("coql", "org", "settings", "upload", "users")  # first parts of addresses that name no module


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
    return _OneSlash(AnyVersion(KeepStrangersOut(Starlette(routes=routes))))
