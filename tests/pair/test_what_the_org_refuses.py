"""What Zoho refuses for the org's sake, and no order's: bulk write, licences, storage, fields made mandatory."""

from __future__ import annotations

import pytest
from pair_of_plugins import Shop

NOT_OPEN = "bulk write is not open to this org"


@pytest.mark.parametrize("endpoint", ["upload", "bulk_create"])
@pytest.mark.parametrize("code", ["feature_not_supported", "no_permission"])
@pytest.mark.parametrize("channel", ["auto", "bulk_write"])
def test_where_bulk_write_is_not_open_orders_go_by_calls_and_the_price_is_said_once(
    shop: Shop, channel: str, code: str, endpoint: str
) -> None:
    shop.target_config = {"channel": channel, "bulk_rows": 100}
    if channel == "auto":
        shop.target_config["bulk_threshold"] = 50
    shop.insert(f"SO-{number}" for number in range(250))
    shop.emulator.admin.add_fault(endpoint, kind="answer", canned=code)
    first = shop.run()
    assert (first.code, first.summary["synced"]) == (0, 250), first.err
    assert first.err.count(NOT_OPEN) == 1
    assert code.upper() in first.err
    assert "100 of them now for 10 credits, where a job would have cost 500" in first.err
    assert shop.emulator.admin.stats()["requests"].get(endpoint, 0) == 1, "it is asked once a run"
    assert sum(shop.emulator.admin.stats()["jobs"].values()) == 0
    shop.assert_all_synced()
    assert {job.step for job in shop.jobs()} == {"abandoned"}

    shop.change([f"SO-{number}" for number in range(60)])
    again = shop.run()
    assert (again.code, again.summary["synced"]) == (0, 60), again.err
    shop.emulator.admin.clear_faults()
    shop.change([f"SO-{number}" for number in range(60)])
    assert NOT_OPEN not in shop.run().err
    assert sum(shop.emulator.admin.stats()["jobs"].values()) == 1


@pytest.mark.parametrize("code", ["LICENSE_LIMIT_EXCEEDED", "STORAGE_SPACE_EXCEEDED", "MAX_RECORDS_LIMIT_REACHED"])
@pytest.mark.parametrize("told", ["of the call", "of each record"])
def test_what_the_org_lacks_blames_no_order_and_starts_no_search(shop: Shop, code: str, told: str) -> None:
    shop.target_config = {"channel": "upsert"}
    keys = [f"SO-{number}" for number in range(40)]
    shop.insert(keys)
    admin = shop.emulator.admin
    if told == "of the call":
        body = {"code": code, "details": {}, "message": "the org may not", "status": "error"}
        admin.add_fault("upsert", kind="answer", status=400, body=body)
    else:
        admin.add_fault("upsert", kind="record_error", code=code, keys=keys)
    full = shop.run()
    assert full.code == 1, full.err
    assert code in full.errors[-1]
    assert admin.stats()["requests"]["upsert"] == 1, full.err
    assert all(ack.status != "rejected" or ack.attempts == 0 for ack in shop.acks().values())
    admin.clear_faults()
    assert shop.run().code == 0
    shop.assert_all_synced()


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
@pytest.mark.parametrize("demand", ["system_mandatory", "layout_mandatory"])
def test_a_first_load_without_a_source_for_a_mandatory_field_ends_before_its_first_write(
    shop: Shop, demand: str, channel: str
) -> None:
    shop.target_config = {"channel": channel}
    admin = shop.emulator.admin
    admin.alter_field("Orders", "Name", **{demand: True})
    shop.insert(["SO-1", "SO-2"])
    refused = shop.run()
    assert refused.code == 2, refused.err
    assert "module Orders demands Name" in refused.errors[-1]
    assert '{"Name": {"source": "order_id"}}' in refused.errors[-1]
    requests = admin.stats()["requests"]
    assert {"upsert", "upload", "bulk_create"}.isdisjoint(requests)
    shop.target_config = {"channel": channel, "fields": {"Name": {"source": "order_id"}}}
    assert shop.run().code == 0
    shop.assert_all_synced()
    assert {record["Name"] for record in admin.records("Orders")} == {"SO-1", "SO-2"}


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_where_a_field_is_made_mandatory_later_updates_go_on_and_new_orders_are_refused_by_name(
    shop: Shop, channel: str
) -> None:
    shop.target_config = {"channel": channel}
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    shop.emulator.admin.alter_field("Orders", "Name", layout_mandatory=True)
    shop.insert(["SO-2"])
    shop.change(["SO-1"])
    later = shop.run()
    assert (later.summary["synced"], later.summary["rejected"]) == (1, 1), later.err
    assert "new orders are refused, since these are mandatory: Name" in later.err
    ack = shop.acks()["SO-2"]
    assert (ack.status, ack.error_code, ack.error_field) == ("rejected", "MANDATORY_NOT_FOUND", "Name")
    shop.assert_all_synced(but={"SO-2"})
