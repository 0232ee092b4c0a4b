"""From the grant code of Zoho's API console to a refresh token, at the data centre that knows the client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit, urlunsplit

import requests

from target_zoho_crm.api.codes import NEW_GRANT, OF_A_GRANT, OwnCode, ZohoCode
from target_zoho_crm.api.data_centers import DATA_CENTERS
from target_zoho_crm.api.errors import ConfigurationError, QuotaError, TransientError, ZohoError
from target_zoho_crm.api.http_sessions import Session
from target_zoho_crm.api.token_endpoint import ask_for_token

_TELLING = OF_A_GRANT.keys() - {ZohoCode.invalid_client}
"""Refusals by an accounts server that knows the client: they say more than that another one does not."""


@dataclass(frozen=True, slots=True)
class GrantCode:
    """A grant code, and what came with it when a complete redirect address was pasted."""

    code: str = field(repr=False)
    location: str | None = None
    redirect_uri: str | None = None

    @classmethod
    def read(cls, text: str) -> GrantCode:
        """Take a bare code, or the address `https://...?code=...&location=eu` that a browser was sent to."""
        text = text.strip()
        parts = urlsplit(text)
        query = parse_qs(parts.query)
        if not parts.scheme or "code" not in query:
            return cls(text)
        location = query.get("location", [""])[0].lower()
        own = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        return cls(query["code"][0], location if location in DATA_CENTERS else None, own)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the exchange gave. `scopes` is empty where Zoho's answer has none."""

    data_center: str
    refresh_token: str = field(repr=False)
    api_domain: str
    scopes: tuple[str, ...]


def accounts_servers(
    data_center: str | None, accounts_url: str | None, location: str | None = None
) -> Mapping[str, str]:
    """Where to try the code: accounts URL by data centre, the likeliest first.

    An own `accounts_url` is the only one, and so is a `data_center` or `location` that is known.
    """
    if accounts_url:
        return {data_center or location or "us": accounts_url.rstrip("/")}
    known = data_center or location
    names = [known] if known else list(DATA_CENTERS)
    return {name: f"https://{DATA_CENTERS[name].accounts}" for name in names}


def exchange(
    grant: GrantCode,
    client_id: str,
    client_secret: str,
    servers: Mapping[str, str],
    session: Callable[[str], requests.Session] = Session,
) -> Grant:
    """Exchange a grant code, which works once, at the first accounts server that takes it.

    A server that does not know the client leaves the code unused, so the next one can be asked.

    Raises:
        ConfigurationError: none takes it; the message says what to do.
        TransientError, QuotaError: none could be asked, or gives a token for now.
    """
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "client_secret": client_secret,
        "code": grant.code,
    }
    if grant.redirect_uri:
        form["redirect_uri"] = grant.redirect_uri
    failures: dict[str, ZohoError] = {}
    for name, url in servers.items():
        try:
            body = ask_for_token(url, form, lambda url=url: session(url))  # type: ignore[misc] # bound at once
        except (ConfigurationError, TransientError, QuotaError) as error:
            failures[name] = error
            continue
        refresh_token = body.get("refresh_token")
        if not isinstance(refresh_token, str) or not refresh_token:
            raise ConfigurationError(
                OwnCode.NO_REFRESH_TOKEN,
                f"{urlsplit(url).netloc} took the grant code and gave no refresh token; {NEW_GRANT} "
                "For a client that is no Self Client, ask for it with access_type=offline and prompt=consent.",
            )
        scopes, domain = body.get("scope"), body.get("api_domain")
        return Grant(
            data_center=name,
            refresh_token=refresh_token,
            api_domain=domain if isinstance(domain, str) else "",
            scopes=tuple(scopes.replace(",", " ").split()) if isinstance(scopes, str) else (),
        )
    raise _most_telling(failures, servers)


def _most_telling(failures: Mapping[str, ZohoError], servers: Mapping[str, str]) -> ZohoError:
    """Of several refusals the one of the server that knows the client, else one that could not be asked."""
    ordered = [
        *(item for item in failures.items() if item[1].code in _TELLING),
        *(item for item in failures.items() if isinstance(item[1], (TransientError, QuotaError))),
        *failures.items(),
    ]
    name, error = ordered[0]
    if error.code not in OF_A_GRANT:
        return error
    asked = urlsplit(servers[name]).netloc
    if error.code == ZohoCode.invalid_client and len(failures) > 1:
        asked = f"none of the data centres {', '.join(failures)} knows the client"
    return ConfigurationError(error.code, f"{asked}: {error.code}: {OF_A_GRANT[error.code]}")
