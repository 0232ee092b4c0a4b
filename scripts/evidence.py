"""Keeps the counts of long targets in docs/evidence.json: `python -m scripts.evidence FOLDER --commit COMMIT`.

FOLDER holds a log for each target, named after it, as `make nightly` leaves them: `mutants.log`, `simulate.log`, ...
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from scripts.evidence_page import STEPS, merged, read_evidence
from scripts.nightly_counts import counts

EVIDENCE = Path(__file__).resolve().parent.parent / "docs" / "evidence.json"


def main() -> int:
    """Add what the folder holds."""
    parser = argparse.ArgumentParser(prog="python -m scripts.evidence", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--commit", required=True, help="of the code that was tried")
    options = parser.parse_args()
    today = f"{datetime.now(timezone.utc):%Y-%m-%d}"
    found = [
        {"step": name, "commit": options.commit, "date": today, "counts": numbers}
        for name, counted in counts(options.folder).items()
        if (numbers := {what: each for what, each in counted.items() if isinstance(each, int) and what != "green"})
    ]
    unknown = {each["step"] for each in found} - set(STEPS)
    if unknown:
        print(f"no target is called {', '.join(sorted(unknown))}", file=sys.stderr)  # noqa: T201
        return 2
    kept = merged(read_evidence(EVIDENCE), found)
    EVIDENCE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(f"{len(found)} results of {options.folder} are in {EVIDENCE.name}; now `make generate`")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
