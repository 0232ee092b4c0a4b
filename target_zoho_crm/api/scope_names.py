"""The OAuth scopes that a refresh token must have."""

from __future__ import annotations

SCOPES_NEEDED = (
    "ZohoCRM.modules.ALL",
    "ZohoCRM.bulk.ALL",
    "ZohoFiles.files.ALL",
    "ZohoCRM.settings.ALL",
    "ZohoCRM.org.READ",
    "ZohoCRM.users.READ",
    "ZohoCRM.coql.READ",
)
