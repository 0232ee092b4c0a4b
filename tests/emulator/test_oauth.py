from __future__ import annotations

import pytest
import requests
from emulator_client import Client


def test_a_token_answers_its_own_base_and_an_hour_of_life(crm: Client) -> None:
    answer = crm.token()
    body = answer.json()
    assert answer.status_code == 200
    assert (body["api_domain"], body["expires_in"], body["token_type"]) == (crm.base, 3600, "Bearer")
    assert "refresh_token" not in body


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"refresh_token": "1000.none.such"}, "invalid_code"),
        ({"client_id": "1000.NOBODY"}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client_secret"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_token_errors_come_with_status_200(crm: Client, changes: dict[str, str], error: str) -> None:
    answer = crm.token(**changes)
    assert (answer.status_code, answer.json()) == (200, {"error": error})


def test_an_eleventh_token_within_ten_minutes_is_denied_and_later_granted(crm: Client) -> None:
    assert all("access_token" in crm.token().json() for _ in range(9))
    denied = crm.token()
    assert (denied.status_code, denied.json()["error"]) == (400, "Access Denied")
    crm.emulator.admin.advance_clock(601)
    assert "access_token" in crm.token().json()


def test_the_sixteenth_live_token_ends_the_oldest(crm: Client) -> None:
    assert crm.get("/crm/v8/org").status_code == 200
    for number in range(15):
        if number == 9:
            crm.emulator.admin.advance_clock(601)
        assert "access_token" in crm.token().json()
    assert crm.get("/crm/v8/org").json()["code"] == "INVALID_TOKEN"
    assert crm.emulator.admin.stats()["live_tokens"] == 15


def test_a_token_ends_after_an_hour_of_the_clock_or_when_revoked(crm: Client) -> None:
    crm.emulator.admin.advance_clock(3500)
    assert crm.get("/crm/v8/org").status_code == 200
    crm.emulator.admin.advance_clock(101)
    answer = crm.get("/crm/v8/org")
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_TOKEN")
    fresh = Client(crm.emulator)
    assert crm.emulator.admin.revoke_tokens() == 1
    assert fresh.get("/crm/v8/org").json()["code"] == "INVALID_TOKEN"


@pytest.mark.parametrize("code", ["AUTHENTICATION_FAILURE", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILED"])
def test_a_refused_token_can_be_called_otherwise(crm: Client, code: str) -> None:
    crm.emulator.admin.switch(unauthorized_code=code)
    assert crm.get("/crm/v8/org").status_code == 200
    crm.emulator.admin.revoke_tokens()
    answer = crm.get("/crm/v8/org")
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert Client(crm.emulator).get("/crm/v8/org").status_code == 200


def test_only_zohos_own_header_scheme_counts(crm: Client) -> None:
    token = crm.session.headers["Authorization"].split()[-1]
    for header in ({"Authorization": f"Bearer {token}"}, {"Authorization": None}):
        answer = crm.get("/crm/v8/org", headers=header)
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTHENTICATION_FAILURE")
    assert crm.get("/crm/v8/org", headers={"Authorization": "Zoho-oauthtoken x"}).json()["code"] == "INVALID_TOKEN"


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("ZohoCRM.org.READ", "/crm/v8/org"),
        ("ZohoCRM.users.READ", "/crm/v8/users"),
        ("ZohoCRM.settings.ALL", "/crm/v8/settings/fields?module=Orders"),
        ("ZohoCRM.settings.modules.READ", "/crm/v8/settings/modules"),
        ("ZohoCRM.modules.custom.ALL", "/crm/v8/Orders?fields=id"),
        ("ZohoCRM.modules.Orders.READ", "/crm/v8/Orders?fields=id"),
    ],
)
def test_a_call_without_its_scope_is_refused_and_with_it_taken(crm: Client, scope: str, path: str) -> None:
    admin = crm.emulator.admin
    without = Client(crm.emulator, refresh_token=admin.grant(["ZohoCRM.bulk.ALL"]))
    answer = without.get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")
    assert Client(crm.emulator, refresh_token=admin.grant([scope])).get(path).status_code in {200, 204}


def test_uploading_needs_a_scope_of_its_own(crm: Client) -> None:
    refresh = crm.emulator.admin.grant(["ZohoCRM.bulk.ALL", "ZohoCRM.modules.ALL"])
    assert Client(crm.emulator, refresh_token=refresh).upload(b"").json()["code"] == "OAUTH_SCOPE_MISMATCH"


def test_a_refresh_token_can_end_by_time_or_by_revocation(crm: Client) -> None:
    admin = crm.emulator.admin
    short = admin.grant(expires_in=60)
    assert "access_token" in crm.token(refresh_token=short).json()
    admin.advance_clock(61)
    assert crm.token(refresh_token=short).json() == {"error": "invalid_code"}
    admin.revoke_grant(crm.refresh_token)
    assert crm.token().json() == {"error": "invalid_code"}
    assert crm.get("/crm/v8/org").json()["code"] == "INVALID_TOKEN"


def test_an_unknown_address_or_method_is_named_as_such(crm: Client) -> None:
    assert crm.get("/crm/v7/Nothing/at/all").json()["code"] == "INVALID_URL_PATTERN"
    answer = requests.put(f"{crm.base}/oauth/v2/token", timeout=120)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST_METHOD")


def exchange(crm: Client, code: str, **changes: str) -> requests.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": crm.emulator.client_id,
        "client_secret": crm.emulator.client_secret,
        "code": code,
        **changes,
    }
    return requests.post(f"{crm.base}/oauth/v2/token", data=form, timeout=120)


def test_a_grant_code_gives_a_refresh_token_once(crm: Client) -> None:
    code = crm.emulator.admin.grant_code(["ZohoCRM.org.READ"])
    body = exchange(crm, code).json()
    assert (body["api_domain"], body["expires_in"]) == (crm.base, 3600)
    fresh = crm.token(refresh_token=body["refresh_token"]).json()["access_token"]
    header = {"Authorization": f"Zoho-oauthtoken {fresh}"}
    assert requests.get(f"{crm.base}/crm/v8/org", headers=header, timeout=120).status_code == 200
    missing = requests.get(f"{crm.base}/crm/v8/users", headers=header, timeout=120)
    assert missing.json()["code"] == "OAUTH_SCOPE_MISMATCH"
    assert exchange(crm, code).json() == {"error": "invalid_code"}


def test_a_refused_exchange_leaves_the_code_unused(crm: Client) -> None:
    code = crm.emulator.admin.grant_code()
    assert exchange(crm, code, client_id="1000.NOBODY").json() == {"error": "invalid_client"}
    assert exchange(crm, code, client_secret="wrong").json() == {"error": "invalid_client_secret"}
    assert "refresh_token" in exchange(crm, code).json()


def test_a_grant_code_grows_old(crm: Client) -> None:
    code = crm.emulator.admin.grant_code()
    crm.emulator.admin.advance_clock(181)
    assert exchange(crm, code).json() == {"error": "invalid_code"}
