"""Full disks: the run ends by one line that says where room is needed, and the next one goes on."""

from __future__ import annotations

import base64
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from fault_cases import ENGINES, Case, choices, on
from pair_of_plugins import Shop
from small_disk import small_disk

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SPOOL_BYTES = 128 * 1024
"""Less than the file of one job here."""
NO_MOUNT = "this user may not mount a tmpfs, and a limit on the size of files does not stand for a full disk here"


def incompressible(seed: int) -> str:
    return base64.b64encode(random.Random(seed).randbytes(900)).decode()  # noqa: S311 - not a secret


@on(*ENGINES)
def test_no_room_for_a_jobs_file(case: Case, tmp_path: Path) -> None:
    with small_disk(tmp_path / "spool", SPOOL_BYTES) as disk:
        case.is_about(f"disk full for the spool ({disk.way})", "the target ends 1 by one line; nothing was sent")
        case.shop.target_config = {"channel": "bulk_write", "bulk_rows": 300}
        case.shop.insert((f"SO-{number}" for number in range(50)), notes="short")
        case.shop.insert([f"SO-{number}" for number in range(50, 700)], notes=incompressible(1))
        own = [{"key": f"SO-{number}", "own": incompressible(number)} for number in range(50, 700)]
        with case.shop.engine.begin() as connection:
            connection.execute(sa.text("UPDATE orders SET notes = :own WHERE order_id = :key"), own)
        pair = case.start(target_environment={"TMPDIR": str(disk.folder)}, preexec_fn=disk.limit)
        ended = case.ends(pair, tap=[0, 1], target=[1])
        (line,) = ended.complaints(ended.target_log)
        assert "cannot be kept in" in line
        assert "make room there, or set TMPDIR" in line
        case.seen(line.rpartition("| ")[2][:90])
        assert not any(disk.folder.iterdir())
    case.law()


@on(*ENGINES, quick=[])
def test_no_room_for_a_jobs_result(case: Case, tmp_path: Path) -> None:
    with small_disk(tmp_path / "spool", SPOOL_BYTES) as disk:
        if disk.limit is not None:
            pytest.skip(NO_MOUNT)
        case.is_about(f"disk full for a job's result ({disk.way})", "the target ends 1 by one line; the job is adopted")
        case.shop.target_config = {"channel": "bulk_write", "bulk_rows": 400}
        admin = case.shop.emulator.admin
        hold = admin.add_fault("bulk_poll", kind="hold_before")
        case.orders(400)
        pair = case.start(target_environment={"TMPDIR": str(disk.folder)})
        admin.wait_held(hold)
        disk.fill()
        pair.fault_is_now()
        admin.release(hold)
        ended = case.ends(pair, tap=[0, 1], target=[1])
        (line,) = ended.complaints(ended.target_log)
        assert "cannot be kept in" in line
        case.seen(f"{case.acks()}, then")
    case.law()
    assert admin.stats()["jobs"] == {"COMPLETED": 1}


@pytest.mark.nightly
@pytest.mark.parametrize("channel", choices(["upsert", "bulk_write"], ["upsert"]))
@on("sqlite")
def test_no_room_for_sqlite(
    engine: str, channel: str, zoho_emulator: EmulatorProcess, tmp_path: Path, cases: Callable[[Shop, str], Case]
) -> None:
    with small_disk(tmp_path / "disk", 4 * 1024 * 1024) as disk:
        if disk.limit is not None:
            pytest.skip(NO_MOUNT)
        file = disk.folder / "orders.sqlite"
        file.touch()
        case = cases(Shop(f"sqlite:///{file}", zoho_emulator, tmp_path), engine)
        case.is_about(f"disk full for SQLite ({disk.way}), {channel}", "the target ends 1 by one line")
        case.shop.target_config = {"channel": channel, "bulk_rows": 300, "max_connections": 1}
        case.shop.tap_config = {"page_size": 300}
        case.orders(600)
        admin = zoho_emulator.admin
        place = "upsert" if channel == "upsert" else "bulk_poll"
        hold = admin.add_fault(place, kind="hold_after", after=1)
        if channel == "bulk_write":
            admin.settings(job_seconds=[1, 1])
        pair = case.start()
        admin.wait_held(hold)
        disk.fill()
        pair.fault_is_now()
        admin.release(hold)
        ended = case.ends(pair, tap=[0, 1], target=[1])
        (line,) = ended.complaints(ended.target_log)
        assert "the ledger cannot be written or read" in line
        disk.make_room()
        case.seen(f"{line.rpartition('| ')[2][:90]}; {case.acks()}")
        case.law()
        shutil.copy(file, tmp_path)  # the disk goes before the case is closed
        case.shop.engine.dispose()


@on(*ENGINES)
def test_no_room_where_state_goes(case: Case) -> None:
    case.is_about("STATE goes to a full disk (/dev/full)", "the target ends 1 by one line; nothing is sent twice")
    case.shop.target_config = {"channel": "upsert"}
    case.orders(150)
    with Path("/dev/full").open("wb") as full:
        pair = case.start(target_out=full.fileno())
    ended = case.ends(pair, tap=[0, 1], target=[1])
    (line,) = ended.complaints(ended.target_log)
    assert "STATE cannot be written to this target's output: No space left on device" in line
    case.seen(line.rpartition("| ")[2][:90])
    case.law()
    assert case.shop.emulator.admin.stats()["requests"]["upsert"] == 2  # those of the first run
