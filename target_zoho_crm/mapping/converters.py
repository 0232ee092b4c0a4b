"""How a field's values take on Zoho's two forms, checked by the field's own metadata: compiled once a column. Pure.

Each column has converters of one value, which know every limit of the field, and perhaps a shortcut: one look at a
whole column tells that all its values are within the limits, and cheaper converters, or none, do then.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from enum import Enum
from typing import Any

from target_zoho_crm.api.metadata import LAYOUT, LINE_TAX, LINKS, TAG, Field
from target_zoho_crm.mapping import field_values, timestamps, value_checks
from target_zoho_crm.mapping.field_settings import FieldSettings, OnTooLong, OnUnreadable
from target_zoho_crm.mapping.field_values import Converter
from target_zoho_crm.mapping.picklists import Picklist
from target_zoho_crm.mapping.value_tables import by_table

TEXT = frozenset({"text", "textarea", "email", "phone", "website"})
DECIMAL = frozenset({"currency", "double", "decimal", "percent"})
WHOLE = frozenset({"integer", "bigint"})
PICKLISTS = frozenset({"picklist", "multiselectpicklist"})
REFERENCES = frozenset({"lookup", "ownerlookup", "userlookup"})
ONLY_IF_SAID = REFERENCES | LINKS | {TAG, LAYOUT, LINE_TAX}
"""Types whose fields no name alone leads to: they need ids, or make the stream go by upsert calls."""


class SecondStep(Enum):
    """How values that no cell of a CSV can hold go where their orders go by a job."""

    LINKS = "links"
    """By jobs of the linking module, or by calls, once the orders are in the CRM."""
    CALLS = "calls"
    """By upsert calls for the orders that have one; the other orders go by the job."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """For columns whose values all fit: `fits` checks a column, and the converters need not check again.

    A converter None means that the values are right as they are.
    """

    fits: Callable[[Sequence[Any]], bool] = field(repr=False)
    to_json: Converter | None = field(repr=False)
    to_csv: Converter | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Forms:
    """The two forms of a field's values, and the cheaper way to them."""

    to_json: Converter
    to_csv: Converter
    shortcut: Shortcut | None = None
    csv_format: str | None = None
    csv_find_by: str | None = None
    upsert_only: str | None = None  # why no CSV cell can say it, if so; `to_csv` is then of no use
    second_step: SecondStep | None = None  # how such values go beside a job; None: their orders cannot go by one


def forms_of(
    field: Field,
    schema: abc.Mapping[str, Any],
    settings: FieldSettings,
    zone: tzinfo,
    nulled: set[str] | None = None,
) -> Forms:
    """The converters of a field for values of a JSON schema.

    Dates of MySQL that are none (0000-00-00) are null, as is what cannot be read where the settings say so; the field's
    name goes into `nulled` then.

    Raises:
        ConfigurationError: the field does not take its default.
    """
    forms = _readable(_forms(field, json_types(schema), settings, zone), field, settings, nulled)
    if settings.default is not None:
        return _with_default(forms, field, settings)
    return _mandatory(forms) if field.mandatory else forms


def unchecked_forms(
    field: Field,
    schema: abc.Mapping[str, Any],
    settings: FieldSettings,
    zone: tzinfo,
    nulled: set[str] | None = None,
) -> Forms:
    """As `forms_of` without any limit; what cannot even take on its form goes as it is, for Zoho to refuse it.

    Raises:
        ConfigurationError: as `forms_of`.
    """
    kind = "text" if field.data_type in TEXT else field.data_type  # which has no shape
    free = replace(field, data_type=kind, length=None, decimal_place=None, picklist=())
    forms = _readable(_forms(free, json_types(schema), FieldSettings(field.api_name), zone), field, settings, nulled)
    forms = replace(
        forms,
        to_json=_lenient(forms.to_json, field_values.as_it_is),
        to_csv=_lenient(forms.to_csv, field_values.any_to_text),
    )
    return forms if settings.default is None else _with_default(forms, field, settings)


def json_types(schema: abc.Mapping[str, Any]) -> frozenset[str]:
    """The JSON types a property may have, besides null; empty when the schema does not say."""
    alternatives = [each for name in ("anyOf", "oneOf") for each in schema.get(name, ()) if isinstance(each, dict)]
    if alternatives:
        return frozenset[str]().union(*map(json_types, alternatives))
    declared = schema.get("type", ())
    names = {declared} if isinstance(declared, str) else set(declared)
    return frozenset(names - {"null"})


