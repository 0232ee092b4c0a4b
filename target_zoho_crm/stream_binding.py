"""Whether a stream's set-up is the one that its ledger speaks of; compared before anything is written."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

import msgspec

from sync_ledger.absent_ledger import why_not_taken
from sync_ledger.bindings import Binding, SetUpChangedError, bind, key_columns_of
from sync_ledger.content_forms import remember_form
from sync_ledger.deleted_records import count_in_crm
from sync_ledger.first_load import first_load_is_over
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE
from sync_ledger.stream_contract import KEY_PROPERTY, VERSION_PROPERTY
from sync_ledger.written_mappings import RESEND_OLDER, OlderOrders, older_orders, remember_mapping
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.stream_compiler import CompiledStream
from target_zoho_crm.stream_mapping import written_mapping
from target_zoho_crm.stream_request import StreamRequest
from target_zoho_crm.write_settings import Automations, Operation, WriteSettings

logger = logging.getLogger("target-zoho-crm")

HASH_OF_THE_RECORD = "a hash of the record"
"""What keys are made of where records have none, and `on_missing_key` is hash."""

_REMEMBERED = {
    "filter_mark": "`filter` is not that of the last run",
    "columns_mark": "the columns that are read are not those of the last run",
}


def refuse_mix_up(request: StreamRequest, own: StreamSettings, named: Mapping[str, str], settings: Settings) -> None:
    """Refuse set-ups in which an order would be called synced that is not, or be sent for ever.

    `named` has what the settings call each stream that is open.

    Raises:
        ConfigurationError, SetUpChangedError: it is such a set-up.
    """
    stream = request.stream
    for other, their_name in named.items():
        theirs = settings.stream(their_name)
        one_module = (theirs.module, theirs.key_field) == (own.module, own.key_field)
        if other != stream and one_module and not (theirs.shares_module and own.shares_module):
            raise configuration_error(
                OwnCode.ONE_MODULE_TWO_STREAMS,
                f"Streams {their_name!r} and {request.named!r} both write to module {own.module} by {own.key_field}.",
            )
        if other == stream and their_name != request.named:
            what = f"Streams {their_name!r} and {request.named!r} are both made of stream {stream!r}"
            raise SetUpChangedError([f"{what}: each needs acks of its own; run the tap once for each"])
    if own.lines is not None and own.writes.operation is Operation.INSERT:
        what = f"Stream {stream!r}: `operation` is insert and `lines` is set; orders with lines cannot be inserted."
        raise configuration_error(OwnCode.INSERT_WITH_LINES, what)
    if VERSION_PROPERTY in request.properties and settings.ack_url is None:
        raise configuration_error(OwnCode.NO_ACK_URL, f"Stream {stream!r} comes from tap-legacy-orders.")


def refuse_foreign_records(request: StreamRequest, ledger: Ledger, *, is_open: bool) -> None:
    """Refuse records of our tap whose acks its next run would not find; `is_open`: this run has the stream already.

    Raises:
        SetUpChangedError: the SCHEMA lacks what the tap said in it, or the tap goes by another ledger.
    """
    why = _why_foreign(request, ledger, is_open=is_open)
    if why is not None:
        raise SetUpChangedError([f"Stream {request.named!r}: {why}"])


def _why_foreign(request: StreamRequest, ledger: Ledger, *, is_open: bool) -> str | None:
    announced, lacking = request.announced, {KEY_PROPERTY, VERSION_PROPERTY} - request.properties.keys()
    if VERSION_PROPERTY in lacking and announced.ledger_id is None:
        return None  # of a tap that is not ours
    if lacking:
        return (
            f"its records come from tap-legacy-orders and lack {', '.join(sorted(lacking))}: a mapper between tap and "
            "target drops them; keep them in it"
        )
    missing = announced.missing()
    if missing:
        return (
            f"its records come from tap-legacy-orders, and the SCHEMA lacks {', '.join(missing)}: a mapper between tap "
            "and target drops what it does not know (use `stream_maps` of the target instead), or tap and target are "
            "of different versions"
        )
    if announced.ledger_id == ledger.ledger_id:
        return None
    if announced.without_ledger is not None:
        return None if is_open else why_not_taken(ledger, request.stream, announced.partition, announced.without_ledger)
    where = ledger.engine.url.render_as_string(hide_password=True)
    return (
        f"the tap read these orders by another ledger ({announced.ledger_id}) than the target's, {where} "
        f"({ledger.ledger_id}): give both the same `ack_url` and `ack_schema`"
    )


def bind_stream(
    lease: Lease, request: StreamRequest, own: StreamSettings, compiled: CompiledStream, org: str | None
) -> int | None:
    """Bind a stream to its set-up, or compare; what is only remembered is said where it differs.

    Returns the number by which acks name its mapping; None for records that somebody pushes, whose mapping is not
    remembered.

    Raises:
        SetUpChangedError: the ledger's orders are elsewhere, or the module is another stream's.
    """
    wanted = binding_of(request, own, org)
    bound = bind(lease, wanted)
    if request.announced.by_hand:
        return None
    mapping, mark = written_mapping(*compiled), bound and bound.mapping_mark
    number = remember_mapping(lease, mapping, changed_before=mark not in {None, _mark(compiled.mapping)})
    if request.announced.content_form is not None:
        remember_form(lease, request.announced.content_form)
    if bound is None:
        return number
    _say_what_differs(lease, wanted, bound)
    for older in lease.ledger.with_retries(lambda: _older(lease)):
        what = f"{older}, and are written again when they change; `{RESEND_OLDER}` sends them by the next run"
        logger.warning("Stream %r: %s", request.stream, what)
    return number


def _older(lease: Lease) -> list[OlderOrders]:
    with lease.ledger.connect() as connection:
        return older_orders(connection, lease.ledger.tables, lease.stream)


def _say_what_differs(lease: Lease, wanted: Binding, bound: Binding) -> None:
    differ = [
        text
        for name, text in _REMEMBERED.items()
        if getattr(wanted, name) is not None and getattr(bound, name) not in {None, getattr(wanted, name)}
    ]
    if differ:
        count = lease.ledger.with_retries(lambda: _written(lease))
        logger.warning(
            "Stream %r: %s; %s orders were written before, and are written again when they change",
            lease.stream,
            "; ".join(differ),
            f"{count:,}",
        )


def _written(lease: Lease) -> int:
    with lease.ledger.connect() as connection:
        return count_in_crm(connection, lease.ledger.tables.ack, lease.stream, WHOLE)


def binding_of(request: StreamRequest, own: StreamSettings, org: str | None) -> Binding:
    """What a run with this set-up would bind its stream to."""
    source = request.announced.source
    return Binding(
        stream=request.stream,
        module=own.module,
        key_field=own.key_field,
        org=org,
        source_table=None if source is None else source.table,
        key_columns=_key_columns(request),
        shares_module=own.shares_module,
        filter_mark=None if source is None else source.filter_mark,
        columns_mark=None if source is None else source.columns_mark,
    )


def _key_columns(request: StreamRequest) -> str | None:
    """What keys are made of; None where that is not said."""
    source = request.announced.source
    if source is not None:
        return source.key
    if request.announced.by_hand:
        return None
    return key_columns_of(request.key_properties or [HASH_OF_THE_RECORD])


def _mark(mapping: FieldMapping) -> str:
    """What ledgers before version 5 remembered of a mapping."""
    document = {column.source: column.field.api_name for column in mapping.columns}
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()[:32]


def automations_of(lease: Lease, writes: WriteSettings) -> Automations:
    """Which automations this run's writes ask for: those of a first load while it lasts, then the later ones."""
    if writes.first_load == writes.later:
        return writes.later
    stream = lease.stream
    with lease.ledger.connect() as connection:
        over = first_load_is_over(connection, lease.ledger.tables.run, stream, lease.partition)
    chosen = writes.later if over else writes.first_load
    logger.info("Stream %r: this run %s the first load: %s", stream, "comes after" if over else "is of", chosen)
    return chosen
