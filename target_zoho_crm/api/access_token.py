"""An access token, and whose it is, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec


@dataclass(frozen=True, slots=True)
class Credentials:
    """The OAuth client and its refresh token. Its `repr` shows none of the secrets."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


class AccessToken(msgspec.Struct, frozen=True):
    """A token, the API base that came with it (may be empty), and when it ends (seconds since the epoch)."""

    value: str
    api_domain: str
    expires_at: float

    def __repr__(self) -> str:
        return f"AccessToken(api_domain={self.api_domain!r}, expires_at={self.expires_at})"


class TokenDenial(msgspec.Struct, frozen=True):
    """Until when (seconds since the epoch) no access token is asked for."""

    denied_until: float
