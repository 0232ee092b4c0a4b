"""A copy of the project, to do damage in."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


@contextmanager
def project(root: Path = ROOT) -> Iterator[Path]:
    """A folder with a copy of the project's tracked files as they are."""
    with tempfile.TemporaryDirectory(prefix="copy-") as name:
        folder = Path(name)
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout.decode()
        for each in filter(None, tracked.split("\0")):
            if (root / each).is_file():
                (folder / each).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / each, folder / each)
        yield folder
