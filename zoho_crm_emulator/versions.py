"""The versions of the API that a path can name, and what is known to differ between them.

The emulator is written for v8. A path of another version is taken for v8's, and the call knows which one was asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

ASKED_VERSION = "zoho_crm_emulator.version"
ASKED_PATH = "zoho_crm_emulator.path"
_PATH = re.compile(r"/crm/(?P<bulk>bulk/)?(?P<version>v[0-9.]+)(?=/)")


@dataclass(frozen=True)
class ApiVersion:
    """One version, by how it differs from v8; None leaves a thing to its switch."""

    name: str
    insert_status: int | None = None  # of a plain insert of which every record was taken
    all_failed_status: int | None = None
    json_paths: bool = True  # in the details of errors
    modules_in_any_case: bool | None = None
    fields_needed: bool = True  # in a list's query
    lookup_module_as_text: bool = False  # in metadata
    id_is_a_field: bool = True  # in metadata; the SDK of v2 cannot write a lookup where it is one


VERSIONS = {
    version.name: version
    for version in (
        ApiVersion(
            "v2",
            insert_status=201,
            all_failed_status=202,
            json_paths=False,
            modules_in_any_case=True,
            fields_needed=False,
            lookup_module_as_text=True,
            id_is_a_field=False,
        ),
        ApiVersion("v2.1", all_failed_status=202, fields_needed=False, lookup_module_as_text=True),
        *(ApiVersion(name) for name in ("v3", "v4", "v5", "v6", "v7", "v8")),
    )
}
NEWEST = VERSIONS["v8"]


class AnyVersion:
    """Takes the path of a version that is served for that of v8; any other path is passed on as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, with the version that it asked for."""
        if scope["type"] == "http":
            scope[ASKED_PATH] = scope["path"]
            found = _PATH.match(scope["path"])
            version = VERSIONS.get(found["version"]) if found else None
            if found and version is not None:
                scope[ASKED_VERSION] = version
                scope["path"] = f"/crm/{found['bulk'] or ''}v8{scope['path'][found.end() :]}"
                scope["raw_path"] = scope["path"].encode()
        await self._app(scope, receive, send)


def asked_version(scope: Scope) -> ApiVersion:
    """The version whose path a request has; v8 where the path names none, as that of a token or a result does."""
    version = scope.get(ASKED_VERSION, NEWEST)
    assert isinstance(version, ApiVersion)  # noqa: S101 - put there above
    return version


def as_told(body: Any, *, json_paths: bool, limits_as: str) -> Any:
    """An answer's body as a version and the switches have it: with places in JSON, and limits as numbers, or not."""
    if json_paths and limits_as == "number":
        return body
    if isinstance(body, list):
        return [as_told(one, json_paths=json_paths, limits_as=limits_as) for one in body]
    if not isinstance(body, dict):
        return body
    told = {
        name: as_told(one, json_paths=json_paths, limits_as=limits_as)
        for name, one in body.items()
        if json_paths or name != "json_path"
    }
    if limits_as == "text" and "maximum_length" in told:
        told["maximum_length"] = str(told["maximum_length"])
    return told
