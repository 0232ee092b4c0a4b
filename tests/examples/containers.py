"""The image, built and run by buildah: Debian's packages suffice, and no daemon is needed.

No registry is asked. The base is a Debian of the test's own making, as small as `debian:bookworm-slim`, and pip finds
its packages in a folder that the host filled.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from example_environments import KEPT, ROOT

PROGRAMS = {"buildah": "buildah", "runc": "runc", "mmdebstrap": "mmdebstrap"}
"""Program to its package in Debian."""
BASE = "localhost/debian"
IMAGE = "localhost/orders-sync"
PYTHON = "3.11"
"""Of Debian 12."""
NO_DOCS = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "info", "locale")]
"""As in Debian's slim image."""


@dataclass(frozen=True)
class Storage:
    """A place for images and containers that is this test's alone."""

    folder: Path

    def command(self, *words: str | Path) -> list[str]:
        where = ["--root", self.folder / "root", "--runroot", self.folder / "run", "--storage-driver", "vfs"]
        return ["buildah", *map(str, where), *map(str, words)]

    def do(self, *words: str | Path) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout.strip()

    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.do("inspect", "--type", "image", IMAGE))["Docker"]["config"]
        return config

    def megabytes(self, image: str) -> float:
        """The size of what is on the disk, all layers together."""
        container = self.do("from", "--pull-never", image)
        try:
            mounted = Path(self.do("mount", container))
            return sum(each.lstat().st_size for each in mounted.rglob("*") if not each.is_symlink()) / 1e6
        finally:
            self.do("rm", container)

    def start(self, container: str, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a command in a container, as the image's user, with process ids of its own and the host's network."""
        run = self.command("run", "--isolation", "oci", "--network", "host", container, "--", *command)
        return subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def container(self, volume: Path, environment: Mapping[str, str]) -> str:
        """A new container of the image with this volume and these settings."""
        name = self.do("from", "--pull-never", "--volume", f"{volume}:/var/lib/orders-sync", IMAGE)
        for variable, value in environment.items():
            self.do("config", "--env", f"{variable}={value}", name)
        return name


def build(folder: Path) -> Storage:
    """Build the image from the repository's Containerfile; skips where a program for it is not installed."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: apt-get install {' '.join(missing)}")
    if os.getuid() != 0:
        pytest.skip("building the image by buildah with a storage of its own needs root")
    storage = Storage(folder)
    scratch = storage.do("from", "scratch")
    storage.do("add", scratch, _base(), "/")
    storage.do("commit", scratch, BASE)
    storage.do("rm", scratch)
    wheels, pip = _wheels(folder / "wheels"), folder / "pip.conf"
    pip.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    storage.do(
        *("build", "--isolation", "chroot", "--format", "docker", "--pull-never", "--build-arg", f"BASE={BASE}"),
        *("--volume", f"{wheels}:/wheels:ro", "--volume", f"{pip}:/etc/pip.conf:ro"),
        *("--tag", IMAGE, "--file", ROOT / "Containerfile", ROOT),
    )
    return storage


def _base() -> Path:
    base = KEPT / "debian.tar"
    if not base.exists():
        KEPT.mkdir(exist_ok=True)
        new = base.with_suffix(".new")
        clean = ['--customize-hook=chroot "$1" apt-get clean', '--customize-hook=rm -rf "$1"/var/lib/apt/lists/*']
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", *NO_DOCS, *clean, "bookworm", str(new)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            pytest.skip(f"mmdebstrap cannot have Debian's packages: {made.stderr[-300:]}")
        new.rename(base)
    return base


def _wheels(folder: Path) -> Path:
    """The project's dependencies for the image's Python, whatever Python the tests have."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (17, 28)] + ["--platform=manylinux2014_x86_64"]
    foreign = ["--only-binary=:all:", f"--python-version={PYTHON}", *platforms]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    (project,) = folder.glob("orders_sync-*.whl")
    wanted = [f"{project}[postgres,mysql]", "hatchling"]
    subprocess.run([*pip, "download", *foreign, "--dest", folder, *wanted], check=True)
    return folder


def processes_of(container_run: subprocess.Popen[str]) -> Iterator[int]:
    """The host's ids of all processes below this one."""
    below = {container_run.pid}
    parents = dict(_parents())
    for pid in sorted(parents):
        ancestor: int | None = pid
        while ancestor is not None and ancestor not in below:
            ancestor = parents.get(ancestor)
        if ancestor is not None and pid != container_run.pid:
            yield pid


def _parents() -> Iterator[tuple[int, int]]:
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:  # it has just ended
            continue
        yield int(status.parent.name), int(text.partition("PPid:")[2].split()[0])


def status_of(pid: int) -> dict[str, list[str]]:
    """What the kernel says of a process: its name, user, and ids in each namespace."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: values.split() for name, _, values in (line.partition(":") for line in lines)}


def first_process(container_run: subprocess.Popen[str]) -> int | None:
    """The host's id of the container's process 1, once it is the image's init."""
    for pid in processes_of(container_run):
        try:
            status = status_of(pid)
        except OSError:
            continue
        if status["NSpid"][-1] == "1" and status["Name"] == ["tini"]:
            return pid
    return None