def _forms(field: Field, types: frozenset[str], settings: FieldSettings, zone: tzinfo) -> Forms:
    make = next(make for kinds, make in _MAKERS if field.data_type in kinds)
    return make(_Wanted(field, types, settings, zone))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """All that the forms of a field depend on."""

    field: Field
    types: frozenset[str]
    settings: FieldSettings
    zone: tzinfo

    @property
    def to_text(self) -> Converter:
        """What makes text of any value: of 0 and 1 themselves where a boolean is a number."""
        return field_values.digits_to_text if {"boolean", "integer"} <= self.types else field_values.any_to_text

    @property
    def truncates(self) -> bool:
        return self.settings.on_too_long is OnTooLong.TRUNCATE


def _text(wanted: _Wanted) -> Forms:
    check = value_checks.text_check(wanted.field, truncate=wanted.truncates)
    each: Converter = wanted.to_text if check is None else _then(wanted.to_text, check)
    fits = value_checks.texts_fit(wanted.field)
    return Forms(each, each, Shortcut(fits, field_values.text_to_json, None) if wanted.types == {"string"} else None)


def _picklist(wanted: _Wanted) -> Forms:
    picklist = Picklist(wanted.field, wanted.settings)
    if wanted.field.data_type == "multiselectpicklist":
        to_json = _then(field_values.choices_json, picklist.several)
        return Forms(to_json, _then(to_json, field_values.joined_choices))
    each = _then(wanted.to_text, picklist.one)
    return Forms(
        each, each, Shortcut(picklist.fits, field_values.text_to_json, None) if wanted.types == {"string"} else None
    )


def _whole(wanted: _Wanted) -> Forms:
    field = wanted.field
    check = value_checks.whole_check(field)
    to_csv = field_values.whole if check is None else _then(field_values.whole, check)
    to_json = _then(to_csv, str) if field.data_type == "bigint" else to_csv
    if wanted.types != {"integer"}:
        return Forms(to_json, to_csv)
    plain = field_values.whole_text if field.data_type == "bigint" else None
    return Forms(to_json, to_csv, Shortcut(value_checks.numbers_fit(field), plain, None))


def _decimal(wanted: _Wanted) -> Forms:
    field = wanted.field
    check = value_checks.decimal_check(field, round_off=wanted.truncates)
    to_json = field_values.decimal_json if check is None else _then(field_values.decimal_json, check)
    to_csv = _then(to_json, field_values.number_text)
    if wanted.types == {"integer"}:
        return Forms(to_json, to_csv, Shortcut(value_checks.numbers_fit(field), None, None))
    if wanted.types == {"number"}:
        return Forms(
            to_json,
            to_csv,
            Shortcut(value_checks.numbers_fit(field), field_values.decimal_json, field_values.number_text),
        )
    return Forms(to_json, to_csv)


def _date(wanted: _Wanted) -> Forms:
    to_text = timestamps.date_converter(wanted.zone)
    sure = Shortcut(timestamps.days_fit, field_values.text_to_json, None) if wanted.types == {"string"} else None
    return Forms(to_text, to_text, sure, csv_format=timestamps.DATE_FORMAT)


def _datetime(wanted: _Wanted) -> Forms:
    to_text = timestamps.datetime_converter(wanted.zone)
    cut = timestamps.cut_timestamp
    sure = Shortcut(timestamps.timestamps_fit, cut, cut) if wanted.types == {"string"} else None
    return Forms(to_text, to_text, sure, csv_format=timestamps.DATETIME_FORMAT)


def _boolean(wanted: _Wanted) -> Forms:
    looks = _always if wanted.types == {"boolean"} else value_checks.are_booleans
    sure = Shortcut(looks, None, field_values.WORD_OF_BOOLEAN) if "boolean" in wanted.types else None
    return Forms(field_values.boolean, field_values.boolean_csv, sure)


def _reference(_wanted: _Wanted) -> Forms:
    return Forms(field_values.reference_json, field_values.reference_csv, csv_find_by="id")


def _links(wanted: _Wanted) -> Forms:
    field = wanted.field
    convert = field_values.references_by(field.link or field.api_name)
    # The documents of bulk write name multi-select lookups as children of a record, and no multi-user lookups.
    by_job = field.data_type == "multiselectlookup" and field.linking_module and field.linking_parent
    second_step = SecondStep.LINKS if by_job else SecondStep.CALLS
    return Forms(
        convert, convert, upsert_only="links several records, which takes a CSV of its own", second_step=second_step
    )


def _tags(_wanted: _Wanted) -> Forms:
    return Forms(
        field_values.tags_json,
        field_values.tags_json,
        upsert_only="holds tags, of which the documents of bulk write say nothing",
        second_step=SecondStep.CALLS,
    )


def _line_taxes(_wanted: _Wanted) -> Forms:
    """By their names alone; `OrgTaxes` knows their percentages."""
    return Forms(
        field_values.tags_json,
        field_values.tags_json,
        upsert_only="holds taxes, of which the documents of bulk write say nothing",
    )


