"""Makes the virtual environment, or leaves it alone when it is up to date. Needs the standard library only.

`python -m scripts.environment demo` installs what a run needs, `dev` what the checks and tests need too.
"""

from __future__ import annotations

import compileall
import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed.txt"
OLDEST = (3, 11)
EXTRAS = {"demo": "demo", "dev": "bench,check,docs,test"}
"""Purpose to extras; `dev` contains `demo`."""


def wanted(purpose: str) -> str:
    """What the stamp says when the environment is up to date for `purpose`."""
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return f"python {sys.version.split()[0]} at {ROOT}\npyproject.toml {project}\n{purpose}\n"


def up_to_date(purpose: str) -> bool:
    """Whether the environment was made by this Python, here, from this pyproject.toml, for at least `purpose`."""
    if not STAMP.exists():
        return False
    return STAMP.read_text(encoding="utf-8") in {wanted(purpose), wanted("dev")}


def make(purpose: str) -> None:
    """Make the environment anew and install the project, so that changes of its code need no new install."""
    print(f"Making .venv for {purpose} with Python {sys.version.split()[0]} ...", flush=True)  # noqa: T201
    if VENV.exists():
        shutil.rmtree(VENV)
    venv.create(VENV, with_pip=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--editable", f"{ROOT}[{EXTRAS[purpose]}]"], check=True)  # noqa: S603 - our own command
    STAMP.write_text(wanted(purpose), encoding="utf-8")


def compile_code() -> None:
    """Compile what has changed, as pip does what it installs: where Python may not, each start would do it anew."""
    for package in sorted(ROOT.glob("*/__init__.py")):
        compileall.compile_dir(package.parent, quiet=1)


def main() -> int:
    """Run the command line."""
    if sys.version_info < OLDEST:
        found, needed = sys.version.split()[0], ".".join(map(str, OLDEST))
        print(f"Python {found} is too old; {needed} or later is needed: make PYTHON=python3.12", file=sys.stderr)  # noqa: T201
        return 1
    purpose = sys.argv[1]
    if not up_to_date(purpose):
        try:
            make(purpose)
        except subprocess.CalledProcessError as error:
            print(f"pip could not install the project (exit {error.returncode}); see above", file=sys.stderr)  # noqa: T201
            return 1
    compile_code()
    return 0


if __name__ == "__main__":
    sys.exit(main())
