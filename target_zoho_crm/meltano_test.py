"""Whether the set-up works: for `--test`, and in place of the stream by which `meltano config test` tries a target.

Meltano 4 (core/plugin_test_service.py) sends a SCHEMA, one RECORD with key `id` 1 and a made-up name, and a STATE. It
takes the set-up for valid where the program ends 0 and no line of its output has `error` or `exception`. The stream is
none that a user chose, so no setting says where its record should go: as an order it would overwrite order 1 of the
real module, while the ledger goes on calling that order synced.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy.exc import DBAPIError

from sync_ledger.early_versions import TEST_STREAM
from sync_ledger.ledger import Ledger
from target_zoho_crm.api.layouts import KnownFields
from target_zoho_crm.batch import Channel
from target_zoho_crm.lines.line_settings import WriteTo
from target_zoho_crm.run import Run
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.writing.workers import at_once

logger = logging.getLogger("target-zoho-crm")


def look_at_set_up(run: Run) -> None:
    """Ask the ledger and the CRM what a run needs of them: token, org, modules, key fields. Only reads.

    Raises:
        ZohoError, LedgerError: something stands in the way of a run.
    """
    settings = run.settings
    _look_at_ledger(settings)
    fields = KnownFields(run.client)
    destinations = {each for own in _streams(settings) for each in _destinations(own)}
    modules = {module for module, _ in destinations}
    questions: list[Callable[[], object]] = [partial(fields.of, module) for module in modules]
    if settings.channel is not Channel.UPSERT:
        questions.append(run.client.org)  # the upload of a job's file names it
    at_once(questions, run.stop)
    for module, key_field in destinations:
        fields.of(module).key(key_field)
    logger.info("The set-up works: the CRM and the ledger answer as a run needs it")


def _streams(settings: Settings) -> list[StreamSettings]:
    """The streams that have settings of their own; without such, what holds for any stream."""
    named = set(settings.config.get("streams") or {}) - {TEST_STREAM}
    return [settings.stream(name) for name in named or {TEST_STREAM}]


def _destinations(own: StreamSettings) -> Iterator[tuple[str, str]]:
    """Modules and their key fields."""
    yield own.module, own.key_field
    if own.lines is not None and own.lines.write_to is WriteTo.MODULE:
        yield own.lines.module, own.lines.key_field


def _look_at_ledger(settings: Settings) -> None:
    if settings.ack_url is None:
        return
    ledger = Ledger.open(settings.ack_url, settings.ack_schema)
    try:
        ledger.missing_tables()
    except (DBAPIError, OSError) as error:
        raise ledger.unusable(error) from error
    finally:
        ledger.close()
