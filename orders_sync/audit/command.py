"""`orders-sync audit`: compares database, ledger and CRM by key and by field, and repairs what it is asked to."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click

from orders_sync.audit.auditing import Audit, Price, Result, Scope
from orders_sync.audit.kinds import Finding, Kind
from orders_sync.audit.repairing import BINDING, REPAIRABLE, Found, Repairer
from orders_sync.audit.report import AuditReport, Samples, price_line
from orders_sync.checks.crm_checks import open_client
from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.checks.set_up_checks import set_up_differences
from orders_sync.comparison.written_orders import NoSuchFieldError, WrittenOrders
from orders_sync.config_sources.configs import ConfigFiles, Named, open_tap, open_target
from orders_sync.config_sources.database_urls import place_of
from orders_sync.config_sources.ledgers import json_option
from orders_sync.config_sources.plugin_options import FILE, TimeOption, tap_config_option, target_config_option
from orders_sync.output import for_owner, open_console, print_json, say
from sync_ledger.ledger import Ledger
from sync_processes.exit_codes import ExitCode
from tap_legacy_orders.every_order import EveryOrder
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.settings import Settings
from target_zoho_crm.writing.spool import SpoolError, new_spool, spooling

_KIND = click.Choice([kind.value for kind in Kind])


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for on the command line."""

    scope: Scope
    budget: int | None
    price_only: bool
    repairs: Sequence[Kind]
    accepts: Sequence[Kind]
    dry_run: bool
    csv_file: Path | None
    page_file: Path | None
    as_json: bool


