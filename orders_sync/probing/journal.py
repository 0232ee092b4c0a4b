"""A note on this machine of the jobs that a probe made, so that a clean-up after a kill can wait for them."""

from __future__ import annotations

import contextlib
from pathlib import Path

INTENDED = "?"
"""A job that was about to be made; whether it was, nobody knows."""


class Journal:
    """The note: one line a job that has not been seen to end. The file goes with its last line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.jobs = path.read_text(encoding="ascii").split() if path.exists() else []

    def intend(self) -> None:
        """A job is about to be made."""
        self._write([*self.jobs, INTENDED])

    def note(self, job: str | None) -> None:
        """It was made, under this id, or it was refused."""
        self._write([each for each in self.jobs if each != INTENDED] + ([job] if job is not None else []))

    def ended(self, job: str) -> None:
        """It has ended."""
        self._write([each for each in self.jobs if each != job])

    def forget(self) -> None:
        """Nothing is left to wait for."""
        self._write([])

    def _write(self, jobs: list[str]) -> None:
        self.jobs = jobs
        if jobs:
            self._path.write_text("\n".join(jobs) + "\n", encoding="ascii")
        else:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
