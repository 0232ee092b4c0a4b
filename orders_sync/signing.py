"""How what is posted to a URL is signed: whoever has the secret knows that it comes from here, and unchanged."""

from __future__ import annotations

import hashlib
import hmac

SIGNATURE_HEADER = "X-Orders-Sync-Signature"


def signed_headers(secret: str, body: bytes) -> dict[str, str]:
    """The headers of a JSON body; the signature is `sha256=` and the HMAC of the body in hexadecimal digits."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", SIGNATURE_HEADER: f"sha256={digest}"}
