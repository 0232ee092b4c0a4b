"""The files of a release, as a stranger takes them."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECKED = {
    "github-workflows": [".github/workflows/ci.yml"],
    "github-issue-forms": [".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/idea.yml"],
    "github-issue-config": [".github/ISSUE_TEMPLATE/config.yml"],
}


@pytest.mark.parametrize("schema", CHECKED)
def test_githubs_files_are_what_github_reads(schema: str) -> None:
    checker = Path(sys.executable).parent / "check-jsonschema"
    files = [ROOT / name for name in CHECKED[schema]]
    done = subprocess.run(
        [checker, "--builtin-schema", f"vendor.{schema}", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_public_ci_calls_what_our_own_does() -> None:
    public = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    calls = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert calls
    assert all(f"- run: {call}\n" in public for call in calls)


@pytest.mark.nightly
def test_a_stranger_installs_the_wheel_with_the_versions_of_the_release(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    subprocess.run([sys.executable, "-m", "scripts.release", dist], cwd=ROOT, check=True)
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    constraints = dist / "constraints.txt"
    pins = dict(line.split("==") for line in constraints.read_text().splitlines())
    assert {"singer-sdk", "sqlalchemy", "psycopg", "pymysql"} <= {name.lower() for name in pins}
    components = json.loads((dist / "sbom.cdx.json").read_text())["components"]
    assert {name.lower() for name in pins} <= {each["name"].lower() for each in components}
    assert all(each.get("licenses") for each in components if each["name"].lower() in {"requests", "click"})
    with zipfile.ZipFile(wheel) as of_wheel, tarfile.open(sdist) as of_sdist:
        names = of_wheel.namelist() + of_sdist.getnames()
    assert not [name for name in names if "tests/" in name or ".env" in name or name.endswith(".sqlite")]
    venv.create(tmp_path / "venv", with_pip=True)
    bin_folder = tmp_path / "venv" / "bin"
    pip = [bin_folder / "python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*pip, "--constraint", constraints, f"{wheel}[postgres,mysql]"], check=True)
    for program in ("tap-legacy-orders", "target-zoho-crm", "orders-sync"):
        told = subprocess.run([bin_folder / program, "--version"], capture_output=True, text=True, check=True, cwd="/")
        assert wheel.name.split("-")[1] in told.stdout