@click.command()
@tap_config_option
@target_config_option
@click.option("--sample", type=click.IntRange(min=1), help="Look at so many orders by chance, not at all.")
@click.option("--since", type=TimeOption(), help="Only what was written by us or changed in the CRM since then (UTC).")
@click.option("--fields", help="Compare these fields alone: API names with commas between them.")
@click.option("--budget", type=click.IntRange(min=1), help="Spend no more credits than this.")
@click.option("--price", "price_only", is_flag=True, help="Only say what it would cost.")
@click.option("--repair", "repairs", type=_KIND, multiple=True, help="Mend findings of this kind; may be repeated.")
@click.option("--accept", "accepts", type=_KIND, multiple=True, help="Count these differences no more as they are now.")
@click.option("--dry-run", is_flag=True, help="With --repair or --accept: change nothing, and say how many are meant.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all findings there.")
@click.option("--page", "page_file", type=FILE, help="Write what was found there, as an HTML page.")
@json_option
def audit(
    tap_config: Named,
    target_config: Named,
    sample: int | None,
    since: datetime | None,
    fields: str | None,
    budget: int | None,
    repairs: Sequence[str],
    accepts: Sequence[str],
    csv_file: Path | None,
    page_file: Path | None,
    *,
    price_only: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compare orders, ledger and CRM, by key and by field. Ends with 1 where they are not equal.

    Reads only, unless --repair or --accept asks for more. Nothing is ever deleted.
    """
    if sample is not None and since is not None:
        raise click.UsageError("--sample and --since exclude each other")
    names = tuple(each.strip() for each in fields.split(",") if each.strip()) if fields else ()
    meant = [Kind(each) for each in repairs]
    for kind in meant:
        if kind not in REPAIRABLE:
            raise click.UsageError(
                f"--repair {kind}: nothing is deleted here; correct it in the CRM, or --accept {kind}"
            )
        if kind in BINDING and names:
            raise click.UsageError(f"--repair {kind} needs a comparison of all fields; leave --fields out")
    asked = _Asked(
        Scope(sample, since, names),
        budget,
        price_only,
        meant,
        [Kind(a) for a in accepts],
        dry_run,
        csv_file,
        page_file,
        as_json,
    )
    try:
        equal = _audit(ConfigFiles(tap_config, target_config), asked)
    except (NoSuchFieldError, SpoolError) as error:
        raise click.ClickException(str(error)) from error
    except sqlite3.Error as error:
        raise click.ClickException(
            f"what was read cannot be kept meanwhile: {error}; is there room in TMPDIR?"
        ) from error
    except EXPECTED as error:
        raise click.ClickException(error_message(error)) from error
    if not equal:
        raise SystemExit(ExitCode.FAILED)


def _audit(files: ConfigFiles, asked: _Asked) -> bool:
    """Whether all is equal; True where only the price was asked for."""
    tap, settings = open_tap(files), Settings.read(open_target(files).config)
    with ExitStack() as closing_all:
        ledger = closing_all.enter_context(_ledger(tap, settings))
        own = settings.stream(tap.stream_name)
        _refuse_other_set_up(set_up_differences(ledger, tap.stream_name, own, tap.orders_table, None))
        credits_ = CreditMeter(asked.budget)
        client = closing_all.enter_context(open_client(settings, credits_))
        every = EveryOrder(tap, ledger)
        written = WrittenOrders(every, settings, own, client)
        if asked.scope.fields:
            written.only(asked.scope.fields)
        spool = new_spool()
        closing_all.callback(spool.cleanup)
        closing_all.callback(tap.engine.dispose)
        audit_ = Audit(
            ledger, tap.stream_name, written, client, credits_, Path(spool.name), find_deleted=tap.find_deleted
        )
        price = audit_.price(asked.scope)
        _say_price(asked, price)
        if asked.price_only:
            return True
        repairer = Repairer(
            ledger, tap.stream_name, written, repairs=asked.repairs, accepts=asked.accepts, dry_run=asked.dry_run
        )
        samples = Samples(everything=asked.as_json)
        with _csv_of(asked.csv_file) as write:

            def take(found: Sequence[Found]) -> None:
                for finding in (each for findings, _ in found for each in findings):
                    samples.add(finding)
                    write(finding)
                repairer.take(found)

            result, receipt = audit_.run(asked.scope, price, take)
        _show(tap, own.module, asked, result, samples, repairer, audit_.not_compared, receipt, price, credits_.total)
        return result.is_equal


@contextmanager
def _ledger(tap: TapLegacyOrders, settings: Settings) -> Iterator[Ledger]:
    theirs = str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"])
    url = settings.ack_url or theirs
    if place_of(theirs, tap.config.get("ack_schema")) != place_of(url, settings.ack_schema):
        raise click.ClickException("ack_url: the tap's settings name another ledger than the target's")
    with closing(Ledger.open(url, settings.ack_schema)) as ledger:
        if ledger.lacks_file() or ledger.missing_tables():
            ledger.check_version()
            raise click.ClickException("there is no ledger yet; the first run of the pair makes it")
        ledger.check_version()
        yield ledger


def _refuse_other_set_up(lines: Sequence[str]) -> None:
    if lines:
        raise click.ClickException(f"a run would be refused, and a comparison would say nothing: {'; '.join(lines)}")


def _say_price(asked: _Asked, price: Price) -> None:
    if asked.price_only and asked.as_json:
        print_json({"price": asdict(price) | {"credits": price.credits}})
        return
    say(price_line(asked.scope, price), err=not asked.price_only)
    if asked.budget is not None and price.credits > asked.budget and not asked.price_only:
        raise click.ClickException(
            f"--budget {asked.budget:,}: it takes {price.credits:,} credits at least; --sample or --since takes fewer"
        )


@contextmanager
def _csv_of(path: Path | None) -> Iterator[Any]:
    """What writes a finding into a CSV file, or nowhere."""
    if path is None:
        yield lambda _finding: None
        return
    with spooling(), path.open("w", encoding="utf-8", newline="") as file:
        yield _writer(file)


def _writer(file: TextIO) -> Any:
    rows = csv.writer(file)
    rows.writerow(["kind", "key", "record_id", "fields", "who", "when", "detail", "lines"])

    def write(finding: Finding) -> None:
        fields, lines = ";".join(finding.fields), ";".join(finding.lines)
        facts = (finding.kind.value, finding.key, finding.zoho_id, fields, finding.who, finding.when, finding.detail)
        rows.writerow([*facts, lines])

    return write


def _show(
    tap: TapLegacyOrders,
    module: str,
    asked: _Asked,
    result: Result,
    samples: Samples,
    repairer: Repairer,
    not_compared: Mapping[str, str],
    receipt: str,
    price: Price,
    spent: int,
) -> None:
    repaired = _repaired(repairer, asked.repairs or asked.accepts)
    report = AuditReport(tap.stream_name, module, asked.scope, result, samples, not_compared, spent, receipt)
    if asked.page_file is not None:
        with spooling(), open(asked.page_file, "w", encoding="utf-8", opener=for_owner) as file:
            file.write(report.whole_page())
    if asked.as_json:
        document = {
            "stream": tap.stream_name,
            "module": module,
            "scope": asked.scope.document(),
            "equal": result.is_equal,
            "counts": result.document(),
            "findings": samples.all,
            "not_compared": not_compared,
            "repaired": repaired,
            "credits_foretold": price.credits,
            "credits": spent,
            "receipt": receipt,
        }
        print_json(document)
        return
    report.display(open_console())
    if repaired is not None:
        would = "would be repaired or accepted" if asked.dry_run else "meant"
        say(f"{sum(repairer.meant.values()):,} findings {would}; " + _done(repairer))


def _repaired(repairer: Repairer, asked: Collection[Kind]) -> dict[str, Any] | None:
    if not asked:
        return None
    return {
        "meant": dict(repairer.meant),
        "due": repairer.due,
        "bound": repairer.bound,
        "noted_deleted": repairer.noted_deleted,
        "accepted": repairer.accepted,
    }


def _done(repairer: Repairer) -> str:
    return (
        f"{repairer.due:,} are due, and the next run writes them; {repairer.bound:,} are bound to their records; "
        f"{repairer.noted_deleted:,} noted as deleted; {repairer.accepted:,} accepted"
    )
