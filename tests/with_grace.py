"""Runs a plugin with an hour of grace after a signal: what ends has ended by itself, however slow the machine is.

`with_grace.py tap-legacy-orders|target-zoho-crm OPTIONS...`. The product ends what is still under way after seconds.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

from sync_processes import shutdown

if __name__ == "__main__":
    shutdown.GRACE_SECONDS = 3600.0
    program = sys.argv.pop(1)
    entry_points(group="console_scripts")[program].load()()
