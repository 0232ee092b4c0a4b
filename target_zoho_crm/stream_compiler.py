"""Compiles streams against the CRM's metadata, which is read once a run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.errors import Stopped, ZohoError
from target_zoho_crm.api.layouts import KnownFields
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.batch import Channel
from target_zoho_crm.lines.line_mapping import CompiledLines, OrgDirectories
from target_zoho_crm.links.link_follow_up import has_links
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.user_directory import UserDirectory
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.stream_mapping import not_missed, refuse_unmapped, stream_lines, stream_mapping, warn_of_gaps
from target_zoho_crm.stream_policy import OnUnmapped
from target_zoho_crm.stream_request import StreamRequest
from target_zoho_crm.writing.workers import at_once

logger = logging.getLogger("target-zoho-crm")


class CompiledStream(NamedTuple):
    """How a stream's orders are written, and their lines, if they are."""

    mapping: FieldMapping
    lines: CompiledLines | None

    @property
    def is_read_whole(self) -> bool:
        """Whether a read of an order's record gives all that is written of it: it has no lines and no links."""
        return self.lines is None and not has_links(self.mapping)


class StreamCompiler:
    """Compiles the streams of one run."""

    def __init__(self, settings: Settings, client: ZohoClient, stop: threading.Event) -> None:
        """Nothing is asked for before it is needed."""
        self._settings = settings
        self._client = client
        self._stop = stop
        self._fields = KnownFields(client)
        self._users = UserDirectory(client)
        self._org = OrgDirectories.of(client, self._users.users)
        self.org_id: str | None = None
        """The org that the token is of; None where it was not asked for, or could not be read."""

    def fields_of(self, module: str) -> ModuleFields:
        """The fields of a module."""
        return self._fields.of(module)

    def prefetch(self, own: StreamSettings) -> None:
        """Ask the CRM at once for all that must be known before an order of the stream can be sent."""
        questions: list[Callable[[], object]] = [partial(self._fields.of, own.module)]
        if self._settings.validate:
            questions.append(partial(self._fields.demands_of, own.module))
        questions.append(self._client.org if self._settings.channel is Channel.BULK_WRITE else self._note_org)
        at_once(questions, self._stop)
        if self._settings.channel is Channel.BULK_WRITE:
            self._note_org()

    def _note_org(self) -> None:
        """Note the org. One that cannot be read is not compared with the ledger's; writes do not need it."""
        try:
            self.org_id = str(self._client.org().get("zgid") or "") or None
        except Stopped:
            raise
        except ZohoError as error:
            logger.info("The org cannot be read, and is not compared with the ledger's: %s", error.happened)

    def compile(self, request: StreamRequest, own: StreamSettings) -> CompiledStream:
        """Compile a stream under one schema, and warn of what is not written.

        Raises:
            ConfigurationError: module, key field or mapping are of no use.
        """
        fields_of = self._fields_with_demands(own)
        if request.announced.by_hand and own.lines is not None and own.lines.property not in request.properties:
            own = replace(own, lines=None)  # files have orders alone; the lines that the CRM has stay as they are
        names = request.announced.line_names
        lines = stream_lines(self._settings, own, request.properties, names, fields_of=fields_of, org=self._org)
        mapping = stream_mapping(
            self._settings,
            own,
            request.properties,
            request.key_properties,
            fields_of=fields_of,
            users=self._users.users,
        )
        mapping = not_missed(mapping, request.announced.tap_columns)
        if self._settings.on_unmapped is OnUnmapped.FAIL:
            refuse_unmapped(request.stream, own, mapping, lines)
        warn_of_gaps(request.stream, own, mapping, lines)
        return CompiledStream(mapping, lines)

    def _fields_with_demands(self, own: StreamSettings) -> Callable[[str], ModuleFields]:
        """The fields of a module; in the stream's own those are mandatory too that its layouts demand."""
        if not self._settings.validate:
            return self._fields.of
        layout = own.fields.get("Layout")
        constant = str(layout.default) if layout is not None and layout.default is not None else None
        demanding = self._fields.demanding(own.module, constant)
        return lambda module: demanding if module == own.module else self._fields.of(module)
