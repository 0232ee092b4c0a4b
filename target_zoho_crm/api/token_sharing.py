"""The access token that workers on many hosts share by their ledger, encrypted with what every worker has anyway.

The key is derived from the client secret and the refresh token, so whoever can read the ledger alone reads no token.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import msgspec

from sync_ledger.ledger import Ledger
from sync_ledger.shared_tokens import SharedTokens
from target_zoho_crm.api.access_token import AccessToken, Credentials

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

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
        secrets = f"{credentials.client_secret}\n{credentials.refresh_token}"
        identity = f"{accounts_url}\n{credentials.client_id}\n{secrets}"
        owner = hashlib.sha256(identity.encode()).hexdigest()
        self._kept = SharedTokens(ledger, owner)
        self._fernet = _fernet(secrets, owner)
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
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - as below

        try:
            value, api_domain = msgspec.json.decode(self._fernet.decrypt(sealed), type=tuple[str, str])
        except (InvalidToken, msgspec.DecodeError):
            return None
        return AccessToken(value, api_domain, self._clock() + seconds)


def _fernet(secrets: str, owner: str) -> Fernet:
    # Imported here: a run that finds a token in its file needs none of it, and should not wait for it.
    from cryptography.fernet import Fernet  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    key = HKDF(algorithm=SHA256(), length=32, salt=owner.encode(), info=_PURPOSE).derive(secrets.encode())
    return Fernet(base64.urlsafe_b64encode(key))
