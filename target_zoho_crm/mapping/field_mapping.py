"""From the properties of a Singer schema to the fields of a Zoho module: compiled once, then only applied. Pure."""

from __future__ import annotations

from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import tzinfo
from functools import cached_property
from typing import Any

from target_zoho_crm.api.metadata import LAYOUT, Field, ModuleFields
from target_zoho_crm.mapping.converters import (
    ONLY_IF_SAID,
    WRITTEN,
    Forms,
    SecondStep,
    Shortcut,
    forms_of,
    unchecked_forms,
)
from target_zoho_crm.mapping.field_settings import FieldSettings, OnNull, WriteRule
from target_zoho_crm.mapping.field_values import Converter, Refusal
from target_zoho_crm.mapping.pairing import pair
from target_zoho_crm.mapping.references import ParentLookup
from target_zoho_crm.mapping.value_checks import text_check

__all__ = ["Constant", "Converter", "FieldMapping", "MappedColumn", "Refusal", "Shortcut", "compile_mapping"]


@dataclass(frozen=True)
class MappedColumn:
    """One property and the field it goes to.

    `to_json` and `to_csv` turn a value into its form for the upsert body and for a CSV cell; None means as it is. Where
    all values of a column fit the `shortcut`, its converters do.
    `csv_format` goes into the bulk job's mapping of the column; `csv_find_by` says what a reference's cell holds.
    `parent` says that the values are not ids but values of the records pointed at.
    `keeps` says that null leaves the field alone; `appends` that entries are added to those in the CRM. `upsert_only`
    says why no CSV of orders can hold the column, if so, and `second_step` how its values go beside a job then.
    """

    source: str
    field: Field
    to_json: Converter | None
    to_csv: Converter | None
    csv_format: str | None
    csv_find_by: str | None = None
    parent: ParentLookup | None = None
    shortcut: Shortcut | None = None
    keeps: bool = False
    appends: bool = False
    upsert_only: str | None = None
    second_step: SecondStep | None = None
    write: WriteRule = WriteRule.ALWAYS


@dataclass(frozen=True)
class Constant:
    """A field that holds the same in every record, since no property goes to it; as `MappedColumn` otherwise."""

    field: Field
    in_json: Any
    in_csv: Any
    csv_format: str | None
    csv_find_by: str | None = None
    upsert_only: str | None = None
    write: WriteRule = WriteRule.ALWAYS

    @property
    def of_the_job(self) -> bool:
        """Whether a bulk job says it once for the whole file; else it is a column like others."""
        return self.field.data_type == LAYOUT


@dataclass(frozen=True)
class FieldMapping:
    """The compiled mapping of one stream. The key field is written from the record's key, so it is no column.

    `unmapped` names the properties that go nowhere, for one warning. `key_check` refuses a key that the key field
    cannot hold. `upsert_only` says why bulk write cannot write this mapping; empty where it can. `lacking` names
    mandatory fields that no order gets a value for.
    """

    key_field: Field
    columns: tuple[MappedColumn, ...]
    unmapped: tuple[str, ...]
    constants: tuple[Constant, ...] = ()
    key_check: Converter | None = None
    upsert_only: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    """Properties that the settings send to a field, and that the stream does not have."""
    lacking_rows: tuple[str, ...] = ()
    """Those of `lacking` that are subforms."""
    nulled: set[str] = dataclass_field(default_factory=set, compare=False)
    """Fields of which a value that is none, or that cannot be read, was written as null."""

    @property
    def written(self) -> tuple[MappedColumn | Constant, ...]:
        """What a record holds beside its key, in this order."""
        return (*self.columns, *self.constants)

    def only(self, names: abc.Collection[str]) -> FieldMapping:
        """The same for some fields, by API name."""
        columns = tuple(each for each in self.columns if each.field.api_name in names)
        constants = tuple(each for each in self.constants if each.field.api_name in names)
        return replace(self, columns=columns, constants=constants)

    @cached_property
    def with_rules(self) -> FieldMapping:
        """The same for the fields that are not always written; whether there are any says `has_rules`."""
        return self.only({each.field.api_name for each in self.written if each.write is not WriteRule.ALWAYS})

    @property
    def has_rules(self) -> bool:
        """Whether a field may belong to people, so that a record is not overwritten blindly."""
        return bool(self.with_rules.written)

    @property
    def matches_by_more(self) -> bool:
        """Whether an upsert could find a record by another unique field than the key."""
        return bool(self.further_unique)

    @property
    def further_unique(self) -> tuple[str, ...]:
        """API names of the unique fields that are written beside the key."""
        names = (each.field.api_name for each in self.written if each.field.unique and each.field != self.key_field)
        return tuple(names)

    @property
    def cells(self) -> tuple[MappedColumn | Constant, ...]:
        """What a row of a CSV holds beside the key, in this order."""
        return (*self.columns, *(each for each in self.constants if not each.of_the_job))

    @cached_property
    def second_step(self) -> dict[int, MappedColumn]:
        """The columns that no CSV holds and that yet go beside a job, by their position in a row."""
        return {at: column for at, column in enumerate(self.columns) if column.second_step is not None}

    @property
    def in_file(self) -> tuple[FieldMapping, Sequence[int]]:
        """The mapping of what a job's CSV holds, and where in a row that stands."""
        if not self.second_step:
            return self, range(len(self.columns))
        positions = [at for at in range(len(self.columns)) if at not in self.second_step]
        return replace(self, columns=tuple(self.columns[at] for at in positions)), positions

    @property
    def appended(self) -> tuple[str, ...]:
        """API names of the fields whose entries are added to those in the CRM."""
        return tuple(column.field.api_name for column in self.columns if column.appends)


