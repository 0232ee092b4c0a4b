"""Runs orders-sync so that it kills itself (SIGKILL) at one point, as `killed_at.py` does with the target."""

from __future__ import annotations

import sys

from killed_at import arm

if __name__ == "__main__":
    arm(sys.argv.pop(1))
    from orders_sync.cli import main

    main()
