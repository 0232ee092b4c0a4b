"""The command `probe`: asks an org what Zoho's documents leave open, and keeps the answers as a profile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.config_sources.configs import ConfigFiles, Named, open_target
from orders_sync.config_sources.plugin_options import FILE, target_config_option
from orders_sync.output import new_table, open_console, row, say
from orders_sync.probing.all_questions import QUESTIONS, calls_of, chosen
from orders_sync.probing.bench import Bench
from orders_sync.probing.clean_up import clean_up
from orders_sync.probing.journal import Journal
from orders_sync.probing.pace import RealPace
from orders_sync.probing.probe import Finding, Found, ask_all
from orders_sync.probing.probe_report import page
from orders_sync.probing.profiles import profile_at, with_findings, write_profile
from orders_sync.probing.questions import Calls, Question
from orders_sync.probing.scrubbing import PREFIX
from orders_sync.probing.verdicts import ProbeError, Sureness, Verdict
from orders_sync.probing.wire import Purse
from target_zoho_crm.api.costs import JOB_ROWS
from target_zoho_crm.settings import Settings

SIZES = (1, 1_000, JOB_ROWS)
"""Rows of the jobs that are measured."""
_CLEANING_MOST = 10_000
_PRODUCTION = "production"


@click.command()
@click.argument("module")
@click.option("--only", multiple=True, metavar="QUESTION", help="Ask this question alone; can be given several times.")
@click.option("--budget", type=click.IntRange(1), help="The most credits that it may spend, but for deleting.")
@click.option("--profile", type=FILE, default=Path("zoho-profile.json"), show_default=True, help="What was found.")
@click.option("--report", type=FILE, help="Write the findings as an HTML page too.")
@click.option("--production-i-know", is_flag=True, help="Take an org that is neither a sandbox nor a developer's.")
@click.option("--clean-up", "cleaning", is_flag=True, help="Only delete what a probe that was killed has left.")
@click.option("--yes", is_flag=True, help="Begin without asking.")
@target_config_option
def probe(
    module: str,
    only: tuple[str, ...],
    budget: int | None,
    profile: Path,
    report: Path | None,
    target_config: Named,
    *,
    production_i_know: bool,
    cleaning: bool,
    yes: bool,
) -> None:
    """Find out how an org answers where Zoho's documents are silent, by made-up records in MODULE.

    Says beforehand what it costs, and deletes what it made. `init --probe MODULE` makes the fields that it needs.
    """
    names = {each.switch for each in QUESTIONS}
    strange = [each for each in only if each not in names]
    if strange:
        raise click.UsageError(f"there is no question {strange[0]}; there are {', '.join(sorted(names))}")
    questions = chosen(only)
    calls = calls_of(questions, SIZES[1])
    most = sum(each.credits for each in calls)
    try:
        settings = Settings.read(open_target(ConfigFiles(None, target_config)).config)
        before = profile_at(profile)
        journal = Journal(profile.with_name(profile.name + ".jobs"))
        if cleaning:
            bench = _bench(module, settings, Purse(_CLEANING_MOST), journal)
            _kind_of_org(bench, production_i_know=production_i_know)
            if not yes:
                click.confirm(f"Delete all records of module {module} that begin with {PREFIX}?", abort=True)
            say(f"{clean_up(bench):,} made-up records are deleted.")
            return
        _foretell(module, questions, calls, most, budget)
        if not yes:
            click.confirm("Begin?", abort=True)
        bench = _bench(module, settings, Purse(min(most, budget or most)), journal)
        kind = _kind_of_org(bench, production_i_know=production_i_know)
        found = ask_all(bench, questions, _show)
    except (*EXPECTED, ProbeError) as error:
        raise click.ClickException(error_message(error)) from error
    made = with_findings(before, found, kind)
    try:
        write_profile(profile, made)
        if report is not None:
            report.write_text(page(made), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be written: {error.strerror}.") from error
    _summary(found, profile, most)
    if found.left:
        raise click.ClickException(found.left)
    if found.interrupted:
        raise click.Abort


def _bench(module: str, settings: Settings, purse: Purse, journal: Journal) -> Bench:
    return Bench(module, settings.endpoints, settings.credentials, purse, RealPace(), sizes=SIZES, journal=journal)


def _kind_of_org(bench: Bench, *, production_i_know: bool) -> str:
    """The type of the org; refuses one that people work in, unless they know."""
    kind = str(bench.org.get("type") or _PRODUCTION).lower()
    if kind not in {"sandbox", "developer"} and not production_i_know:
        raise ProbeError(
            f"this org is of type {kind}: take a sandbox or a developer org, or add --production-i-know. "
            "Nothing was written or deleted."
        )
    return kind


def _foretell(
    module: str, questions: Sequence[Question], calls: Sequence[Calls], most: int, budget: int | None
) -> None:
    """Say which calls are to be made, and what they cost."""
    table = new_table("calls", "credits at most")
    for each in calls:
        row(table, each.what, f"{each.credits:,}")
    open_console().print(table)
    within = f", within a budget of {budget:,}" if budget is not None and budget < most else ""
    say(f"{len(questions)} questions in module {module}: at most {most:,} API credits{within}.")


def verdict_text(verdict: Verdict) -> str:
    """A verdict in a few words."""
    positions = " or ".join("none" if each is None else str(each) for each in verdict.positions)
    if verdict.sureness is Sureness.SEEN:
        return positions
    return f"{verdict.sureness.value}: {positions or verdict.why}"


def _show(finding: Finding) -> None:
    say(f"{finding.question.switch}: {verdict_text(finding.verdict)}")


def _summary(found: Found, profile: Path, most: int) -> None:
    count = {each: sum(one.verdict.sureness is each for one in found.findings) for each in Sureness}
    numbers = ", ".join(f"{number} {each.value}" for each, number in count.items() if number)
    say(f"{numbers}; {found.spent:,} of {most:,} API credits; {found.deleted:,} made-up records are deleted.")
    say(f"{profile} holds what was found, and nothing of the org or its records.")
