"""The image: what is in it, and the pair in a container that is asked to end, killed, and run again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from containers import BASE, IMAGE, Storage, build, first_process, processes_of, status_of
from pair_of_plugins import PROCESS_SECONDS, Finished, Shop, finish

from zoho_crm_emulator.control import EmulatorProcess

pytestmark = pytest.mark.nightly
USER = 10001
ORDERS = 2000
LARGEST_MEGABYTES = 400


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture
def shop(postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Shop:
    return Shop(postgresql_url, zoho_emulator, tmp_path)


class Container:
    """Containers of the image, one after the other, with one volume."""

    def __init__(self, storage: Storage, shop: Shop, volume: Path) -> None:
        self.storage = storage
        self.volume = volume
        volume.mkdir()
        os.chown(volume, USER, USER)
        emulator = shop.emulator
        self.environment = {
            "TAP_LEGACY_ORDERS_SQLALCHEMY_URL": shop.url,
            "TAP_LEGACY_ORDERS_ORDERS_TABLE": "orders",
            "TAP_LEGACY_ORDERS_WAIT_FOR_LOCK_SECONDS": "600",
            "TARGET_ZOHO_CRM_ACK_URL": shop.ack_url,
            "TARGET_ZOHO_CRM_CLIENT_ID": emulator.client_id,
            "TARGET_ZOHO_CRM_CLIENT_SECRET": emulator.client_secret,
            "TARGET_ZOHO_CRM_REFRESH_TOKEN": emulator.refresh_token,
            "TARGET_ZOHO_CRM_FIRST_CONTACT": "off",
            "TARGET_ZOHO_CRM_CHANNEL": "upsert",
            **{f"TARGET_ZOHO_CRM_{of}_URL": emulator.base_url for of in ("ACCOUNTS", "API", "UPLOAD")},
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start what the image starts, or this command, in a new container."""
        config = self.storage.config()
        name = self.storage.container(self.volume, self.environment)
        return self.storage.start(name, [*config["Entrypoint"], *(command or config["Cmd"])])

    def do(self, *command: str) -> Finished:
        return finish(self.start(*command))

    def healthy(self) -> int:
        kind, command = self.storage.config()["Healthcheck"]["Test"]
        assert kind == "CMD-SHELL"
        return self.do("/bin/sh", "-c", command).code


@pytest.fixture
def container(storage: Storage, shop: Shop, tmp_path: Path) -> Container:
    return Container(storage, shop, tmp_path / "volume")


def at_work(container_run: subprocess.Popen[str], shop: Shop, hold: int) -> int:
    """Wait until the emulator holds a call of the container; returns the host's id of its first process."""
    ends = time.monotonic() + PROCESS_SECONDS
    while not any(fault["id"] == hold and fault["held"] for fault in shop.emulator.admin.faults()):
        assert time.monotonic() < ends
        assert container_run.poll() is None, container_run.communicate()[1]
        time.sleep(0.05)
    first = first_process(container_run)
    assert first is not None
    return first


def test_the_image_is_slim_and_its_user_is_not_root(storage: Storage) -> None:
    config = storage.config()
    assert config["User"] == str(USER)
    assert config["Entrypoint"] == ["tini", "-g", "--"]
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["Volumes"]) == ["/var/lib/orders-sync"]
    size, of_base = storage.megabytes(IMAGE), storage.megabytes(BASE)
    print(f"image: {size:.0f} MB, of which the base {of_base:.0f} MB")
    assert of_base < size < LARGEST_MEGABYTES


def test_a_container_that_was_killed_and_one_that_was_asked_to_end_are_followed_by_one_that_sends_the_rest(
    container: Container, shop: Shop
) -> None:
    shop.insert(f"SO-{number}" for number in range(ORDERS))
    admin = shop.emulator.admin
    assert container.healthy() == 1, "no run has finished yet"

    hold = admin.add_fault("upsert", kind="hold_after", after=5)
    killed = container.start()
    first = at_work(killed, shop, hold)
    inside = list(processes_of(killed))
    of_all = [status_of(pid) for pid in inside]
    users = {each["Name"][0]: each["Uid"] for each in of_all if len(each["NSpid"]) > 1}
    assert {"tini", "run-pair", "target-zoho-crm"} <= set(users)
    assert all(set(user) == {str(USER)} for user in users.values()), users
    os.kill(first, signal.SIGKILL)
    assert finish(killed).code != 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in inside)
    admin.clear_faults()
    assert container.healthy() == 1

    hold = admin.add_fault("upsert", kind="hold_after", after=5)
    asked = container.start()
    first = at_work(asked, shop, hold)
    os.kill(first, signal.SIGTERM)
    ended = finish(asked)
    assert ended.code == 128 + signal.SIGTERM, ended.err
    assert "the next run goes on from here" in ended.err, "the container waited until the target had ended"
    admin.clear_faults()

    last = container.do()
    assert last.code == 0, last.err
    assert container.healthy() == 0
    shop.assert_all_synced()
    assert [each.name for each in container.volume.glob("state*.json")] == ["state.json"]
    again = container.do()
    assert (again.code, again.summary["read"]) == (0, 0)
