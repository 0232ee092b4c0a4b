"""More access tokens than Zoho gives in ten minutes: the run ends at once, and nothing is asked until they are over."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path

import pytest
from following_pair import FOLLOW, following, until
from pair_of_plugins import Finished, Shop

WAY_OUT = "Zoho gives no more access tokens for a while (at most 10 in 10 minutes). Run again after "
AFTER = re.compile(r"Run again after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


def asked(shop: Shop) -> int:
    """How many requests the emulator saw, of all kinds."""
    return sum(shop.emulator.admin.stats()["requests"].values())


def token_file() -> Path:
    (found,) = (Path(os.environ["XDG_CACHE_HOME"]) / "target-zoho-crm").glob("token-*.json")
    return found


def ten_minutes_pass(shop: Shop) -> None:
    """As the host's own file and the ledger have it."""
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE zoho_sync_token SET denied_until = NULL")
    kept = json.loads(token_file().read_text())
    token_file().write_text(json.dumps(kept | {"denied_until": kept["denied_until"] - 600}))


def ends_in_one_line(ended: Finished) -> None:
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err
    (line,) = ended.errors
    assert WAY_OUT in line
    assert AFTER.search(line), line


@pytest.mark.parametrize("status", [400, 200])
def test_a_run_without_a_token_asks_once_and_the_next_ones_not_at_all(shop: Shop, status: int) -> None:
    admin = shop.emulator.admin
    shop.insert(["SO-1"])
    admin.add_fault("token", kind="answer", canned="access_denied", status=status)
    ends_in_one_line(shop.run())
    assert asked(shop) == 1
    for _ in range(2):
        ends_in_one_line(shop.run())
    assert asked(shop) == 1
    assert shop.acks() == {}
    assert token_file().stat().st_mode & 0o777 == 0o600
    ten_minutes_pass(shop)
    ends_in_one_line(shop.run())  # and is denied once more
    assert asked(shop) == 2
    admin.clear_faults()
    ten_minutes_pass(shop)
    ended = shop.run()
    assert ended.code == 0, ended.err
    shop.assert_all_synced()


@pytest.mark.parametrize(
    ("channel", "endpoint"), [("upsert", "upsert"), ("bulk_write", "upload"), ("bulk_write", "bulk_poll")]
)
def test_a_token_that_ends_in_mid_run_and_is_not_renewed_blames_no_order(
    shop: Shop, channel: str, endpoint: str
) -> None:
    admin = shop.emulator.admin
    shop.target_config = {"channel": channel}
    shop.insert(f"SO-{number}" for number in range(1_200))
    hold = admin.add_fault(endpoint, kind="hold_before")
    result: list[Finished] = []
    running = threading.Thread(target=lambda: result.append(shop.run()))
    running.start()
    admin.wait_held(hold)
    admin.revoke_tokens()
    admin.add_fault("token", kind="answer", canned="access_denied")
    tokens = admin.stats()["requests"]["token"]
    admin.release(hold)
    running.join()
    ends_in_one_line(result[0])
    assert admin.stats()["requests"]["token"] == tokens + 1
    assert {ack.attempts for ack in shop.acks().values()} <= {0}
    assert {ack.status for ack in shop.acks().values()} <= {"submitted", "rejected"}
    admin.clear_faults()
    ten_minutes_pass(shop)
    ended = shop.run()
    assert ended.code == 0, ended.err
    shop.assert_all_synced()
    assert sum(admin.stats()["jobs"].values()) == (channel == "bulk_write")


def test_a_continuous_run_waits_and_asks_again_when_it_may(shop: Shop) -> None:
    admin = shop.emulator.admin
    admin.add_fault("token", kind="answer", canned="access_denied", times=1)
    shop.tap_config, shop.target_config = dict(FOLLOW), {"max_age_seconds": 0.2}
    shop.insert(["SO-1"])
    with following(shop) as pair:
        until(lambda: "This run waits until then" in pair.log, pair)
        assert asked(shop) == 1
        ten_minutes_pass(shop)
        until(lambda: len(shop.crm()) == 1, pair)
        assert admin.stats()["requests"]["token"] == 2
        ended = pair.stop()
    assert ended.code == 0, ended.err
    assert ended.err.count("This run waits until then") == 1
    shop.assert_all_synced()


def test_a_continuous_run_that_waits_for_tokens_ends_well_when_it_is_asked_to(shop: Shop) -> None:
    shop.emulator.admin.add_fault("token", kind="answer", canned="access_denied")
    shop.tap_config, shop.target_config = dict(FOLLOW), {"max_age_seconds": 0.2}
    shop.insert(["SO-1"])
    with following(shop) as pair:
        until(lambda: "This run waits until then" in pair.log, pair)
        ended = pair.stop()
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    assert asked(shop) == 1
