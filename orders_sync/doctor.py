"""`orders-sync doctor`: looks at a whole set-up, one thing after another, and says what does not fit and what to do."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape

from orders_sync.configs import ConfigFiles
from orders_sync.crm_checks import CrmExamination
from orders_sync.findings import Examination, Finding, Verdict
from orders_sync.flag_checks import examine_flag
from orders_sync.legacy_checks import examine_ledger, examine_orders, examine_settings
from orders_sync.plugin_options import tap_config_option, target_config_option

EXIT_FAULTY = 1

_COLOURS = {Verdict.FITS: "green", Verdict.WARNING: "yellow", Verdict.FAULT: "red", Verdict.NOT_CHECKED: "dim"}
_WIDTH = max(len(verdict.value) for verdict in Verdict)


@click.command()
@tap_config_option
@target_config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for other programs.")
def doctor(tap_config: Path | None, target_config: Path | None, *, as_json: bool) -> None:
    """Look at the set-up of tap and target, and change nothing.

    Ends 0 when nothing stands in the way of a run, and 1 when something does.
    """
    examination = examine(ConfigFiles(tap_config, target_config))
    if as_json:
        document = {"sound": examination.sound, "findings": examination.findings}
        click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
    else:
        show(Console(), examination)
    if not examination.sound:
        raise SystemExit(EXIT_FAULTY)


def examine(files: ConfigFiles) -> Examination:
    """Make all checks; what depends on a failed one is noted as not checked."""
    examination = Examination()
    tap, target = examine_settings(examination, files)
    table = examine_orders(examination, tap)
    examine_ledger(examination, tap, target)
    examine_flag(examination, tap, target, table)
    CrmExamination(examination, tap, table).examine(target)
    return examination


def show(console: Console, examination: Examination) -> None:
    """Print the findings for a person, the verdict first."""
    for finding in examination.findings:
        console.print(_line(finding), highlight=False, soft_wrap=True)
        if finding.remedy:
            console.print(f"{' ' * _WIDTH}  -> {finding.remedy}", markup=False, highlight=False, soft_wrap=True)
    faults = sum(finding.verdict is Verdict.FAULT for finding in examination.findings)
    warnings = sum(finding.verdict is Verdict.WARNING for finding in examination.findings)
    console.print(f"{_counted(faults, 'fault')}, {_counted(warnings, 'warning')}", highlight=False)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _line(finding: Finding) -> str:
    colour = _COLOURS[finding.verdict]
    return f"[{colour}]{finding.verdict.value:<{_WIDTH}}[/]  {escape(f'{finding.subject}: {finding.says}')}"
