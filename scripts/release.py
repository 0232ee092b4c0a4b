"""Makes the files of a release: sdist, wheel, the versions that they were tried with, and what is in them (SBOM).

`python -m scripts.release dist` builds and checks them; it uploads nothing. `constraints.txt` and `sbom.cdx.json` are
of a fresh environment that has the wheel with the drivers for PostgreSQL and MySQL.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DRIVERS = "postgres,mysql"


def _do(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own commands


def _made(folder: Path, *requirements: str) -> Path:
    """Make an environment with these packages, and return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    _do(python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *requirements)
    return python


def tools(folder: Path) -> Path:
    """Make the environment of the extra `release`.

    It is none of the tests': the checker of the SBOM brings a parser of addresses that jsonschema, and with it
    singer-sdk, imports wherever it is there, which takes seconds of each start.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return _made(folder, *project["optional-dependencies"]["release"])


def build(python: Path, dist: Path) -> Path:
    """Build sdist and wheel anew, hold what PyPI would show against its rules, and return the wheel."""
    shutil.rmtree(dist, ignore_errors=True)
    _do(python, "-m", "build", "--outdir", dist, ROOT)
    _do(python, "-m", "twine", "check", "--strict", *sorted(dist.iterdir()))
    (wheel,) = dist.glob("*.whl")
    return wheel


def describe(python: Path, wheel: Path, dist: Path, folder: Path) -> None:
    """Write `constraints.txt` and `sbom.cdx.json` of an environment that has only this wheel."""
    described = _made(folder, f"{wheel}[{DRIVERS}]")
    lines = _do(described, "-m", "pip", "freeze", "--exclude", "orders-sync").splitlines()
    (dist / "constraints.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sbom: list[str | Path] = ["--pyproject", ROOT / "pyproject.toml", "--output-reproducible", "--of", "JSON"]
    _do(python, "-m", "cyclonedx_py", "environment", *sbom, "--output-file", dist / "sbom.cdx.json", described)


def main() -> int:
    """Run the command line."""
    dist = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        python = tools(Path(folder) / "tools")
        describe(python, build(python, dist), dist, Path(folder) / "installed")
    print(*(f"{each.name}: {each.stat().st_size:,} bytes" for each in sorted(dist.iterdir())), sep="\n")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
