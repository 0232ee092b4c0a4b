"""Runs tap-legacy-orders, but is silent for some seconds in the middle: `slow_tap.py SECONDS OPTIONS...`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

TAP = Path(sys.executable).parent / "tap-legacy-orders"


def main() -> int:
    """Pass the tap's lines on, with a pause after the first STATE."""
    seconds, options = float(sys.argv[1]), sys.argv[2:]
    with subprocess.Popen([TAP, *options], stdout=subprocess.PIPE) as tap:
        for line in tap.stdout or ():
            sys.stdout.buffer.write(line)
            if seconds and b'"type":"STATE"' in line:
                sys.stdout.buffer.flush()
                time.sleep(seconds)
                seconds = 0
    return tap.returncode


if __name__ == "__main__":
    sys.exit(main())