def compile_mapping(
    properties: abc.Mapping[str, dict[str, Any]],
    fields: ModuleFields,
    *,
    key_field: str,
    key_properties: abc.Sequence[str],
    settings: abc.Mapping[str, FieldSettings],
    timezone: tzinfo,
    validate: bool = True,
) -> FieldMapping:
    """Find each property's field and its converters.

    `pair` says by which rules. Fields that cannot be written, and references to other records, are left out when
    only a name led to them.

    Args:
        properties: the schema's properties by name.
        fields: the module's fields.
        key_field: API name of the field that holds the key.
        key_properties: the properties that make up the key.
        settings: by API name, from the setting `fields`.
        timezone: the zone of times without an offset.
        validate: whether values are held to their fields' limits; if not, Zoho refuses what does not fit.

    Raises:
        ConfigurationError: an unknown or unwritable field in `settings`, or an option that does not suit it; a name
            that fits two fields, or two properties that fit one.
    """
    key = fields.key(key_field)
    pairs = pair(
        properties,
        fields,
        key_field=key,
        key_properties=key_properties,
        settings=settings,
        can_write=_can_write,
        by_name=_by_name,
    )
    for api_name, own in settings.items():
        if api_name in fields:
            own.check(fields[api_name], is_key=fields[api_name] == key)
    nulled: set[str] = set()
    columns = tuple(
        _column(
            source, properties[source], fields[api_name], settings.get(api_name), timezone, nulled, validate=validate
        )
        for api_name, source in pairs.sources.items()
    )
    constants = tuple(
        _constant(fields[api_name], own, timezone)
        for api_name, own in settings.items()
        if own.default is not None and api_name not in pairs.sources and fields[api_name] != key
    )
    key_check = text_check(key) if validate else None
    mapping = FieldMapping(key, columns, pairs.unmapped, constants, key_check, absent=pairs.absent, nulled=nulled)
    stuck = [each for each in mapping.written if isinstance(each, Constant) or each.second_step is None]
    reasons = (f"{each.field.api_name} {each.upsert_only}" for each in stuck if each.upsert_only)
    there = {key.api_name, *(each.field.api_name for each in mapping.written)}
    lacking = (each.api_name for each in fields.values() if each.mandatory and _can_write(each))
    return replace(mapping, upsert_only=tuple(reasons), lacking=tuple(name for name in lacking if name not in there))


def _column(
    source: str,
    schema: abc.Mapping[str, Any],
    field: Field,
    settings: FieldSettings | None,
    timezone: tzinfo,
    nulled: set[str],
    *,
    validate: bool,
) -> MappedColumn:
    own = settings or FieldSettings(field.api_name)
    forms = (forms_of if validate else unchecked_forms)(field, schema, own, timezone, nulled)
    second_step = SecondStep.CALLS if own.append else forms.second_step
    if field.mandatory or own.default is not None:
        second_step = None  # all orders have a value, and each takes a call
    return MappedColumn(
        source,
        field,
        forms.to_json,
        forms.to_csv,
        forms.csv_format,
        forms.csv_find_by,
        shortcut=forms.shortcut,
        keeps=own.null is OnNull.KEEP,
        appends=own.append,
        upsert_only="is appended to, which bulk write cannot" if own.append else forms.upsert_only,
        second_step=second_step,
        write=own.write,
    )


def _constant(field: Field, settings: FieldSettings, timezone: tzinfo) -> Constant:
    forms: Forms = forms_of(field, {}, settings, timezone)
    upsert_only = None if field.data_type == LAYOUT else forms.upsert_only
    values = forms.to_json(None), forms.to_csv(None)
    return Constant(field, *values, forms.csv_format, forms.csv_find_by, upsert_only, write=settings.write)


def _can_write(field: Field) -> bool:
    return field.writable and field.data_type in WRITTEN


def _by_name(field: Field) -> bool:
    """Whether a name alone may lead to the field: a reference needs an id, which a column `owner` rarely holds."""
    return field.data_type not in ONLY_IF_SAID
