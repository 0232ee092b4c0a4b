"""What a stream's delivery is made of: put together here, so that each class is given just what it uses."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sync_ledger.leases import Lease
from sync_ledger.pooled_orders import PooledOrders
from sync_ledger.stream_contract import Announcement
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.batch import Channel
from target_zoho_crm.config_schema import payload_settings
from target_zoho_crm.confirmation.field_marks import FieldMarks
from target_zoho_crm.confirmation.in_flight import InFlight
from target_zoho_crm.confirmation.problem_summary import Problems
from target_zoho_crm.confirmation.recorder import Recorder
from target_zoho_crm.confirmation.sent_contents import SentContents
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.confirmation.stream_in_doubt import StreamInDoubt
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.confirmation.sync_flags import SyncFlags
from target_zoho_crm.confirmation.unattributed_failures import UnattributedFailures
from target_zoho_crm.delivery.begin_contact import begin_contact
from target_zoho_crm.delivery.deletions import Deletions
from target_zoho_crm.delivery.delivery import Delivery, Sift
from target_zoho_crm.delivery.early_refusals import EarlyRefusals
from target_zoho_crm.delivery.first_contact import FirstContact
from target_zoho_crm.delivery.flush_timer import FlushTimer
from target_zoho_crm.delivery.held_orders import HeldOrders
from target_zoho_crm.delivery.key_spelling import KeySpelling
from target_zoho_crm.delivery.order_sealing import OrderSealing
from target_zoho_crm.delivery.payload_hasher import PayloadHasher
from target_zoho_crm.delivery.read_back import NAME, ReadBack
from target_zoho_crm.delivery.router import Router
from target_zoho_crm.delivery.shared_load import SharedLoad
from target_zoho_crm.delivery.shared_module import SharedModule
from target_zoho_crm.delivery.unchanged import UnchangedOrders
from target_zoho_crm.delivery.verification import Verification
from target_zoho_crm.lines.existing_lines import ExistingLines
from target_zoho_crm.links.job_eligibility import LinkedRecords
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.stream_compiler import CompiledStream
from target_zoho_crm.stream_policy import ContactMode, StreamPolicy
from target_zoho_crm.stream_request import StreamRequest
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writers import WriterParts
from target_zoho_crm.writing.bulk_write import BulkWriter
from target_zoho_crm.writing.insertion import Insertion
from target_zoho_crm.writing.lookup_resolver import LookupDirectories, LookupResolver
from target_zoho_crm.writing.owned_fields import OwnedFields
from target_zoho_crm.writing.records_by_key import RecordsByKey
from target_zoho_crm.writing.routing import Routing
from target_zoho_crm.writing.values_before import Sealing, ValuesBefore
from target_zoho_crm.writing.workers import RunWorkers


@dataclass(frozen=True)
class StreamParts:
    """What of a stream lasts for the run, whatever becomes of its schema."""

    policy: StreamPolicy
    ledger: StreamLedger
    recorder: Recorder
    in_flight: InFlight
    contents: SentContents
    writers: WriterParts
    marks: FieldMarks
    lookups: LookupResolver
    deletions: Deletions
    held: HeldOrders
    verification: Verification
    sifts: Sequence[Sift]
    contact: FirstContact
    shared: SharedLoad | None


class SharedParts:
    """What all streams of a run share, and the parts of each that are made of it."""

    def __init__(
        self,
        settings: Settings,
        *,
        client: ZohoClient,
        credits: CreditMeter,  # noqa: A002 - the field's word
        state_gate: StateGate,
        problems: Problems,
        workers: RunWorkers,
        spool: Path,
        asked_to_end: threading.Event,
    ) -> None:
        """Files of jobs lie in `spool`. `asked_to_end` is set at the first signal, at which one that lasts settles."""
        self._settings = settings
        self._client = client
        self._credits = credits
        self._state_gate = state_gate
        self._problems = problems
        self._workers = workers
        self._spool = spool
        self._asked_to_end = asked_to_end
        self._parents = LookupDirectories(client)

    def parts_of(
        self,
        policy: StreamPolicy,
        own: StreamSettings,
        lease: Lease,
        compiled: CompiledStream,
        *,
        fields: ModuleFields,
        flags: SyncFlags | None,
        announced: Announcement,
    ) -> StreamParts:
        """Make what lasts of a stream; `fields` are those of its module, `announced` is what its tap says of it.

        Raises:
            ConfigurationError: deletions cannot be marked as the settings say.
        """
        client, lines, contents = self._client, compiled.lines, SentContents(policy.content_form, policy.mapping_number)
        ledger = self._ledger_of(policy, own, lease, contents)
        recorder = Recorder(
            policy,
            ledger=ledger,
            state_gate=self._state_gate,
            problems=self._problems,
            credits=self._credits,
            flags=flags,
            contents=contents,
        )
        in_doubt, marks, held = StreamInDoubt(lease), FieldMarks(lease), HeldOrders(lease, recorder)
        records = RecordsByKey(client, own.module, own.key_field, policy.folding)
        insertion = Insertion(policy, client=client, ledger=ledger, recorder=recorder, records=records)
        in_flight, unattributed = InFlight(policy.folding), UnattributedFailures(client.gets_through)
        writers = WriterParts(
            policy,
            client=client,
            ledger=ledger,
            in_doubt=in_doubt,
            recorder=recorder,
            in_flight=in_flight,
            unattributed=unattributed,
            records=records,
            insertion=insertion,
            owned=OwnedFields(policy, client, marks, contents),
            before=self._before_of(policy, lease, ledger, records, fields),
            workers=self._workers,
            spool=self._spool,
            job_wait_seconds=self._settings.job_wait_seconds,
        )
        deletions = Deletions(
            policy,
            own.deletes,
            key_field=own.key_field,
            client=client,
            ledger=ledger,
            recorder=recorder,
            state_gate=self._state_gate,
            soft_delete=own.deletes.soft_delete(fields),
            lines=None if lines is None or lines.in_subform else ExistingLines(client, lines),
            unattributed=unattributed,
            workers=self._workers.calls,
        )
        lookups = self._lookups_of(policy, ledger, recorder)
        verification = Verification(
            policy, client, in_doubt=in_doubt, recorder=recorder, lookups=lookups, readable=compiled.is_read_whole
        )
        settled = [insertion.settle_in_doubt] if policy.operation is Operation.INSERT else []
        sifts = [*self._sifts(policy, own, ledger, recorder, flags), verification.sift, *settled]
        read_back = ReadBack(policy, client, ledger=ledger, lookups=lookups, by_key=records, reads_name=NAME in fields)
        found = policy, ledger, recorder, in_flight, contents, writers, marks, lookups, deletions, held, verification
        contact = self._contact_of(policy, read_back, lease, ledger, announced.expected)
        return StreamParts(*found, sifts, contact, self._shared_of(policy, lease, ledger, contents, announced))

    def _shared_of(
        self,
        policy: StreamPolicy,
        lease: Lease,
        ledger: StreamLedger,
        contents: SentContents,
        announced: Announcement,
    ) -> SharedLoad | None:
        """What workers share where `auto` goes by credits, and each of them comes to an end.

        One that is given the orders of a plan shares nothing: it writes these, and none else.
        """
        settings = self._settings
        by_credits = settings.channel is Channel.AUTO and settings.bulk_threshold is None
        if lease.partition.is_whole or policy.continuous or announced.in_part or not by_credits:
            return None
        return SharedLoad(
            policy,
            PooledOrders(lease, settings.history.run_group),
            OrderSealing(settings.credentials, lease.ledger.ledger_id),
            workers=lease.partition.of,
            batch_orders=settings.bulk_rows,
            ledger=ledger,
            contents=contents,
            state_gate=self._state_gate,
            credits=self._credits,
        )

    def _lookups_of(self, policy: StreamPolicy, ledger: StreamLedger, recorder: Recorder) -> LookupResolver:
        calls = self._workers.calls
        return LookupResolver(policy, ledger=ledger, recorder=recorder, directories=self._parents, workers=calls)

    def _before_of(
        self, policy: StreamPolicy, lease: Lease, ledger: StreamLedger, records: RecordsByKey, fields: ModuleFields
    ) -> ValuesBefore:
        return ValuesBefore(
            policy.module,
            self._settings.history.keep_before,
            client=self._client,
            ledger=ledger,
            lease=lease,
            records=records,
            fields=fields,
            sealing=Sealing(self._settings.credentials, lease.ledger.ledger_id),
        )

    def _contact_of(
        self, policy: StreamPolicy, read_back: ReadBack, lease: Lease, ledger: StreamLedger, expected: int | None
    ) -> FirstContact:
        careful = self._settings.first_contact is ContactMode.CAREFUL
        return FirstContact(
            policy,
            read_back,
            lease=lease,
            ledger=ledger,
            workers=self._workers,
            stop=self._client.stop,
            begin=partial(begin_contact, lease, self._asked_to_end) if careful else lambda: None,
            expected=expected,
        )

    def _ledger_of(
        self, policy: StreamPolicy, own: StreamSettings, lease: Lease, contents: SentContents
    ) -> StreamLedger:
        return StreamLedger(
            lease.ledger,
            lease,
            max_attempts=self._settings.max_attempts,
            folding=policy.folding,
            shares_module=own.shares_module,
            contents=contents,
        )

    def _sifts(
        self,
        policy: StreamPolicy,
        own: StreamSettings,
        ledger: StreamLedger,
        recorder: Recorder,
        flags: SyncFlags | None,
    ) -> list[Sift]:
        """What takes out orders that need not be sent, in this order."""
        sifts: list[Sift] = [recorder.set_missing_flags]
        if own.shares_module:
            sifts.append(SharedModule(policy.folding, ledger=ledger, recorder=recorder).sift)
        if self._settings.skip_unchanged or policy.content_form is not None:
            unchanged = UnchangedOrders(
                PayloadHasher(payload_settings(self._settings.config), policy.stream),
                ledger=ledger,
                recorder=recorder,
                every_version=self._settings.skip_unchanged,
                by_flag=flags is not None,
            )
            sifts.append(unchanged.sift)
        return sifts

    def delivery(
        self,
        parts: StreamParts,
        compiled: CompiledStream,
        request: StreamRequest,
        *,
        wanted: Channel,
        channel: Channel,
    ) -> tuple[Delivery, BulkWriter]:
        """Make a stream's delivery under one schema, and the writer that goes on with dead runs' jobs.

        `channel` is that of the orders, `wanted` that of what follows them up.
        """
        settings, mapping, lines = self._settings, compiled.mapping, compiled.lines
        parts.contact.begin_schema(lines)
        routing = Routing(channel, settings.bulk_rows, settings.bulk_threshold, settings.child_rows)
        writers = parts.writers.writers(mapping, lines, replace(routing, channel=wanted))
        router = Router(
            routing,
            writers,
            ledger=parts.ledger,
            recorder=parts.recorder,
            credits=self._credits,
            lookups=parts.lookups,
            linked=LinkedRecords(self._client),
            before=parts.writers.before_of(mapping, lines),
            marks=parts.marks,
            lines=lines,
        )
        refusals = EarlyRefusals(
            mapping,
            parts.policy.folding,
            ledger=parts.ledger,
            recorder=parts.recorder,
            state_gate=self._state_gate,
        )
        delivery = Delivery(
            parts.policy.stream,
            mapping,
            router=router,
            refusals=refusals,
            deletions=parts.deletions,
            held=parts.held,
            sifts=parts.sifts,
            state_gate=self._state_gate,
            in_flight=parts.in_flight,
            contents=parts.contents,
            contact=parts.contact,
            workers=self._workers,
            batch_orders=settings.bulk_rows,
            flush_timer=None if settings.max_age_seconds is None else FlushTimer(settings.max_age_seconds),
            spelling=KeySpelling.of(request.properties, request.key_properties, parts.ledger),
            shared=parts.shared,
        )
        return delivery, writers.bulk
