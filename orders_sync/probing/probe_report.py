"""A profile as one HTML page: the findings as a table, then the evidence, question by question."""

from __future__ import annotations

import msgspec

from orders_sync.probing.all_questions import QUESTIONS
from orders_sync.reporting.html_parts import framed, none, section, table
from orders_sync.reporting.report_plots import text
from target_zoho_crm.org_profile import OrgProfile


def page(profile: OrgProfile) -> str:
    """The page; it needs no network."""
    head = f"<h1>What this org answers</h1><p class='sub'>{text(_made(profile))}</p>"
    rows = [(each.switch, each.asks, *_finding(profile, each.switch)) for each in QUESTIONS]
    findings = table(["question", "asks", "found", "how sure", "note"], rows, numbers=set())
    measures = [(name, _plain(value)) for name, value in sorted(profile.measures.items())]
    measured = table(["measure", "value"], measures, numbers={1}) if measures else none("Nothing was measured.")
    evidence = "".join(_evidence(profile, each.switch) for each in QUESTIONS if each.switch in profile.evidence)
    return framed("What this org answers", head + section("Findings", findings) + section("Measures", measured)
                  + section("Evidence", evidence or none("There is none.")))  # fmt: skip


def _made(profile: OrgProfile) -> str:
    return f"{profile.made_by}, {profile.made_on}, API {profile.api_version}, org of type {profile.org_type}"


def _finding(profile: OrgProfile, switch: str) -> tuple[str, str, str]:
    note = profile.notes.get(switch, "")
    if switch in profile.positions:
        position = profile.positions[switch]
        return "none" if position is None else str(position), "seen", note
    if switch in profile.undecided:
        return " or ".join(str(each) for each in profile.undecided[switch]), "undecided", note
    if switch in profile.unknown:
        return "", "unknown", profile.unknown[switch]
    return "", "not asked", profile.not_asked.get(switch, "")


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    return str(value)


def _evidence(profile: OrgProfile, switch: str) -> str:
    shown = "\n".join(
        msgspec.json.format(msgspec.json.encode(each), indent=1).decode() for each in profile.evidence[switch]
    )
    return f"<details><summary>{text(switch)}</summary><pre>{text(shown)}</pre></details>"
