"""`orders-sync doctor`: checks a set-up, one thing after another, and names what is wrong and what to do."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape

from orders_sync.checks.crm_checks import CrmChecks
from orders_sync.checks.findings import Finding, Findings, Result
from orders_sync.checks.flag_checks import check_flag_column
from orders_sync.checks.legacy_checks import check_ledger, check_orders, check_settings
from orders_sync.checks.other_clients import check_other_clients
from orders_sync.checks.set_up_checks import check_set_up, check_written_orders
from orders_sync.checks.settings_view import FoundSettings, display_settings, find_settings
from orders_sync.config_sources.configs import ConfigFiles, Named
from orders_sync.config_sources.plugin_options import tap_config_option, target_config_option
from orders_sync.output import line, open_console, print_json
from sync_databases.displayed_text import displayed
from sync_processes.exit_codes import ExitCode

_COLOURS = {Result.OK: "green", Result.WARNING: "yellow", Result.ERROR: "red", Result.NOT_CHECKED: "dim"}
_WIDTH = max(len(result.value) for result in Result)


@click.command()
@tap_config_option
@target_config_option
@click.option("--settings", "settings_only", is_flag=True, help="Only display the settings, and where each was found.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for other programs.")
def doctor(tap_config: Named, target_config: Named, *, settings_only: bool, as_json: bool) -> None:
    """Check the set-up of tap and target, and change nothing.

    Ends 0 when nothing prevents a run, and 1 when something does.
    """
    files = ConfigFiles(tap_config, target_config)
    if settings_only:
        _settings(find_settings(files), as_json=as_json)
        return
    findings = check_setup(files)
    if as_json:
        document = {"ok": findings.ok, "findings": findings.all}
        print_json(document)
    else:
        display(open_console(), findings)
    if not findings.ok:
        raise SystemExit(ExitCode.FAILED)


def _settings(found: FoundSettings, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        display_settings(open_console(), found)
    if found.missing:
        raise SystemExit(ExitCode.FAILED)


def check_setup(files: ConfigFiles) -> Findings:
    """Make all checks; what depends on a failed one is noted as not checked."""
    findings = Findings()
    tap, target = check_settings(findings, files)
    table = check_orders(findings, tap)
    check_ledger(findings, tap, target)
    check_flag_column(findings, tap, target, table)
    crm = CrmChecks(findings, tap, table)
    crm.run(target)
    check_set_up(findings, tap, target, table, crm.org_id)
    check_written_orders(findings, tap, target, crm.mapped)
    if crm.mapped is not None:
        check_other_clients(findings, tap, target)
    return findings


def display(console: Console, findings: Findings) -> None:
    """Print the findings for a person, the result first."""
    for finding in findings.all:
        console.print(_line(finding), highlight=False, soft_wrap=True)
        if finding.remedy:
            line(console, f"{' ' * _WIDTH}  -> {finding.remedy}")
    errors = sum(finding.result is Result.ERROR for finding in findings.all)
    warnings = sum(finding.result is Result.WARNING for finding in findings.all)
    console.print(f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}", highlight=False)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _line(finding: Finding) -> str:
    colour = _COLOURS[finding.result]
    return (
        f"[{colour}]{finding.result.value:<{_WIDTH}}[/]  {escape(displayed(f'{finding.subject}: {finding.message}'))}"
    )
