"""Zoho's data centres, and which hosts may see the token: the configured ones and Zoho's own, over https."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import close_names, configuration_error


@dataclass(frozen=True, slots=True)
class DataCenter:
    """Hosts of one data centre: accounts (tokens), API, upload, and where results of jobs lie."""

    accounts: str
    api: str
    upload: str

    @property
    def downloads(self) -> tuple[str, ...]:
        """The hosts of links to results: as recorded and as the newer sample has it, elsewhere by analogy."""
        domain = self.accounts.removeprefix("accounts.")
        return f"download-accl.{domain}", f"download.zohocrm.{domain.partition('.')[2]}"


# Source: Zoho's API documentation and its official SDK. The documentation now also names upload.zoho.* for
# uploads, so that host is a setting of its own. The hosts of `ae` are derived, not documented.
DATA_CENTERS: dict[str, DataCenter] = {
    "us": DataCenter("accounts.zoho.com", "www.zohoapis.com", "content.zohoapis.com"),
    "eu": DataCenter("accounts.zoho.eu", "www.zohoapis.eu", "content.zohoapis.eu"),
    "in": DataCenter("accounts.zoho.in", "www.zohoapis.in", "content.zohoapis.in"),
    "jp": DataCenter("accounts.zoho.jp", "www.zohoapis.jp", "content.zohoapis.jp"),
    "au": DataCenter("accounts.zoho.com.au", "www.zohoapis.com.au", "content.zohoapis.com.au"),
    "cn": DataCenter("accounts.zoho.com.cn", "www.zohoapis.com.cn", "content.zohoapis.com.cn"),
    "ca": DataCenter("accounts.zohocloud.ca", "www.zohoapis.ca", "upload.zohocloud.ca"),
    "sa": DataCenter("accounts.zoho.sa", "www.zohoapis.sa", "files.zoho.sa"),
    "ae": DataCenter("accounts.zoho.ae", "www.zohoapis.ae", "files.zoho.ae"),
}
ENVIRONMENTS = {"production": "www", "sandbox": "sandbox", "developer": "developer"}
URL_CHARACTERS = 4096
_DOWNLOADS = frozenset(host for dc in DATA_CENTERS.values() for host in dc.downloads)
_ZOHO_DOMAINS = tuple(
    dict.fromkeys(host.partition(".")[2] for dc in DATA_CENTERS.values() for host in (dc.accounts, dc.api, dc.upload))
)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs without a slash at the end.

    `api_fixed` says that `api_url` was chosen by the user (or by a sandbox), so the token answer's `api_domain` does
    not replace it.
    """

    accounts_url: str
    api_url: str
    upload_url: str
    api_fixed: bool = False
    download_urls: tuple[str, ...] = ()
    """Further places that a link to a job's result may lead to."""

    def may_see_token(self, url: str) -> bool:
        """Whether the token may travel to this URL: a configured origin, or https at a host of Zoho's.

        Never to a URL that two readers could take for two hosts: one with a user, a backslash, or what is no ASCII.
        """
        if not is_plain_url(url) or "@" in (parts := urlsplit(url)).netloc:
            return False
        own_urls = (self.accounts_url, self.api_url, self.upload_url, *self.download_urls)
        if _place(url) in map(_place, own_urls):
            return True
        host = parts.hostname or ""
        own = host in _DOWNLOADS or any(host == domain or host.endswith("." + domain) for domain in _ZOHO_DOMAINS)
        return own and parts.scheme == "https" and _port(parts) in (None, 443)


def endpoints(
    data_center: str,
    environment: str = "production",
    overrides: Mapping[str, str | None] | None = None,
    download_hosts: Iterable[str] = (),
) -> Endpoints:
    """The base URLs of a data centre and environment; `overrides` may hold accounts_url, api_url, upload_url.

    `download_hosts` are hosts, or base URLs, that a link to a job's result may lead to beside Zoho's own.

    Raises:
        ConfigurationError: unknown data centre or environment; a URL that is neither https nor loopback.
    """
    hosts = DATA_CENTERS.get(data_center)
    if hosts is None:
        known = ", ".join(DATA_CENTERS)
        raise configuration_error(OwnCode.UNKNOWN_DATA_CENTER, f"data_center {data_center!r} is none of {known}.")
    if environment not in ENVIRONMENTS:
        hint = close_names(environment, ENVIRONMENTS)
        raise configuration_error(
            OwnCode.UNKNOWN_DATA_CENTER, f"environment {environment!r} is none of {', '.join(ENVIRONMENTS)}.{hint}"
        )
    given = {name: url for name, url in (overrides or {}).items() if url}
    api_host = hosts.api.replace("www.", ENVIRONMENTS[environment] + ".", 1)
    return Endpoints(
        accounts_url=_checked("accounts_url", given.get("accounts_url", f"https://{hosts.accounts}")),
        api_url=_checked("api_url", given.get("api_url", f"https://{api_host}")),
        upload_url=_checked("upload_url", given.get("upload_url", f"https://{hosts.upload}")),
        api_fixed="api_url" in given or environment != "production",
        download_urls=tuple(
            _checked("download_hosts", host if "://" in host else f"https://{host}") for host in download_hosts
        ),
    )


def is_plain_url(url: str) -> bool:
    """Whether every reader takes this URL, whole or relative, for the same: it is plain ASCII without a backslash."""
    if len(url) > URL_CHARACTERS or not (url.isascii() and url.isprintable()) or "\\" in url or " " in url:
        return False
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def host_of(url: str) -> str:
    """The URL's host and port, for messages."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return "(none)"


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """Scheme, host and port, with the scheme's usual port filled in."""
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", _port(parts) or usual


def _place(url: str) -> tuple[str, str, int | None]:
    """The origin of a URL; all names of this machine are one, since a port of it is one server."""
    scheme, host, port = origin(urlsplit(url))
    return scheme, "localhost" if is_loopback(url) else host, port


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return -1  # no valid port: equal to no configured one


def _checked(name: str, url: str) -> str:
    if not is_plain_url(url) or not (parts := urlsplit(url)).hostname or "@" in parts.netloc or _port(parts) == -1:
        raise configuration_error(OwnCode.INVALID_URL, f"{name} is not a URL of the form https://host.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise configuration_error(
            OwnCode.INSECURE_URL, f"{name} ({parts.scheme}://{parts.hostname}) would show the token."
        )
    return url.rstrip("/")
