"""One emulator for all probes of a file: its clock stands still, and each probe leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from probed_org import ProbedOrg

from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbedOrg]:
    with EmulatorProcess(clock="manual", job_seconds="2") as emulator:
        made = ProbedOrg(emulator, tmp_path_factory.mktemp("probe"))
        made.make_ready()
        yield made
