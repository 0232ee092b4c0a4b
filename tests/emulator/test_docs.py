from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from zoho_crm_emulator.control import Admin
from zoho_crm_emulator.emulator import Emulator, Settings
from zoho_crm_emulator.endpoints import endpoints
from zoho_crm_emulator.faults import CANNED, JobKind, RequestKind
from zoho_crm_emulator.jobs import Jobs
from zoho_crm_emulator.schema import Field
from zoho_crm_emulator.switches import Switches

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()


@pytest.mark.parametrize(
    "names",
    [
        Switches.__struct_fields__,
        get_args(RequestKind) + get_args(JobKind),
        tuple(CANNED),
        tuple(name for name in Field.__struct_fields__ if name not in {"id", "system", "custom"}),
        tuple(name for name in vars(Admin) if not name.startswith("_") and name != "close"),
    ],
    ids=["switches", "faults", "canned answers", "field properties", "admin methods"],
)
def test_the_docs_name_every_one(names: tuple[str, ...]) -> None:
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_the_docs_name_every_endpoint(tmp_path: Path) -> None:
    emulator = Emulator(Settings(data=str(tmp_path / "x.sqlite")))
    names = {endpoint.name for _, _, endpoint in endpoints(Jobs(emulator))}
    emulator.close()
    assert [name for name in names if f"`{name}`" not in PAGE] == []
