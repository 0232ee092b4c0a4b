"""OAuth: grants (refresh tokens with scopes), access tokens, and the scopes a call needs."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zoho_crm_emulator.clock import MINUTE, SECOND, Clock
from zoho_crm_emulator.store import Store

DEMO_CLIENT_ID = "1000.EMULATORDEMOCLIENT"
DEMO_CLIENT_SECRET = "emulator-demo-secret"  # noqa: S105 - opens nothing but the emulator
DEMO_REFRESH_TOKEN = "1000.emulator.demo.refresh"  # noqa: S105 - opens nothing but the emulator
ALL_SCOPES = (
    "ZohoCRM.modules.ALL", "ZohoCRM.bulk.ALL", "ZohoFiles.files.ALL", "ZohoCRM.settings.ALL", "ZohoCRM.org.READ",
    "ZohoCRM.users.READ", "ZohoCRM.coql.READ", "ZohoCRM.mass_update.custom.UPDATE", "ZohoSearch.securesearch.READ",
)  # fmt: skip

TOO_MANY_REFRESHES = "You have made too many requests continuously. Please try again after some time."
ACCESS_DENIED = {"error": "Access Denied", "error_description": TOO_MANY_REFRESHES, "status": "failure"}
TOKEN_LIFE = 3600  # seconds
LIVE_TOKENS = 15  # per refresh token; one more ends the oldest
REFRESHES = 10  # per refresh token
REFRESH_WINDOW = 10 * MINUTE


@dataclass(frozen=True)
class Access:
    """A live access token."""

    token: str
    scopes: frozenset[str]


class OAuth:
    """Who may call; kept in the store, so that tokens outlive a restart."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def grant(
        self,
        scopes: Iterable[str] = ALL_SCOPES,
        *,
        refresh_token: str | None = None,
        client_id: str = DEMO_CLIENT_ID,
        client_secret: str = DEMO_CLIENT_SECRET,
        expires_in: float | None = None,
    ) -> str:
        """Give out a refresh token with these scopes; `expires_in` seconds, None for ever."""
        refresh_token = refresh_token or f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"
        expires = None if expires_in is None else self._clock.now() + int(expires_in * SECOND)
        with self._store.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO grants VALUES (?, ?, ?, ?, ?, 0)",
                (refresh_token, client_id, client_secret, ",".join(scopes), expires),
            )
        return refresh_token

    def has_grants(self) -> bool:
        """Whether the store holds any grant."""
        return self._store.read().execute("SELECT 1 FROM grants LIMIT 1").fetchone() is not None

    def refresh(self, form: Mapping[str, str], api_domain: str, *, tell_scope: bool) -> tuple[int, dict[str, Any]]:
        """The token endpoint: (HTTP status, body). Most errors come with status 200, as the live service does."""
        if form.get("grant_type") != "refresh_token":
            return 200, {"error": "unsupported_grant_type" if form.get("grant_type") else "invalid_request"}
        now = self._clock.now()
        with self._store.write() as connection:
            row = connection.execute(
                "SELECT client_id, client_secret, expires, revoked, scopes FROM grants WHERE refresh_token = ?",
                (form.get("refresh_token"),),
            ).fetchone()
            error = self._error(connection, form, row, now)
            if error is not None:
                return 200, {"error": error}
            scopes = row[4]
            recent = connection.execute(
                "SELECT count(*) FROM tokens WHERE refresh_token = ? AND issued > ?",
                (form["refresh_token"], now - REFRESH_WINDOW),
            ).fetchone()[0]
            if recent >= REFRESHES:
                return 400, ACCESS_DENIED
            token = f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"
            connection.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, 0)",
                (token, form["refresh_token"], now, now + TOKEN_LIFE * SECOND),
            )
            connection.execute(
                "UPDATE tokens SET revoked = 1 WHERE refresh_token = ? AND rowid NOT IN (SELECT rowid FROM tokens "
                "WHERE refresh_token = ? AND revoked = 0 AND expires > ? ORDER BY rowid DESC LIMIT ?)",
                (form["refresh_token"], form["refresh_token"], now, LIVE_TOKENS),
            )
        body = {
            "access_token": token,
            "api_domain": api_domain,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE,
        }
        return 200, {**body, "scope": scopes.replace(",", " ")} if tell_scope else body

    @staticmethod
    def _error(connection: sqlite3.Connection, form: Mapping[str, str], row: Any, now: int) -> str | None:
        """Why a refresh is refused, or None."""
        client = form.get("client_id")
        if not connection.execute("SELECT 1 FROM grants WHERE client_id = ?", (client,)).fetchone():
            return "invalid_client"
        if row is None or row[0] != client:
            return "invalid_code"
        if row[1] != form.get("client_secret"):
            return "invalid_client_secret"
        over = row[3] or (row[2] is not None and row[2] <= now)
        return "invalid_code" if over else None

    def access(self, token: str) -> Access | None:
        """The live token of that text, or None when it is unknown, expired or revoked."""
        row = (
            self._store.read()
            .execute(
                "SELECT g.scopes FROM tokens t JOIN grants g USING (refresh_token) "
                "WHERE t.token = ? AND t.revoked = 0 AND g.revoked = 0 AND t.expires > ?",
                (token, self._clock.now()),
            )
            .fetchone()
        )
        return None if row is None else Access(token, frozenset(row[0].split(",")))

    def ends(self, token: str) -> int | None:
        """When a token ends, in milliseconds of the clock; None for one that is not known."""
        row = self._store.read().execute("SELECT expires FROM tokens WHERE token = ?", (token,)).fetchone()
        return None if row is None else int(row[0])

    def revoke_tokens(self) -> int:
        """End every access token; returns how many were live."""
        with self._store.write() as connection:
            return connection.execute(
                "UPDATE tokens SET revoked = 1 WHERE revoked = 0 AND expires > ?", (self._clock.now(),)
            ).rowcount

    def revoke_grant(self, refresh_token: str) -> bool:
        """End a refresh token and with it its access tokens; False when there is none."""
        with self._store.write() as connection:
            return (
                connection.execute("UPDATE grants SET revoked = 1 WHERE refresh_token = ?", (refresh_token,)).rowcount
                > 0
            )

    def live_tokens(self) -> int:
        """How many access tokens are live."""
        row = self._store.read().execute(
            "SELECT count(*) FROM tokens WHERE revoked = 0 AND expires > ?", (self._clock.now(),)
        )
        return int(row.fetchone()[0])


def allows(scopes: frozenset[str], needed: Iterable[str]) -> bool:
    """Whether any of the scopes that would do is among those granted."""
    return any(scope in scopes for scope in needed)


def module_scopes(module: str, operation: str, *, custom: bool) -> tuple[str, ...]:
    """The scopes that allow an operation (READ, CREATE, UPDATE, DELETE) on a module; WRITE covers changes."""
    names = [module, module.lower(), *(["custom"] if custom else [])]
    operations = ["ALL", operation, *([] if operation == "READ" else ["WRITE"])]
    return (
        "ZohoCRM.modules.ALL",
        f"ZohoCRM.modules.{operation}",
        *(f"ZohoCRM.modules.{name}.{op}" for name in names for op in operations),
    )
