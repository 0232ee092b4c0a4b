"""Evidence holds nothing of the org's own, whatever an answer brings, and still shows the form of each value."""

from __future__ import annotations

from typing import Any

import pytest

from orders_sync.probing.scrubbing import Scrubber, secrets_of
from orders_sync.probing.wire import Exchange

ORG = {"zgid": "60012345678", "company_name": "Müller & Söhne", "primary_email": "boss@example.org", "country": "DE"}


def scrubber() -> Scrubber:
    return Scrubber(secrets_of([ORG], {"Kunden_Orders": "<module>"}))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("4876876000000000301", "<id>"),
        (4876876000000000301, "<id as a number>"),
        ("somebody.else@firm.example wrote", "<email> wrote"),
        ("1000.abcdef0123456789.fedcba9876543210 is old", "<token> is old"),
        ("/v2/crm/org60012345678/bulk-write/4876876000000001234/x.zip", "/v2/crm/org<id>/bulk-write/<id>/x.zip"),
        ("Müller & Söhne has Kunden_Orders", "<name> has <module>"),
        ({"name": "Anna Schmidt", "id": "4876876000000000301"}, {"name": "<name>", "id": "<id>"}),
        ({"Name": "orders-sync-probe-0a1b2c3d-4"}, {"Name": "orders-sync-probe-0a1b2c3d-4"}),
        ({"count": "12", "limit": 25000, "more": None}, {"count": "12", "limit": 25000, "more": None}),
        (list(range(9)), [0, 1, 2, 3, "... 9 in all"]),
    ],
)
def test_what_is_the_orgs_own_is_taken_out_and_the_rest_stays(value: Any, shown: Any) -> None:
    assert scrubber().value(value) == shown


def test_evidence_has_request_and_answer_and_of_the_headers_what_matters() -> None:
    headers = {"Authorization": "secret", "Retry-After": "3", "Set-Cookie": "x"}
    exchange = Exchange("GET", "/crm/v8/Kunden_Orders", None, 429, headers, None, b"slow down", 0.1)
    assert scrubber().evidence(exchange) == {
        "request": "GET /crm/v8/<module>",
        "status": 429,
        "headers": {"Retry-After": "3"},
        "answer": "slow down",
    }
