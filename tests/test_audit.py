"""The dependency audit never passes without having looked, and says how thoroughly it did."""

from __future__ import annotations

import json
import socket
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts import audit

ROOT = Path(__file__).resolve().parent.parent
NOT_FOUND = "Dependency not found on PyPI and could not be audited: {0} ({1})"


@pytest.fixture
def _unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "asked", lambda: audit.Answer(why_not="no connection"))


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    monkeypatch.setattr(audit, "installed", lambda: versions)


def pip_audit_says(monkeypatch: pytest.MonkeyPatch, folder: Path, code: int, *dependencies: dict[str, Any]) -> None:
    """Put a program in pip-audit's place that gives this answer."""
    answer = json.dumps({"dependencies": dependencies, "fixes": []})
    (folder / "pip_audit").mkdir()
    (folder / "pip_audit" / "__init__.py").touch()
    (folder / "pip_audit" / "__main__.py").write_text(f"import sys\nprint({answer!r})\nsys.exit({code})\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def skipped(name: str, version: str) -> dict[str, Any]:
    return {"name": name, "skip_reason": NOT_FOUND.format(name, version)}


def looked_at(name: str, version: str, *vulnerabilities: str) -> dict[str, Any]:
    found = [{"id": each, "fix_versions": ["9.9"], "aliases": []} for each in vulnerabilities]
    return {"name": name, "version": version, "vulns": found}


@pytest.mark.usefixtures("_unreachable")
def test_without_its_database_it_says_how_little_it_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(audit.REVIEWED) == 0
    said = capsys.readouterr().out
    assert "(no connection)" in said
    assert "ONLY" in said
    assert "requests" in said


@pytest.mark.usefixtures("_unreachable")
def test_an_old_table_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(audit.REVIEWED + timedelta(days=audit.DAYS_MOST + 1)) == 1
    assert "days old" in capsys.readouterr().err


@pytest.mark.usefixtures("_unreachable")
def test_a_version_with_a_known_vulnerability_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, requests="2.31.0", urllib3="2.8.0")
    assert audit.main(audit.REVIEWED) == 1
    first, advisory = audit.MENDED["requests"]
    assert capsys.readouterr().err == f"requests 2.31.0 is older than {first}, which mends {advisory}\n"


@pytest.mark.usefixtures("_unreachable")
def test_an_environment_in_which_nothing_can_be_checked_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    assert audit.main(audit.REVIEWED) == 1


def test_a_database_that_cannot_be_reached_is_not_taken_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed.getsockname()[1]}")
        answer = audit.asked()
    assert answer.looked_at == frozenset()
    assert answer.why_not


def test_packages_that_pip_audit_skips_are_held_against_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An index without a JSON interface: pip-audit skips every package, and ends 0."""
    installed(monkeypatch, requests="2.31.0", urllib3="2.8.0", alembic="1.20.1")
    names = {"requests": "2.31.0", "urllib3": "2.8.0", "alembic": "1.20.1"}
    pip_audit_says(monkeypatch, tmp_path, 0, *(skipped(name, version) for name, version in names.items()))
    assert audit.main(audit.REVIEWED) == 1
    said = capsys.readouterr()
    assert "looked at 0 of 3 installed packages" in said.out
    assert "could not look at 3 of them (Dependency not found on PyPI" in said.out
    assert "ONLY 2 of these were checked" in said.out
    assert said.err.startswith("requests 2.31.0 is older than ")


def test_where_all_are_skipped_and_the_table_knows_none_of_them_it_is_no_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch, alembic="1.20.1")
    pip_audit_says(monkeypatch, tmp_path, 0, skipped("alembic", "1.20.1"))
    assert audit.main(audit.REVIEWED) == 1


def test_what_pip_audit_looked_at_needs_no_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, requests="2.31.0", alembic="1.20.1")
    editable = {"name": "orders-sync", "skip_reason": "distribution marked as editable"}
    pip_audit_says(monkeypatch, tmp_path, 0, looked_at("requests", "2.31.0"), skipped("alembic", "1.20.1"), editable)
    long_after = audit.REVIEWED + timedelta(days=audit.DAYS_MOST + 1)
    assert audit.main(long_after) == 0
    said = capsys.readouterr().out
    assert "looked at 1 of 2 installed packages" in said
    assert "could not look at 1 of them" in said


def test_what_pip_audit_finds_is_no_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch, jinja2="3.1.6", requests="2.99")
    pip_audit_says(monkeypatch, tmp_path, 1, looked_at("Jinja2", "3.1.6", "CVE-1"), looked_at("requests", "2.99"))
    assert audit.main(audit.REVIEWED) == 1
    assert capsys.readouterr().err == "jinja2 3.1.6 has CVE-1; mended in 9.9\n"


def test_the_floors_of_dependencies_stand_above_the_vulnerabilities_of_the_table() -> None:
    """Who installs the oldest versions that we allow gets none that the table knows to be vulnerable."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *(text for extra in project["optional-dependencies"].values() for text in extra)]
    floors = {}
    for requirement in map(Requirement, texts):
        lowest = [Version(each.version) for each in requirement.specifier if each.operator in {">=", "==", "~="}]
        name = canonicalize_name(requirement.name)
        if name in audit.MENDED:
            floors[str(requirement)] = (max(lowest, default=Version("0")), Version(audit.MENDED[name][0]))
    low = [text for text, (floor, mended) in floors.items() if floor < mended]
    assert low == []
    assert len(floors) >= 8
