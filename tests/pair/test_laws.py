"""Laws asserted in production: what breaks one is held up by name, and all else goes on."""

from __future__ import annotations

import signal

import pytest
import sqlalchemy as sa
from pair_of_plugins import Shop

from target_zoho_crm.confirmation.laws import are_of_rows, as_sent
from target_zoho_crm.confirmation.outcomes import Outcome, Status

KEYS = [f"SO-{number}" for number in range(20)]


def test_a_jobs_end_overwrites_no_ack_that_is_newer_than_the_job(any_shop: Shop) -> None:
    shop = any_shop
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(KEYS)
    assert shop.run(kill_at="before:target_zoho_crm.api.client.ZohoClient.job").code == -signal.SIGKILL
    newer = "UPDATE zoho_sync_ack SET status = 'parked', job_id = NULL WHERE record_key = 'SO-7'"
    with shop.engine.begin() as connection:
        connection.execute(sa.text(newer))
    adopting = shop.run()
    assert adopting.code == 0, adopting.err
    assert [line for line in adopting.errors if "had other acks by now" in line and "'SO-7'" in line]
    assert {key for key, ack in shop.acks().items() if ack.status == "synced"} == {*KEYS} - {"SO-7"}
    assert shop.acks()["SO-7"].status == "parked"


def outcome(key: str, version: str = "v1") -> Outcome:
    return Outcome(key, version, Status.SYNCED, "1")


@pytest.mark.parametrize("strange", [[outcome("SO-1", "v2")], [outcome("SO-2")], [outcome("SO-1"), outcome("SO-1")]])
def test_an_outcome_of_what_was_not_sent_is_not_believed(
    strange: list[Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    good = outcome("SO-9")
    kept = as_sent([good, *strange], {"SO-1": "v1", "SO-9": "v1"}, "orders")
    assert kept == [good, *strange[:1]] if len(strange) == 2 else kept == [good]
    assert strange[0].key in caplog.text


@pytest.mark.parametrize(
    ("found", "lawful"),
    [
        ([outcome("SO-1"), outcome("SO-2")], True),
        ([outcome("SO-2"), outcome("SO-1")], True),
        ([outcome("SO-1")], False),
        ([outcome("SO-1"), outcome("SO-1")], False),
        ([outcome("SO-1"), outcome("SO-2"), outcome("SO-2")], False),
        ([outcome("SO-1"), outcome("SO-2", "v2")], False),
        ([outcome("SO-1"), outcome("SO-3")], False),
    ],
)
def test_a_jobs_outcomes_are_those_of_its_rows(found: list[Outcome], *, lawful: bool) -> None:
    assert are_of_rows(found, {"SO-1": "v1", "SO-2": "v1"}) is lawful
