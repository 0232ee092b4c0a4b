"""Keys of what is encrypted in the ledger, derived from what every worker has anyway and no ledger holds."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from target_zoho_crm.api.access_token import Credentials

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


def fernet_of(credentials: Credentials, salt: str, purpose: bytes) -> Fernet:
    """What encrypts for one `purpose`: with the key of client secret and refresh token, other ones open nothing."""
    # Imported here: a run that finds a token in its file needs none of it, and should not wait for it.
    from cryptography.fernet import Fernet  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    secrets = f"{credentials.client_secret}\n{credentials.refresh_token}"
    key = HKDF(algorithm=SHA256(), length=32, salt=salt.encode(), info=purpose).derive(secrets.encode())
    return Fernet(base64.urlsafe_b64encode(key))


def owner_of(credentials: Credentials, accounts_url: str) -> str:
    """A hash of whose the credentials are: the salt of what is theirs."""
    identity = f"{accounts_url}\n{credentials.client_id}\n{credentials.client_secret}\n{credentials.refresh_token}"
    return hashlib.sha256(identity.encode()).hexdigest()
