"""An audit invents no difference, however the pair is set up, and finds one in each set-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from audited_shop import audit, edit, kinds, orders_in
from flag_shop import FlagShop
from pair_of_plugins import ORDERS, Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

KEYS = [f"SO-{number:02d}" for number in range(20)]


@pytest.fixture
def shop(postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(postgresql_url, zoho_emulator, tmp_path)
    made.tap_config["lookback_seconds"] = 0
    yield made
    made.engine.dispose()


def ledger_elsewhere(shop: Shop) -> None:
    shop.ack_url = f"sqlite:///{shop.folder / 'ledger.sqlite'}"


def by_content(shop: Shop) -> None:
    shop.tap_config = {"change_detection": "content"}


def with_deletions(shop: Shop) -> None:
    shop.emulator.admin.add_field("Orders", "Is_Gone", "boolean")
    shop.tap_config["find_deleted"] = True
    shop.target_config = {"on_delete": "mark", "delete_field": "Is_Gone"}


def some_fields(shop: Shop) -> None:
    shop.target_config = {"fields": {"Notes": {"source": "customer_name"}, "Country": {"default": "Peru"}}}


def case_sensitive_key(shop: Shop) -> None:
    shop.emulator.admin.alter_field("Orders", "parent_id", case_sensitive=True)


def other_zone(shop: Shop) -> None:
    shop.emulator.admin.switch(time_zone="Asia/Kolkata")
    shop.tap_config["timezone"] = "Europe/Berlin"


SET_UPS = (ledger_elsewhere, by_content, with_deletions, some_fields, case_sensitive_key, other_zone)


@pytest.mark.slow
@pytest.mark.parametrize("set_up", SET_UPS)
def test_nothing_is_invented_and_a_change_by_a_person_is_found(shop: Shop, set_up: Callable[[Shop], None]) -> None:
    set_up(shop)
    shop.insert(KEYS)
    shop.ticks += 1_000_000
    shop.insert(["LAST"])
    assert shop.run().code == 0
    equal = audit(shop)
    assert (equal["findings"], equal["counts"]["equal"], equal["equal"]) == ([], 21, True)
    edit(shop, KEYS[:2], Notes="as a person wrote it")
    found = audit(shop, "--repair", "edited_by_people")
    assert kinds(found) == {"edited_by_people": set(KEYS[:2])}
    assert shop.run().code == 0
    assert audit(shop)["counts"]["equal"] == 21


def test_an_order_whose_content_alone_changed_waits_for_the_next_run(shop: Shop) -> None:
    by_content(shop)
    shop.insert(KEYS)
    assert shop.run().code == 0
    orders_in(shop, KEYS[:3], sa.update(ORDERS).values(notes="changed without another version"))
    assert audit(shop)["counts"]["known"] == {"waiting": 3}
    assert shop.run().code == 0
    assert audit(shop)["counts"]["equal"] == 20


def test_deleted_orders_wait_for_the_run_that_marks_them_and_are_then_as_they_should_be(shop: Shop) -> None:
    with_deletions(shop)
    shop.insert(KEYS)
    assert shop.run().code == 0
    orders_in(shop, KEYS[:1], sa.delete(ORDERS))
    assert audit(shop)["counts"]["known"] == {"waiting": 1}
    ended = shop.run()
    assert ended.code == 0, ended.err
    marked = audit(shop)
    assert (marked["findings"], marked["counts"]["known"], marked["counts"]["equal"]) == ([], {}, 19)


def test_a_partition_is_compared_alone(shop: Shop) -> None:
    shop.insert(KEYS)
    for part in ({"index": 1, "of": 2}, {"index": 2, "of": 2}):
        shop.tap_config["partition"] = part
        shop.state.unlink(missing_ok=True)
        assert shop.run().code == 0
    edit(shop, KEYS, Notes="as a person wrote it")
    found = set()
    for part in ({"index": 1, "of": 2}, {"index": 2, "of": 2}):
        shop.tap_config["partition"] = part
        some = audit(shop)
        assert kinds(some).keys() == {"edited_by_people"}
        found |= kinds(some)["edited_by_people"]
        assert some["counts"]["orders"] < 20
    assert found == set(KEYS)


def test_with_a_sync_flag_every_order_is_compared(
    postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = FlagShop.open(postgresql_url, zoho_emulator, tmp_path)
    shop.insert(KEYS)
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert audit(shop)["counts"]["equal"] == 20
    edit(shop, KEYS[:1], Notes="as a person wrote it")
    assert kinds(audit(shop, "--repair", "edited_by_people")) == {"edited_by_people": {KEYS[0]}}
    assert shop.run().code == 0
    assert audit(shop)["counts"]["equal"] == 20
    shop.engine.dispose()


def test_an_audit_of_another_module_than_the_ledgers_is_refused(shop: Shop) -> None:
    shop.insert(KEYS)
    assert shop.run().code == 0
    shop.target_config["module"] = "Accounts"
    shop.target_config["key_field"] = "Legacy_Id"
    with pytest.raises(AssertionError, match="a comparison would say nothing"):
        audit(shop)
