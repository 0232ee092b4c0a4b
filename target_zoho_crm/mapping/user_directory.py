"""The org's users by e-mail: owners and user lookups are given so. Read once a run."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.costs import PAGE_ROWS
from target_zoho_crm.api.errors import close_names
from target_zoho_crm.mapping.field_values import Refusal, any_to_text

EMAIL = "email"
"""What `find_by` of a field that holds users is."""

_EMAIL_CHARACTERS = 100  # Zoho's limit; a longer text is not shown


@dataclass(frozen=True, slots=True)
class User:
    """One user of the org; `email` as Zoho has it."""

    id: str
    email: str
    active: bool


class Users:
    """Who is who, by e-mail. Case and outer spaces do not count."""

    def __init__(self, users: Iterable[User]) -> None:
        self._by_email: dict[str, User] = {}
        for user in users:
            known = self._by_email.get(user.email.casefold())
            if known is None or not known.active:  # a person who left and came back is there twice
                self._by_email[user.email.casefold()] = user

    @classmethod
    def from_zoho(cls, items: Iterable[Mapping[str, Any]]) -> Users:
        """Read what the users call gives."""
        return cls(
            User(str(item["id"]), item["email"].strip(), item.get("status", "active") == "active")
            for item in items
            if item.get("id") and isinstance(item.get("email"), str)
        )

    def find(self, value: Any) -> User | None:
        """The user whose e-mail the value is; None where there is no value.

        Raises:
            Refusal: there is no such user, or it is not active.
        """
        text = any_to_text(value)
        email = text.strip() if text is not None else ""
        if not email:
            return None
        user = self._by_email.get(email.casefold())
        shown = repr(email[:_EMAIL_CHARACTERS])
        if user is None:
            active = [each.email for each in self._by_email.values() if each.active]
            hint = close_names(email, active)
            raise Refusal(
                ZohoCode.INVALID_DATA, None, f"is not the e-mail of a user: nobody in the org has {shown}.{hint}"
            )
        if not user.active:
            raise Refusal(ZohoCode.INVALID_DATA, None, f"is not the e-mail of an active user: {shown} is not active")
        return user

    def to_json(self, value: Any) -> dict[str, str] | None:
        """The reference in an upsert call."""
        user = self.find(value)
        return {"id": user.id} if user is not None else None

    def to_id(self, value: Any) -> str | None:
        """The id for a cell of a bulk job."""
        user = self.find(value)
        return user.id if user is not None else None

    def to_email(self, value: Any) -> str | None:
        """The e-mail for a cell of a bulk job, as Zoho has it."""
        user = self.find(value)
        return user.email if user is not None else None


class UserDirectory:
    """Reads the users when they are first asked for. Safe for threads."""

    def __init__(self, client: ZohoClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._users: Users | None = None

    def users(self) -> Users:
        """All users of the org.

        Raises:
            ZohoError: they cannot be read.
        """
        with self._lock:
            if self._users is None:
                self._users = Users.from_zoho(self._read())
            return self._users

    def _read(self) -> list[dict[str, Any]]:
        """All users, also those that are not active."""
        found: list[dict[str, Any]] = []
        for page in itertools.count(1):
            body = self._client.get("users", {"type": "AllUsers", "page": str(page), "per_page": str(PAGE_ROWS)}).body
            if body is None:  # there are no more
                break
            found += body.get("users") or []
            if not (body.get("info") or {}).get("more_records"):
                break
        return found
