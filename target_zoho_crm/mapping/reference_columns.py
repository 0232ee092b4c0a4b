"""References given by a value instead of an id: which columns they are, checked before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import replace

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.api.metadata import Field, ModuleFields
from target_zoho_crm.mapping.field_mapping import FieldMapping, MappedColumn
from target_zoho_crm.mapping.field_settings import FieldSettings
from target_zoho_crm.mapping.field_values import unless_none
from target_zoho_crm.mapping.references import OnMissingParent, ParentKind, ParentLookup
from target_zoho_crm.mapping.user_directory import EMAIL, Users

_USERS = frozenset({"ownerlookup", "userlookup"})


def with_references(
    mapping: FieldMapping,
    settings: Dictionary[str, FieldSettings],
    *,
    fields_of: Callable[[str], ModuleFields],
    users: Callable[[], Users],
) -> FieldMapping:
    """The mapping with the columns that `find_by` speaks of.

    Columns by a parent's value come first: a bulk job's result repeats the first three columns, and so names the
    parent that is missing.

    Args:
        mapping: as compiled, where references are ids.
        settings: by API name.
        fields_of: gives the fields of a module; asked for the modules that lookups point at.
        users: gives the org's users; asked only where a field needs them.

    Raises:
        ConfigurationError: `find_by` or `on_missing_parent` do not fit the field.
    """
    columns = [_column(column, settings.get(column.field.api_name), fields_of, users) for column in mapping.columns]
    columns.sort(key=lambda column: column.parent is None)
    return replace(mapping, columns=tuple(columns))


def _column(
    column: MappedColumn,
    own: FieldSettings | None,
    fields_of: Callable[[str], ModuleFields],
    users: Callable[[], Users],
) -> MappedColumn:
    if own is None or (own.find_by is None and own.on_missing_parent is None):
        return column
    field = column.field
    if own.find_by not in (None, "id") and own.default is not None:
        raise _unfit(field, "has a `default`, which goes with ids only, not with find_by")
    if field.data_type in _USERS and own.find_by in (EMAIL, "id", None) and own.on_missing_parent is None:
        return _user_column(column, users(), own.null_if) if own.find_by == EMAIL else column
    if field.data_type != "lookup" or field.lookup_module is None:
        raise _unfit(
            field, f"is no lookup (it is {field.data_type}): find_by goes with lookups, and as email with users"
        )
    if own.find_by in (None, "id"):
        if own.on_missing_parent is not None:
            raise _unfit(field, "has on_missing_parent, which needs find_by: the parent's field that holds the value")
        return column
    lookup = _lookup(
        field, own.find_by or "", own.on_missing_parent or OnMissingParent.REJECT, fields_of(field.lookup_module)
    )
    lookup = replace(lookup, kind=replace(lookup.kind, no_parent=own.null_if))
    return replace(column, to_csv=lookup.kind.text, csv_find_by=own.find_by, parent=lookup, shortcut=None)


def _user_column(column: MappedColumn, users: Users, nobody: frozenset[str]) -> MappedColumn:
    """Of owners a bulk job takes the e-mail itself; of other user fields nothing but ids is documented."""
    to_json = unless_none(users.to_json, nobody)
    if column.field.data_type == "ownerlookup":
        to_csv = unless_none(users.to_email, nobody)
        return replace(column, to_json=to_json, to_csv=to_csv, csv_find_by=EMAIL, shortcut=None)
    return replace(column, to_json=to_json, to_csv=unless_none(users.to_id, nobody), shortcut=None)


def _lookup(field: Field, find_by: str, on_missing: OnMissingParent, parents: ModuleFields) -> ParentLookup:
    kind = ParentKind(parents.module, parents.named(find_by))
    if not kind.can_be_asked_for:
        raise _unfit(field, f"cannot be found by {find_by}, whose type is {kind.field.data_type}")
    if on_missing is OnMissingParent.CREATE:
        if not kind.field.writable:
            raise _unfit(field, f"cannot be created by {find_by}, which cannot be written")
        mandatory = [each for each in parents.values() if each.mandatory and each.writable and each != kind.field]
        others = [each.api_name for each in mandatory if each.data_type not in ("text", "textarea")]
        if others:
            raise _unfit(field, f"cannot be created: {parents.module} demands {', '.join(others)}")
        kind = replace(kind, named_alike=tuple(each.api_name for each in mandatory))
    return ParentLookup(kind, on_missing)


def _unfit(field: Field, what: str) -> Exception:
    return configuration_error(OwnCode.REFERENCE_UNFIT, f"Field {field.api_name} {what}.", field=field.api_name)
