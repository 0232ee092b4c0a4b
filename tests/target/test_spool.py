"""Folders of job files: a killed run's are removed, those of a live one never, whatever the two see of each other."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

HOLDS = """
import sys
from target_zoho_crm.writing.spool import new_spool
spool = new_spool()
print(spool.name, flush=True)
sys.stdin.read()
spool.cleanup()
"""
STARTS = "from target_zoho_crm.writing.spool import new_spool; new_spool().cleanup()"
ELSEWHERE = ["unshare", "--pid", "--fork", "--mount-proc"]
"""As in a container: the same folder, the same kernel, and processes of its own, which begin at 1."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "shared"
    found.mkdir()
    monkeypatch.setenv("TMPDIR", str(found))
    return found


@contextmanager
def live_run(where: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    command = [*where, sys.executable, "-c", HOLDS]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def start(where: Sequence[str]) -> None:
    subprocess.run([*where, sys.executable, "-c", STARTS], check=True)


def own_processes_are_possible() -> bool:
    return subprocess.run([*ELSEWHERE, "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(("lives", "starts"), [([], []), (ELSEWHERE, []), ([], ELSEWHERE), (ELSEWHERE, ELSEWHERE)])
def test_a_starting_run_leaves_the_folder_of_a_live_one(
    folder: Path, lives: Sequence[str], starts: Sequence[str]
) -> None:
    if (lives or starts) and not own_processes_are_possible():
        pytest.skip("this machine lets nobody have processes of its own")
    with live_run(lives) as (process, spool):
        (spool / "job.zip").write_bytes(b"orders")
        start(starts)
        assert (spool / "job.zip").exists()
        process.communicate("", timeout=60)
    assert list(folder.iterdir()) == []


def test_the_folder_of_a_killed_run_goes_with_the_next_start(folder: Path) -> None:
    with live_run([]) as (process, spool):
        (spool / "job.zip").write_bytes(b"orders")
        process.kill()
        process.wait()
        start([])
        assert list(folder.iterdir()) == []


def test_a_folder_of_which_nobody_knows_whose_it_is_goes_after_a_week(folder: Path) -> None:
    for name, days in (("target-zoho-crm-1-new", 0), ("target-zoho-crm-1-old", 8), ("somebody-elses", 8)):
        (folder / name).mkdir()
        os.utime(folder / name, (time.time() - days * 86_400,) * 2)
    start([])
    assert {each.name for each in folder.iterdir()} == {"target-zoho-crm-1-new", "somebody-elses"}
