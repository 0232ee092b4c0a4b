"""A profile from what a probe found: a file without data of org or records, to which further probes add."""

from __future__ import annotations

from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from orders_sync.probing.probe import Found
from orders_sync.probing.verdicts import Sureness
from target_zoho_crm.api.calls import API_VERSION
from target_zoho_crm.org_profile import OrgProfile, read_profile


def with_findings(before: OrgProfile, found: Found, org_type: str) -> OrgProfile:
    """The profile with these findings; what an earlier probe found of questions not asked now stays."""
    parts: dict[str, Any] = {
        name: dict(getattr(before, name))
        for name in ("positions", "undecided", "unknown", "not_asked", "notes", "evidence")
    }
    for finding in found.findings:
        switch, verdict = finding.question.switch, finding.verdict
        is_known = any(switch in parts[name] for name in ("positions", "undecided", "unknown"))
        if verdict.sureness is Sureness.NOT_ASKED and is_known:
            continue
        for part in parts.values():
            part.pop(switch, None)
        if verdict.sureness is Sureness.SEEN:
            parts["positions"][switch] = verdict.positions[0]
        elif verdict.sureness is Sureness.UNDECIDED:
            parts["undecided"][switch] = list(verdict.positions)
        else:
            parts["unknown" if verdict.sureness is Sureness.UNKNOWN else "not_asked"][switch] = verdict.why
        if verdict.why and verdict.sureness in {Sureness.SEEN, Sureness.UNDECIDED}:
            parts["notes"][switch] = verdict.why
        if finding.evidence:
            parts["evidence"][switch] = list(finding.evidence)
    return msgspec.structs.replace(
        before,
        made_by=f"orders-sync {version('orders-sync')}",
        made_on=f"{datetime.now(timezone.utc):%Y-%m-%d}",
        api_version=API_VERSION,
        org_type=org_type,
        measures={**before.measures, **found.measures},
        **parts,
    )


def profile_at(path: Path) -> OrgProfile:
    """The profile in a file, or an empty one where there is none.

    Raises:
        ConfigurationError: the file holds something else.
    """
    return read_profile(path) if path.exists() else OrgProfile()


def write_profile(path: Path, profile: OrgProfile) -> None:
    """Write a profile, indented; questions in alphabetical order."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(profile, order="sorted"), indent=1) + b"\n")
