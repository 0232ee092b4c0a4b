"""What a run would write of orders: the tap's records through the target's own mapping, and the comparer for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from sync_databases.folded_keys import folded_key
from tap_legacy_orders.every_order import EveryOrder, ReadOrders
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.errors import close_names
from target_zoho_crm.api.metadata import LINKS, TAG, ModuleFields
from target_zoho_crm.compare.records import RecordComparer
from target_zoho_crm.lines.line_settings import lines_target
from target_zoho_crm.mapping.field_mapping import FieldMapping, MappedColumn
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.mapping.user_directory import UserDirectory
from target_zoho_crm.record_decoding import BadRecordError, RowReader
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.stream_mapping import stream_mapping

MODIFIED_BY, MODIFIED_TIME = "Modified_By", "Modified_Time"


class NoSuchFieldError(Exception):
    """A field was named that no column goes to; the text says which."""


class WrittenOrders:
    """The orders of one stream as they would be written."""

    def __init__(self, every: EveryOrder, settings: Settings, own: StreamSettings, client: ZohoClient) -> None:
        """Read the module's fields, and those of the modules and users that a mapping needs: a few credits.

        Raises:
            ConfigurationError: module, key field or mapping are of no use.
            ZohoError: the CRM could not be asked.
        """
        self.every = every
        self.own = own
        self.settings = settings
        self._client = client
        self._fields: dict[str, ModuleFields] = {}
        properties, self.users = every.properties, UserDirectory(client).users
        self._whole = stream_mapping(
            settings, own, properties, every.key_properties, fields_of=self.fields_of, users=self.users
        )
        self.readable = self.fields_of(own.module)
        self.ignore_empty = own.writes.ignore_empty
        self.with_lines = own.lines is not None
        """Whether lines are to be compared too."""
        self.use(self._whole)

    def fields_of(self, module: str) -> ModuleFields:
        """The fields of a module, which are asked for once: 1 credit.

        Raises:
            ZohoError: there is no such module, or it cannot be read.
        """
        if module not in self._fields:
            self._fields[module] = ModuleFields.fetch(self._client, module)
        return self._fields[module]

    def use(self, mapping: FieldMapping) -> None:
        """Compare by this mapping from now on."""
        self.mapping = mapping
        self.comparer = RecordComparer(mapping, ignore_empty=self.ignore_empty)
        self._rows = RowReader(
            self.every.properties,
            required=(),
            key_properties=self.every.key_properties,
            replication_key=None,
            sources=[column.source for column in mapping.columns],
        )

    def only(self, names: Collection[str]) -> None:
        """Compare these fields alone, by API name; lines are named as their subform or module is.

        Raises:
            NoSuchFieldError: one of them is not written.
        """
        written = [each.field.api_name for each in self._whole.written]
        of_lines = [] if self.own.lines is None else [lines_target(self.own.lines)]
        for name in names:
            if name not in (*written, *of_lines):
                raise NoSuchFieldError(
                    f"--fields: nothing is written to {name!r}.{close_names(name, [*written, *of_lines])}"
                )
        self.with_lines = any(name in names for name in of_lines)
        self.use(self._whole.only(names))

    @property
    def folding(self) -> KeyFolding:
        """How Zoho may compare keys."""
        return KeyFolding(folds_case=not self.mapping.key_field.case_sensitive)

    def folds(self, keys: Sequence[str]) -> list[str]:
        """The folded form of each key."""
        folds_case = self.folding.folds_case
        return [folded_key(key, folds_case=folds_case) for key in keys]

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that a read asks for: key, what is compared, and who was last, as far as they can be read."""
        asked = (
            *self.comparer.fields,
            *(each for each in (MODIFIED_TIME, MODIFIED_BY) if each in self.readable),
        )
        return tuple(dict.fromkeys(asked))

    @property
    def not_compared(self) -> dict[str, str]:
        """What of an order a comparison of records alone does not look at, and why."""
        why = {}
        for each in self.mapping.written:
            name = each.field.api_name
            if each.field.data_type in LINKS:
                why[name] = "links are no part of an order's own record"
            elif each.field.data_type == TAG:
                why[name] = "which tags are ours is not known"
            elif isinstance(each, MappedColumn) and each.parent is not None:
                why[name] = "given by a value of its parent, and the record holds the parent's id"
        if self.own.lines is not None:
            why["lines"] = "lines are no part of an order's own record"
        if self.settings.config.get("stream_maps"):
            why["stream_maps"] = "orders are compared as they are before stream maps"
        return why

    def values(self, read: ReadOrders) -> dict[str, tuple[Any, ...]]:
        """The values of the mapped columns of each order, by key; without those that do not fit their schema."""
        try:
            rows = self._rows.read_bare_lines(read.lines)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BadRecordError):
            found: dict[str, tuple[Any, ...]] = {}
            for key, line in zip(read.keys, read.lines, strict=True):
                try:
                    (found[key],) = self._rows.read_bare_lines([line]).values
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BadRecordError):
                    continue
            return found
        return dict(zip(read.keys, rows.values, strict=True))
