"""The end of a run as one JSON line in a file (`summary_file`): what the log says of it, for other programs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from sync_ledger.run_facts import RunFacts
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.confirmation.problem_summary import Problems
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.run_summary import KINDS, StreamSummary

TRIED = "tried"
"""How a run ends that only looked whether a run could begin; it says nothing."""

logger = logging.getLogger("target-zoho-crm")


class RunReport:
    """Gathers what a run has to say at its end, and writes it once, however it ends."""

    def __init__(self, file: str | None, known: RunFacts, meter: CreditMeter) -> None:
        """Write to `file`, if there is one."""
        self._file = None if file is None else Path(file)
        self.known = known
        self._credits = meter
        self._began = time.monotonic()
        self._written = False
        self._streams: dict[str, dict[str, Any]] = {}

    @property
    def seconds(self) -> float:
        """How long the run has lasted."""
        return time.monotonic() - self._began

    def add(self, summary: StreamSummary, complaint: str | None) -> None:
        """Take in what is to be said of one stream."""
        self._streams[summary.stream] = {**summary.document(), "complaint": complaint}

    def write(
        self, how_ended: str, error: str | None, runs: Mapping[str, str], gate: StateGate, problems: Problems
    ) -> None:
        """Add the line; of a stream that did not come to its end it has the counts alone. `runs` are ids by stream.

        A file that cannot be written is a warning: what the run did stands in the ledger all the same.
        """
        if self._file is None or self._written or how_ended == TRIED:
            return
        self._written = True
        for stream in runs.keys() - self._streams.keys():
            self.add(StreamSummary(stream, gate.counts(stream), self.seconds), None)
        streams = [
            {"run": runs[stream], **said, "causes": problems.causes(stream)} for stream, said in self._streams.items()
        ]
        document: Mapping[str, Any] = {
            "ended_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "how_ended": how_ended,
            "complete": how_ended == "finished" and not error and not any(each["complaint"] for each in streams),
            "error": error,
            "seconds": round(self.seconds, 1),
            "run_group": self.known.run_group,
            "settings": self.known.settings_mark,
            "credits": {name: self._credits.spent(kind) for name, kind in KINDS.items()},
            "streams": streams,
        }
        line = msgspec.json.encode(document) + b"\n"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            target = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(target, line)  # in one piece, since partitions may share the file
            finally:
                os.close(target)
        except OSError as failure:
            logger.warning("summary_file: %s cannot be written: %s", self._file, failure.strerror or failure)
