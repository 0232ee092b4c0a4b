"""Access tokens that Zoho refuses: renewed once, whatever the refusal is called, and never in a loop."""

from __future__ import annotations

import pytest
from pair_of_plugins import Shop

MENDED_BY_A_RENEWAL = ["INVALID_TOKEN", "AUTHENTICATION_FAILURE", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILED"]


def asked(shop: Shop, endpoint: str) -> int:
    return int(shop.emulator.admin.stats()["requests"].get(endpoint, 0))


@pytest.mark.parametrize("code", MENDED_BY_A_RENEWAL)
def test_a_refused_token_is_renewed_once_by_whatever_name(shop: Shop, code: str) -> None:
    shop.emulator.admin.switch(unauthorized_code=code)
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    tokens = asked(shop, "token")
    shop.emulator.admin.revoke_tokens()
    shop.insert(["SO-2"])
    ended = shop.run()
    assert ended.code == 0, ended.err
    shop.assert_all_synced()
    assert asked(shop, "token") == tokens + 1


@pytest.mark.parametrize("code", MENDED_BY_A_RENEWAL)
def test_a_token_refused_after_its_renewal_is_a_fault_of_the_set_up_and_no_loop(shop: Shop, code: str) -> None:
    shop.target_config = {"channel": "upsert"}
    shop.insert(["SO-1"])
    answer = {"code": code, "details": {}, "message": "no", "status": "error"}
    shop.emulator.admin.add_fault("upsert", kind="answer", status=401, body=answer)
    ended = shop.run()
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    (line,) = ended.errors
    assert f"{code} (HTTP 401)" in line
    assert (asked(shop, "upsert"), asked(shop, "token")) == (2, 2)
    assert shop.acks() == {}
    shop.emulator.admin.clear_faults()
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_a_missing_scope_is_not_mended_by_a_renewal(shop: Shop) -> None:
    shop.target_config = {"channel": "upsert"}
    shop.insert(["SO-1"])
    shop.emulator.admin.add_fault("upsert", kind="answer", canned="scope_mismatch")
    ended = shop.run()
    assert ended.code == 2, ended.err
    assert (asked(shop, "upsert"), asked(shop, "token")) == (1, 1)
