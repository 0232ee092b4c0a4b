"""Which of the scopes that we need a refresh token has: each is tried by a call that changes nothing.

A scope to write is tried by a write that Zoho must refuse: nothing without rows, without a zip, without a job.
Zoho's token answer does not always list the scopes, and may list narrower ones that do as well.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import OwnCode, ZohoCode
from target_zoho_crm.api.errors import ConfigurationError, Gone, TransientError, ZohoError
from target_zoho_crm.api.scope_names import SCOPES_NEEDED

REFUSALS_EXPECTED = "tried by calls that Zoho must refuse: their HTTP 400 in Zoho's statistics are expected"

NO_JOB = "0"
"""No bulk write job has this id."""


class Scope(StrEnum):
    """What became of the try."""

    GRANTED = "granted"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """Zoho gave no clear answer."""


def try_scopes(client: ZohoClient, module: str) -> dict[str, Scope]:
    """Try each scope of `SCOPES_NEEDED` in turn.

    Costs about 5 credits, and 500 more if Zoho counts the job that it refuses, which its documents do not say.
    """
    return {name: _worst(_try(call, client, module) for call in _TRIES[name]) for name in SCOPES_NEEDED}


def _worst(tried: Iterable[Scope]) -> Scope:
    """A scope of several rights is granted where each of them is."""
    return max(tried, key=list(_GROWING_WORSE).index)


def _try(call: Callable[[ZohoClient, str], object], client: ZohoClient, module: str) -> Scope:
    try:
        call(client, module)
    except ZohoError as error:
        if error.code == ZohoCode.OAUTH_SCOPE_MISMATCH:
            return Scope.MISSING
        # Zoho checks the scope first: a refusal for another reason means that the scope is granted.
        refused = isinstance(error, (ConfigurationError, Gone)) and error.http_status != HTTPStatus.UNAUTHORIZED
        return Scope.GRANTED if refused and error.http_status is not None else Scope.UNKNOWN
    return Scope.GRANTED


def _upload_no_zip(client: ZohoClient, _module: str) -> None:
    """Upload what Zoho refuses, since it takes only a zip."""
    try:
        client.org()
    except ZohoError as error:  # the upload names the org, which takes another scope to find out
        raise TransientError(OwnCode.ORG_NOT_FOUND, error.message) from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scope.zip"
        path.write_bytes(b"no zip")
        client.upload(path)


_GROWING_WORSE = (Scope.GRANTED, Scope.UNKNOWN, Scope.MISSING)
_TRIES: Mapping[str, Sequence[Callable[[ZohoClient, str], object]]] = {
    "ZohoCRM.modules.ALL": (lambda client, module: client.upsert(module, b'{"data":[]}', records=0),),
    "ZohoCRM.bulk.ALL": (
        lambda client, _module: client.job(NO_JOB),
        lambda client, _module: client.create_job(b"{}"),
    ),
    "ZohoFiles.files.ALL": (_upload_no_zip,),
    "ZohoCRM.settings.ALL": (lambda client, _module: client.modules(),),
    "ZohoCRM.org.READ": (lambda client, _module: client.org(),),
    "ZohoCRM.users.READ": (lambda client, _module: client.current_user(),),
    "ZohoCRM.coql.READ": (lambda client, module: client.query(f"select id from {module} limit 1"),),  # noqa: S608 - COQL
}
