"""Makes the files of a release: sdist, wheel, the versions that they were tried with, and what is in them (SBOM).

`python -m scripts.release dist` builds and checks them; it uploads nothing. `constraints.txt` and `sbom.cdx.json` are
of a fresh environment that has the wheel with the drivers for PostgreSQL and MySQL.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DRIVERS = "postgres,mysql"


def _do(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own commands


def build(dist: Path) -> Path:
    """Build sdist and wheel anew, hold what PyPI would show against its rules, and return the wheel."""
    shutil.rmtree(dist, ignore_errors=True)
    _do(sys.executable, "-m", "build", "--outdir", dist, ROOT)
    _do(sys.executable, "-m", "twine", "check", "--strict", *sorted(dist.iterdir()))
    (wheel,) = dist.glob("*.whl")
    return wheel


def describe(wheel: Path, dist: Path) -> None:
    """Write `constraints.txt` and `sbom.cdx.json` of an environment that has only this wheel."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check"]
        _do(*pip, "install", "--quiet", f"{wheel}[{DRIVERS}]")
        lines = _do(*pip, "freeze", "--exclude", "orders-sync").splitlines()
        (dist / "constraints.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        sbom: list[str | Path] = ["--pyproject", ROOT / "pyproject.toml", "--output-reproducible", "--of", "JSON"]
        _do(sys.executable, "-m", "cyclonedx_py", "environment", *sbom, "--output-file", dist / "sbom.cdx.json", python)


def main() -> int:
    """Run the command line."""
    dist = Path(sys.argv[1])
    describe(build(dist), dist)
    print(*(f"{each.name}: {each.stat().st_size:,} bytes" for each in sorted(dist.iterdir())), sep="\n")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
