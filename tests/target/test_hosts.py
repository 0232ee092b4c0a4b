from __future__ import annotations

import http.server
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from zoho_clients import MakeClient, ended, mapping, zip_of

from target_zoho_crm.api.data_centers import DATA_CENTERS, endpoints
from target_zoho_crm.api.errors import (
    ConfigurationError,
    TransientError,
)
from target_zoho_crm.writing.csv_files import job_body
from target_zoho_crm.writing.upsert_body import upsert_body

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


class Stranger:
    """A server that is neither configured nor Zoho's, and writes down the headers it is shown."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(dict(self.headers))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    made = Stranger()
    yield made
    made.close()


def test_the_token_goes_to_no_stranger(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, stranger: Stranger, tmp_path: Path
) -> None:
    client = make_client()
    target = tmp_path / "result.zip"
    with pytest.raises(ConfigurationError) as caught:
        client.download(f"{stranger.url}/result.zip", target)
    assert caught.value.code == "HOST_NOT_ALLOWED"
    zoho_emulator.admin.add_fault(
        "bulk_poll", kind="answer", status=302, body="", headers={"Location": f"{stranger.url}/result.zip"}
    )
    with pytest.raises(ConfigurationError) as caught:
        client.download("/crm/bulk/v8/write/1", target)
    assert caught.value.code == "HOST_NOT_ALLOWED"
    zoho_emulator.admin.add_fault("org", kind="answer", status=302, body="", headers={"Location": stranger.url})
    with pytest.raises((ConfigurationError, TransientError)):
        client.org()
    zoho_emulator.admin.clear_faults()
    body = {"access_token": "made-up", "api_domain": stranger.url, "expires_in": 3600}
    zoho_emulator.admin.add_fault("token", kind="answer", status=200, body=body)
    other = make_client(cache_dir=tmp_path / "other", urls={"api_url": None}, max_attempts=1)
    assert other._transport.api_base() == "https://www.zohoapis.com"  # noqa: SLF001 - it must not be asked for real
    assert stranger.seen == []
    assert not target.exists()


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://www.zohoapis.eu/crm", True),
        ("https://download-accl.zoho.com/x", True),
        ("https://download.zohocrm.com/x", True),
        ("https://download-accl.zohocloud.ca/x", True),
        ("https://zohocrm.com/x", False),
        ("https://evil.zohocrm.com/x", False),
        ("https://download.zohocrm.com.example.org/x", False),
        ("http://download.zohocrm.com/x", False),
        ("https://results.example.org/x", True),
        ("http://results.example.org/x", False),
        ("https://other.example.org/x", False),
        ("http://localhost:8600/x", True),
        ("http://localhost:8601/x", False),
        ("https://upload.zohocloud.ca/x", True),
        ("https://files.zoho.sa/x", True),
        ("http://127.0.0.1:8600/x", True),
        ("http://127.0.0.1:8601/x", False),
        ("https://127.0.0.1:8600/x", False),
        ("http://www.zohoapis.eu/crm", False),
        ("https://www.zohoapis.eu:8443/crm", False),
        ("https://zohoapis.eu.example.org/", False),
        ("https://evilzoho.com/", False),
        ("https://www.zohoapis.com@example.org/", False),
        ("https://user@www.zohoapis.com/", False),
        ("https://www.zohoapis.com:bad/", False),
        ("ftp://www.zohoapis.com/", False),
        ("/relative", False),
        ("https://evil.example\\@www.zohoapis.com/x", False),
        ("http://evil.example\\@127.0.0.1:8600/x", False),
        ("http://user@127.0.0.1:8600/x", False),
        ("https://evil.example\\.zohoapis.com/x", False),
        ("https://[www.zohoapis.com/x", False),
        ("https://evil.example\uff0f.zohoapis.com/x", False),
        ("https://www.zohoapis.com\n.evil.example/x", False),
        ("https://www.zohoapis.com/ x", False),
        ("https://www.zohoapis.com/" + "x" * 5000, False),
    ],
)
def test_the_token_may_go_to_configured_and_zoho_hosts_only(url: str, allowed: bool) -> None:  # noqa: FBT001
    configured = endpoints("us", overrides={"api_url": "http://127.0.0.1:8600"}, download_hosts=["results.example.org"])
    assert configured.may_see_token(url) is allowed


@pytest.mark.parametrize("way", ["link", "redirect", "api_domain"])
def test_a_link_that_two_readers_take_for_two_hosts_leads_nowhere(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, stranger: Stranger, tmp_path: Path, way: str
) -> None:
    """Before the `@` stands the stranger for urllib3, a user's name for Python's own reader of URLs."""
    two_faced = f"{stranger.url}\\@{zoho_emulator.base_url.removeprefix('http://')}"
    if way == "api_domain":
        body = {"access_token": "made-up", "api_domain": two_faced, "expires_in": 3600}
        zoho_emulator.admin.add_fault("token", kind="answer", status=200, body=body)
        other = make_client(cache_dir=tmp_path / "other", urls={"api_url": None}, max_attempts=1)
        assert other._transport.api_base() == "https://www.zohoapis.com"  # noqa: SLF001 - it must not be asked for real
        return
    link = f"{two_faced}/result.zip"
    if way == "redirect":
        zoho_emulator.admin.add_fault("bulk_poll", kind="answer", status=302, body="", headers={"Location": link})
        link = "/crm/bulk/v8/write/1"
    with pytest.raises(ConfigurationError) as caught:
        make_client().download(link, tmp_path / "result.zip")
    assert caught.value.code == "HOST_NOT_ALLOWED"
    assert stranger.seen == []


class SelfSigned:
    """An HTTPS server whose certificate nobody has signed but itself; counts the requests that it reads."""

    def __init__(self, folder: Path) -> None:
        self.requests = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate(folder))

        def count() -> None:
            self.requests += 1

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                count()
                self.send_error(500)

            do_POST = do_GET  # noqa: N815 - http.server's way of naming

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @staticmethod
    def _certificate(folder: Path) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.now(timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = folder / "self-signed.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        return pem

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[SelfSigned]:
    made = SelfSigned(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("which", ["accounts_url", "api_url", "upload_url"])
def test_a_server_whose_certificate_nobody_signed_is_told_nothing(
    make_client: MakeClient, self_signed: SelfSigned, tmp_path: Path, which: str
) -> None:
    client = make_client(urls={which: f"https://{self_signed.host}"}, max_attempts=2)
    (tmp_path / "orders.zip").write_bytes(b"")
    with pytest.raises(ConfigurationError) as caught:
        client.upload(tmp_path / "orders.zip")
    assert caught.value.code == "TLS_FAILED"
    assert self_signed.host in str(caught.value)
    assert "CA bundle" in str(caught.value)
    assert self_signed.requests == 0


def test_a_result_on_a_host_of_its_own_is_fetched_where_the_user_named_the_host(
    make_client: MakeClient, stranger: Stranger, tmp_path: Path
) -> None:
    target = tmp_path / "result.zip"
    with pytest.raises(ConfigurationError, match="may not see the token"):
        make_client().download(f"{stranger.url}/result.zip", target)
    assert stranger.seen == []
    make_client(download_hosts=[stranger.url]).download(f"{stranger.url}/result.zip", target)
    assert len(stranger.seen) == 1


def test_every_data_centre_has_its_hosts_and_a_sandbox() -> None:
    assert set(DATA_CENTERS) == {"us", "eu", "in", "jp", "au", "cn", "ca", "sa", "ae"}
    for name, hosts in DATA_CENTERS.items():
        made = endpoints(name)
        top = hosts.accounts.removeprefix("accounts.zoho").removeprefix("cloud").removeprefix(".")
        assert hosts.downloads[1] == f"download.zohocrm.{top}"
        assert all(made.may_see_token(f"https://{host}/v2/crm/1/bulk-write/2/2.zip") for host in hosts.downloads)
        assert not made.api_fixed
        assert all(made.may_see_token(url) for url in (made.accounts_url, made.api_url, made.upload_url))
    sandbox = endpoints("eu", "sandbox")
    assert (sandbox.api_url, sandbox.api_fixed) == ("https://sandbox.zohoapis.eu", True)
    assert sandbox.accounts_url == "https://accounts.zoho.eu"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("uk",), "UNKNOWN_DATA_CENTER"),
        (("eu", "sandbx"), "UNKNOWN_DATA_CENTER"),
        (("eu", "production", {"api_url": "http://www.zohoapis.eu"}), "INSECURE_URL"),
        (("eu", "production", {"accounts_url": "http://localhost.example.org"}), "INSECURE_URL"),
        (("eu", "production", {"upload_url": "content.zohoapis.eu"}), "INVALID_URL"),
        (("eu", "production", {}, ["http://results.example.org"]), "INSECURE_URL"),
        (("eu", "production", {}, ["no host"]), "INVALID_URL"),
        (("eu", "production", {"upload_url": "https://a:b@content.zohoapis.eu"}), "INVALID_URL"),
    ],
)
def test_a_wrong_address_is_refused_before_anything_is_sent(arguments: tuple[Any, ...], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        endpoints(*arguments)
    assert caught.value.code == code
    assert "a:b" not in str(caught.value)


def test_a_netrc_entry_and_a_proxy_of_the_environment_do_not_reach_a_loopback_call(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert make_client().current_user()


def test_neither_tokens_nor_records_are_logged_on_any_level(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    zoho_emulator.admin.settings(job_seconds=0)
    client = make_client(max_attempts=2)
    made = mapping(client)
    body, _ = upsert_body(made, ["K1"], [("A private name", 1, None, None)])
    client.upsert("Orders", body, records=1)
    zip_of(client, tmp_path / "orders.zip", 1)
    answer = ended(client, client.create_job(job_body("Orders", client.upload(tmp_path / "orders.zip"), made)))
    client.download(answer.download_url or "", tmp_path / "result.zip")
    zoho_emulator.admin.add_fault("upsert", kind="answer", status=400, body={"code": "X", "status": "error"})
    with pytest.raises(ConfigurationError) as caught:
        client.upsert("Orders", body, records=1)
    (cached,) = (tmp_path / "cache").glob("token-*.json")
    token = json.loads(cached.read_text())["value"]
    assert "POST /crm/v8/Orders/upsert" in caplog.text, "urllib3's debug log was on"
    for secret in (token, zoho_emulator.refresh_token, zoho_emulator.client_secret, "A private name", "Order 0"):
        assert secret not in caplog.text
        assert secret not in str(caught.value)
