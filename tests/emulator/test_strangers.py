"""A web page of somebody else, open in a browser on this machine, neither turns nor reads the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

PLACES = (
    ("POST", "/_emulator/reset"),
    ("GET", "/_emulator/modules/Orders/records"),
    ("GET", "/"),
    ("PATCH", "/_emulator/settings"),
    ("POST", "//_emulator/reset"),
)
STRANGERS = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Host": "evil.example"},
    {"Host": "rebound.evil.example:{port}", "Origin": "http://rebound.evil.example:{port}"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


@pytest.mark.parametrize("headers", STRANGERS)
def test_a_request_of_a_foreign_page_is_refused(zoho_emulator: EmulatorProcess, headers: dict[str, str]) -> None:
    port = urlsplit(zoho_emulator.base_url).port
    given = {name: value.format(port=port) for name, value in headers.items()}
    for method, path in PLACES:
        answer = requests.request(method, zoho_emulator.base_url + path, headers=given, json={}, timeout=60)
        assert answer.status_code in {400, 403}, (method, path)
        assert "Orders" not in answer.text


def test_its_own_page_and_clients_are_let_in(zoho_emulator: EmulatorProcess) -> None:
    parts = urlsplit(zoho_emulator.base_url)
    own = ({}, {"Origin": zoho_emulator.base_url, "Sec-Fetch-Site": "same-origin"}, {"Host": f"localhost:{parts.port}"})
    for headers in (*own, {"Host": f"emulator:{parts.port}"}, {"Sec-Fetch-Site": "none"}):
        for method, path in PLACES[1:4]:
            answer = requests.request(method, zoho_emulator.base_url + path, headers=headers, json={}, timeout=60)
            assert answer.status_code == 200, (headers, path)
