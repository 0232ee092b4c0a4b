"""Grant codes, as the API console's page for self clients hands them out, and their exchange for a refresh token."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from zoho_crm_emulator.clock import SECOND, Clock
from zoho_crm_emulator.oauth import ALL_SCOPES, DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, OAuth
from zoho_crm_emulator.store import Store

CODE_LIFE = 180  # seconds; the console offers 3 to 10 minutes


class GrantCodes:
    """Codes that were given out; each works once."""

    def __init__(self, store: Store, clock: Clock, oauth: OAuth) -> None:
        self._store = store
        self._clock = clock
        self._oauth = oauth

    def issue(
        self,
        scopes: Iterable[str] = ALL_SCOPES,
        *,
        client_id: str = DEMO_CLIENT_ID,
        client_secret: str = DEMO_CLIENT_SECRET,
        expires_in: float = CODE_LIFE,
    ) -> str:
        """Give out a code for these scopes."""
        code = f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}"
        expires = self._clock.now() + int(expires_in * SECOND)
        with self._store.write() as connection:
            connection.execute(
                "INSERT INTO codes VALUES (?, ?, ?, ?, ?, 0)",
                (code, client_id, client_secret, ",".join(scopes), expires),
            )
        return code

    def exchange(self, form: Mapping[str, str], api_domain: str, *, tell_scope: bool) -> tuple[int, dict[str, Any]]:
        """Answer `grant_type=authorization_code`: (HTTP status, body); errors come with status 200."""
        with self._store.write() as connection:
            client = form.get("client_id")
            known = connection.execute(
                "SELECT client_secret FROM grants WHERE client_id = ? "
                "UNION SELECT client_secret FROM codes WHERE client_id = ?",
                (client, client),
            ).fetchall()
            if not known:
                return 200, {"error": "invalid_client"}
            if (form.get("client_secret"),) not in known:
                return 200, {"error": "invalid_client_secret"}
            taken = connection.execute(
                "UPDATE codes SET used = 1 WHERE code = ? AND client_id = ? AND used = 0 AND expires > ? "
                "RETURNING scopes",
                (form.get("code"), client, self._clock.now()),
            ).fetchall()
        if not taken:
            return 200, {"error": "invalid_code"}
        refresh_token = self._oauth.grant(
            taken[0][0].split(","), client_id=form["client_id"], client_secret=form["client_secret"]
        )
        fresh = {**form, "grant_type": "refresh_token", "refresh_token": refresh_token}
        status, body = self._oauth.refresh(fresh, api_domain, tell_scope=tell_scope)
        return status, {**body, "refresh_token": refresh_token}