def _layout(_wanted: _Wanted) -> Forms:
    """One layout for a whole job is no column; see `Constant`."""
    return Forms(
        field_values.reference_json,
        field_values.reference_csv,
        upsert_only="names a layout for each record, and a job has one",
    )


_MAKERS: Sequence[tuple[frozenset[str], Callable[[_Wanted], Forms]]] = (
    (TEXT, _text),
    (PICKLISTS, _picklist),
    (WHOLE, _whole),
    (DECIMAL, _decimal),
    (frozenset({"date"}), _date),
    (frozenset({"datetime"}), _datetime),
    (frozenset({"boolean"}), _boolean),
    (REFERENCES, _reference),
    (LINKS, _links),
    (frozenset({TAG}), _tags),
    (frozenset({LINE_TAX}), _line_taxes),
    (frozenset({LAYOUT}), _layout),
)
WRITTEN = frozenset[str]().union(*(kinds for kinds, _ in _MAKERS))
"""The types that can be written."""


_ZERO_DATE = "0000-00-00"


def _readable(forms: Forms, field: Field, settings: FieldSettings, nulled: set[str] | None) -> Forms:
    """Null in place of what is no value; a shortcut is taken only where every value is one."""

    def note() -> None:
        if nulled is not None:
            nulled.add(field.api_name)

    if settings.format is not None:
        to_json, to_csv = (timestamps.in_format(each, settings.format) for each in (forms.to_json, forms.to_csv))
        forms = replace(forms, to_json=to_json, to_csv=to_csv, shortcut=None)
    if field.data_type in timestamps.TIMES:
        forms = replace(forms, to_json=_but_zero(forms.to_json, note), to_csv=_but_zero(forms.to_csv, note))
    if settings.unreadable is OnUnreadable.NULL:
        forms = replace(forms, to_json=_or_null(forms.to_json, note), to_csv=_or_null(forms.to_csv, note))
    if settings.null_if:
        to_json, to_csv = (field_values.unless_none(each, settings.null_if) for each in (forms.to_json, forms.to_csv))
        forms = replace(forms, to_json=to_json, to_csv=to_csv, shortcut=None)
    if settings.values:
        to_json, to_csv = (
            by_table(each, settings.values, field_values.any_to_text) for each in (forms.to_json, forms.to_csv)
        )
        forms = replace(forms, to_json=to_json, to_csv=to_csv, shortcut=None)
    return forms


def _but_zero(convert: Converter, note: Callable[[], None]) -> Converter:
    def converted(value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_ZERO_DATE):
            note()
            return None
        return convert(value)

    return converted


def _or_null(convert: Converter, note: Callable[[], None]) -> Converter:
    def converted(value: Any) -> Any:
        try:
            return convert(value)
        except field_values.UNCONVERTIBLE:
            note()
            return None

    return converted


def _then(first: Converter, second: Converter) -> Converter:
    """Both, one after the other; None stays None."""

    def both(value: Any) -> Any:
        found = first(value)
        return None if found is None else second(found)

    return both


def _lenient(convert: Converter, otherwise: Converter) -> Converter:
    def lenient(value: Any) -> Any:
        try:
            return convert(value)
        except field_values.UNCONVERTIBLE:
            return otherwise(value)

    return lenient


def _always(_column: Sequence[Any]) -> bool:
    return True


def _with_default(forms: Forms, field: Field, settings: FieldSettings) -> Forms:
    """The default where there is no value; it must be one that the field takes."""
    in_json, in_csv = settings.default_by(field, forms.to_json), settings.default_by(field, forms.to_csv)
    shortcut = forms.shortcut
    if shortcut is not None:
        shortcut = replace(shortcut, to_json=_or(shortcut.to_json, in_json), to_csv=_or(shortcut.to_csv, in_csv))
    return replace(forms, to_json=_or(forms.to_json, in_json), to_csv=_or(forms.to_csv, in_csv), shortcut=shortcut)


def _or(convert: Converter | None, default: Any) -> Converter:
    def filled(value: Any) -> Any:
        found = value if convert is None else convert(value)
        return default if found is None or found == "" else found

    return filled


def _mandatory(forms: Forms) -> Forms:
    """Refuse what has no value."""
    shortcut = forms.shortcut
    if shortcut is not None:
        fits = shortcut.fits
        shortcut = replace(shortcut, fits=lambda column: None not in column and "" not in column and fits(column))
    return replace(
        forms,
        to_json=value_checks.demanded(forms.to_json),
        to_csv=value_checks.demanded(forms.to_csv),
        shortcut=shortcut,
    )
