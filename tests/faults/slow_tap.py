"""Runs tap-legacy-orders, but is silent in the middle: `slow_tap.py SECONDS FILE OPTIONS...`.

For so many seconds, and then as long as FILE is there.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

TAP = Path(sys.executable).parent / "tap-legacy-orders"


def main() -> int:
    """Pass the tap's lines on, with a pause after the first STATE."""
    seconds, silent, options = float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    with subprocess.Popen([TAP, *options], stdout=subprocess.PIPE) as tap:
        for line in tap.stdout or ():
            sys.stdout.buffer.write(line)
            if seconds and b'"type":"STATE"' in line:
                sys.stdout.buffer.flush()
                time.sleep(seconds)
                while silent.exists():
                    time.sleep(0.05)
                seconds = 0
    return tap.returncode


if __name__ == "__main__":
    sys.exit(main())
