"""Lets Zoho's own SDKs judge the emulator: `python -m judges [NAME ...]`; the table goes to `docs/judges.md`.

Each SDK is installed in an environment of its own under `.nightly/judges/`. What is done is kept in
`.nightly/judges/verdicts.json`, so that a second call goes on where the first one ended, as long as neither the
emulator nor the calls have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from copied_project import ROOT

from judges.sdks import CALLS, SDKS, NotInstalledError, Sdk, Verdict, installed, verdicts
from zoho_crm_emulator.control import EmulatorProcess

FOLDER = ROOT / ".nightly" / "judges"
PAGE = ROOT / "docs" / "judges.md"
HEAD = """# What Zoho's own SDKs say of the emulator

Written by `make judges`. Each SDK is installed as its registry has it, unchanged, and run against an emulator as it
starts: {calls}.
A call checks what it reads: dates, times, decimals, a lookup, counts of a job, the rows of its result.

| SDK | release | calls | work | what fails |
|---|---|---|---|---|
"""
TAIL = """
{worked} of {tried} calls work, of {sdks} SDKs.

Not judged with: the TypeScript SDK 2.0 (its package holds no compiled code); Zoho's SDKs for Java, PHP, C#, Ruby, Scala
and Node, which speak to the same addresses.
"""


def state_of(sdk: Sdk) -> str:
    """What a verdict holds for: the SDK, its calls, and the emulator's code."""
    files = [sdk.script, Path(__file__).with_name("sdks.py"), *sorted((ROOT / "zoho_crm_emulator").rglob("*.py"))]
    texts = [repr(sdk), *(path.read_text(encoding="utf-8") for path in files)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def judged(sdk: Sdk) -> list[Verdict]:
    """The verdicts of an SDK about a fresh emulator; each call's failure is its being not there, where that is so."""
    try:
        home = installed(sdk, FOLDER)
    except NotInstalledError as error:
        return [Verdict(call, ok=False, why=f"could not be had: {error}") for call in CALLS]
    data = FOLDER / "crm.sqlite"
    for file in FOLDER.glob("crm.sqlite*"):
        file.unlink()
    with EmulatorProcess(data) as emulator:
        return verdicts(sdk, emulator, home)


def page(known: dict[str, Any]) -> str:
    """The table of every SDK of which there are verdicts."""
    rows, worked, tried = [], 0, 0
    there = [sdk for sdk in SDKS if sdk.name in known]
    for sdk in there:
        told = [Verdict(**one) for one in known[sdk.name]["verdicts"]]
        fine = sum(verdict.ok for verdict in told)
        worked, tried = worked + fine, tried + len(told)
        wrong = "; ".join(dict.fromkeys(failure(verdict) for verdict in told if not verdict.ok)) or "nothing"
        rows.append(f"| {sdk.name} | `{sdk.package}` {sdk.release} | {len(told)} | {fine} | {wrong} |\n")
    tail = TAIL.format(worked=worked, tried=tried, sdks=len(there))
    return HEAD.format(calls=", ".join(CALLS[:10]) + ",\n" + ", ".join(CALLS[10:])) + "".join(rows) + tail


def failure(verdict: Verdict) -> str:
    """One failed call as the table says it."""
    why = " ".join(verdict.why.split()).replace("|", "/")
    if why.startswith("could not be had"):
        return why
    return f"{verdict.call}: {why}" + (f" (`{verdict.where}`)" if verdict.where else "")


def main() -> int:
    """Judge."""
    parser = argparse.ArgumentParser(prog="python -m judges")
    parser.add_argument("names", nargs="*", help="some SDKs only, though their verdict is known: 'Python SDK 8.0'")
    names = parser.parse_args().names
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = FOLDER / "verdicts.json"
    known = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for sdk in SDKS:
        if sdk.name in names or (not names and known.get(sdk.name, {}).get("state") != state_of(sdk)):
            told = judged(sdk)
            known[sdk.name] = {"state": state_of(sdk), "verdicts": [asdict(verdict) for verdict in told]}
            kept.write_text(json.dumps(known, indent=1), encoding="utf-8")
        told = [Verdict(**one) for one in known.get(sdk.name, {}).get("verdicts", [])]
        wrong = [failure(verdict) for verdict in told if not verdict.ok]
        print(f"{sdk.name:20} {len(told) - len(wrong)} of {len(told)} calls work {'; '.join(wrong)}", flush=True)
    PAGE.write_text(page(known), encoding="utf-8")
    every = [one["ok"] for sdk in SDKS if sdk.name in known for one in known[sdk.name]["verdicts"]]
    print(f"{len(SDKS)} SDKs, {len(every)} calls, {sum(every)} work")
    return 0 if all(every) and all(sdk.name in known for sdk in SDKS) else 1


if __name__ == "__main__":
    sys.exit(main())
