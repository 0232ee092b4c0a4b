"""Of several workers of a stream one makes first contact; the others wait no longer than it has something to show."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from careful_shop import CarefulShop, Worker, found, until
from following_pair import FOLLOW
from pair_of_plugins import Finished

from sync_ledger.partitions import Partition
from target_zoho_crm.delivery.first_contact import ROUNDS

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

WAITS = "this one waits for it"
SUMMARY = ": read "


@pytest.fixture
def careful(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[CarefulShop]:
    shop = CarefulShop(sqlite_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()


def keys_of(index: int, count: int, of: int = 2) -> list[str]:
    """Keys of one share."""
    share = Partition(index, of)
    return [key for key in (f"SO-{number}" for number in range(40 * count)) if share.holds(key)][:count]


def workers(shop: CarefulShop, of: int = 3) -> list[Finished]:
    """One run of each partition, all at the same time."""
    with ThreadPoolExecutor(of) as threads:
        return list(threads.map(CarefulShop.run, [shop.partition(index, of) for index in range(1, of + 1)]))


@pytest.mark.nightly
def test_of_several_workers_one_makes_first_contact_and_the_others_wait_for_it(careful: CarefulShop) -> None:
    careful.insert([f"SO-{number}" for number in range(90)])
    careful.alter({"field": "Customer_Name", "does": "set", "value": "nobody"})
    stopped = workers(careful)
    assert [ended.code for ended in stopped] == [4, 4, 4]
    assert len(careful.crm()) == 10
    assert sum(bool(found(ended)) for ended in stopped) == 1
    assert careful.accept("--all").code == 0
    assert [ended.code for ended in workers(careful)] == [0, 0, 0]
    assert len(careful.crm()) == 90


MAY_NOT_READ = ("modules.CREATE", "modules.UPDATE", "settings.ALL", "org.READ")


@pytest.mark.parametrize(
    "why",
    [
        "the token may not read",
        pytest.param("no job pays", marks=pytest.mark.nightly),
        pytest.param("all orders are refused", marks=pytest.mark.nightly),
    ],
)
def test_a_contact_that_can_show_no_more_keeps_no_other_worker_waiting(careful: CarefulShop, why: str) -> None:
    admin, own, others = careful.emulator.admin, keys_of(1, 120), keys_of(2, 12)
    calls = 1
    if why == "all orders are refused":
        calls = ROUNDS
        admin.add_fault(kind="record_error", keys=own)
    elif why == "no job pays":
        careful.target_config["channel"] = "upsert"
    else:
        careful.target_config["refresh_token"] = admin.grant([f"ZohoCRM.{scope}" for scope in MAY_NOT_READ])
    careful.insert([*own, *others])
    held = admin.add_fault("upsert", kind="hold_before", after=calls, times=1)
    first = Worker(careful.partition(1))
    admin.wait_held(held)
    second = Worker(careful.partition(2))
    assert SUMMARY in second.log_until(WAITS, SUMMARY)
    admin.release(held)
    assert (second.end().code, first.end().code) == (0, 0)
    assert set(careful.crm()) == {*others, *(() if calls == ROUNDS else own)}


@pytest.fixture
def lasting(careful: CarefulShop) -> CarefulShop:
    """Workers in follow mode."""
    careful.tap_config = dict(FOLLOW)
    careful.target_config |= {"max_age_seconds": 0.1}
    return careful


def test_a_worker_that_lasts_lets_others_begin_once_what_it_has_is_compared(lasting: CarefulShop) -> None:
    few, many = keys_of(1, 3), keys_of(2, 12)
    lasting.insert([*few, *many])
    first = Worker(lasting.partition(1))
    first.log_until("first 3 orders were read back")
    second = Worker(lasting.partition(2))
    second.log_until("first 7 orders were read back")
    lasting.insert(more := keys_of(1, 5)[3:])
    until(lambda: set(lasting.crm()) == {*few, *many, *more})
    assert (first.stop().code, second.stop().code) == (0, 0)


def test_a_worker_that_lasts_and_has_no_order_keeps_none_waiting(lasting: CarefulShop) -> None:
    first = Worker(lasting.partition(1))
    until(lasting.has_begun)
    second = Worker(lasting.partition(2))
    lasting.insert(keys_of(2, 3))
    second.log_until("first 3 orders were read back")
    assert (first.stop().code, second.stop().code) == (0, 0)


@pytest.mark.nightly
def test_of_workers_that_last_one_alone_sends_orders_that_nobody_has_compared(lasting: CarefulShop) -> None:
    lasting.insert([*keys_of(1, 30), *keys_of(2, 30)])
    lasting.alter({"field": "Customer_Name", "does": "set", "value": "nobody"})
    ended = [worker.end().code for worker in [Worker(lasting.partition(index)) for index in (1, 2)]]
    assert (ended, len(lasting.crm())) == ([4, 4], 10)


def test_a_worker_that_lasts_and_waits_for_another_ends_when_it_is_asked_to(lasting: CarefulShop) -> None:
    lasting.insert([*keys_of(1, 12), *keys_of(2, 12)])
    held = lasting.emulator.admin.add_fault("upsert", kind="hold_before", times=1)
    first = Worker(lasting.partition(1))
    lasting.emulator.admin.wait_held(held)
    second = Worker(lasting.partition(2))
    second.log_until(WAITS)
    assert second.stop().code == 0
    assert lasting.crm() == {}
    lasting.emulator.admin.release(held)
    first.log_until("10 orders were read back")
    assert first.stop().code == 0
