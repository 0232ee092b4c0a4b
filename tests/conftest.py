"""What every test may ask for; the databases come from tests/engines.py, the emulator from its own pytest plugin."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins: list[str] = []
