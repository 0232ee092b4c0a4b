"""The access token that workers on many hosts share by their ledger, encrypted with what every worker has anyway.

The key is derived from the client secret and the refresh token, so whoever can read the ledger alone reads no token.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec

from sync_ledger.ledger import Ledger
from sync_ledger.shared_tokens import SharedTokens
from target_zoho_crm.api.access_token import AccessToken, Credentials
from target_zoho_crm.api.sealing import fernet_of, owner_of

_PURPOSE = b"access token in the ledger, version 1"


class TokenSharing:
    """One refresh token's access token in one ledger.

    Args:
        ledger: where it is kept.
        credentials: whose it is; also the key.
        accounts_url: the accounts server that gave it.
        clock: seconds since the epoch, by this host.
    """

    def __init__(self, ledger: Ledger, credentials: Credentials, accounts_url: str, clock: Callable[[], float]) -> None:
        owner = owner_of(credentials, accounts_url)
        self._kept = SharedTokens(ledger, owner)
        self._fernet = fernet_of(credentials, owner, _PURPOSE)
        self._clock = clock

    def read(self) -> tuple[AccessToken | None, float]:
        """Read the token, None where none can be decrypted, and for how many seconds nobody asks for one."""
        kept = self._kept.read()
        return None if kept.sealed is None else self._opened(kept.sealed, kept.seconds), kept.denied_seconds

    def renewing(self) -> AbstractContextManager[bool]:
        """Tell whether this worker may ask for a new one while the block lasts; False while another one does."""
        return self._kept.renewing()

    def keep(self, token: AccessToken) -> None:
        """Let all workers have it."""
        content = msgspec.json.encode((token.value, token.api_domain))
        self._kept.keep(self._fernet.encrypt(content).decode("ascii"), token.expires_at - self._clock())

    def deny(self, until: float) -> None:
        """Let no worker ask before then, in seconds since the epoch."""
        self._kept.deny(max(0.0, until - self._clock()))

    def _opened(self, sealed: str, seconds: float) -> AccessToken | None:
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - as in `sealing.py`

        try:
            value, api_domain = msgspec.json.decode(self._fernet.decrypt(sealed), type=tuple[str, str])
        except (InvalidToken, msgspec.DecodeError):
            return None
        return AccessToken(value, api_domain, self._clock() + seconds)
