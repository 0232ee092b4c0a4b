"""Which property of a stream goes to which field of a module: by what the user says, else by name. Pure."""

from __future__ import annotations

from collections import abc, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.api.metadata import Field, ModuleFields
from target_zoho_crm.mapping.field_settings import FieldSettings

_OWN_PREFIXES = ("_sync_", "_sdc_")  # ours and the SDK's bookkeeping is no data of the order


@dataclass(frozen=True)
class Pairs:
    """What goes where.

    `sources` holds the property by the field's API name, in the properties' order; `unmapped` names the properties
    that go nowhere, and `absent` those that the settings name and that are not there, each with its field.
    """

    sources: abc.Mapping[str, str]
    unmapped: tuple[str, ...]
    absent: tuple[str, ...]


def pair(
    properties: abc.Collection[str],
    fields: ModuleFields,
    *,
    key_field: Field,
    key_properties: abc.Container[str],
    settings: abc.Mapping[str, FieldSettings],
    can_write: Callable[[Field], bool],
    by_name: Callable[[Field], bool],
) -> Pairs:
    """Find each property's field.

    A property goes where `settings` sends it, perhaps to several fields; else to the field of exactly its name; else to
    the one field whose name differs only in case, `_`, `-` and spaces. A field that `settings` names is found by
    name even where `by_name` says no.

    Raises:
        ConfigurationError: `settings` names an unknown or unwritable field; a name fits two fields, or two properties
            fit one.
    """
    set_by_user = _set_by_user(properties, fields, settings, can_write)
    by_plain_name: dict[str, list[Field]] = defaultdict(list)
    for field in fields.values():
        if can_write(field) and (by_name(field) or field.api_name in settings):
            by_plain_name[_plain(field.api_name)].append(field)
    claims: dict[str, list[tuple[int, str]]] = defaultdict(list)
    homeless: set[str] = set()
    data = [source for source in properties if not source.startswith(_OWN_PREFIXES)]
    for source in data:
        sureness, found = (
            (2, set_by_user[source]) if source in set_by_user else _named_so(source, fields, by_plain_name)
        )
        if not found:
            homeless.add(source)
        for field in found:
            if field != key_field:
                claims[field.api_name].append((sureness, source))
    winners = {api_name: _surest(api_name, claimed) for api_name, claimed in claims.items()}
    homeless |= {source for claimed in claims.values() for _, source in claimed} - set(winners.values())
    absent = tuple(
        f"{own.source} (to {api_name})"
        for api_name, own in settings.items()
        if own.source not in {None, *properties} and own.default is None
    )
    unmapped = tuple(source for source in data if source in homeless and source not in key_properties)
    return Pairs(winners, unmapped, absent)


def _set_by_user(
    properties: abc.Container[str],
    fields: ModuleFields,
    settings: abc.Mapping[str, FieldSettings],
    can_write: Callable[[Field], bool],
) -> dict[str, list[Field]]:
    """The fields that the user names for a property; checks also those whose property is found by name."""
    set_by_user: dict[str, list[Field]] = defaultdict(list)
    for api_name, own in settings.items():
        if own.source is None:
            _named(api_name, own, fields, can_write)
            continue
        field = _named(api_name, own, fields, can_write)
        if own.source in properties:
            set_by_user[own.source].append(field)
    return set_by_user


def _named(api_name: str, own: FieldSettings, fields: ModuleFields, can_write: Callable[[Field], bool]) -> Field:
    field = fields.named(api_name)
    if not can_write(field):
        what = f"sends {own.source} to" if own.source is not None else "names"
        raise configuration_error(
            OwnCode.FIELD_NOT_WRITABLE,
            f"`fields` {what} {field.api_name} ({field.data_type}) of module {fields.module}, which cannot be written.",
            field=field.api_name,
        )
    return field


def _named_so(
    source: str, fields: ModuleFields, by_plain_name: abc.Mapping[str, list[Field]]
) -> tuple[int, list[Field]]:
    """The field and how sure the choice is: 1 of the same name, 0 of a similar name."""
    similar = by_plain_name.get(_plain(source), [])
    if source in fields:
        return 1, [field for field in similar if field.api_name == source]
    if len(similar) > 1:
        names = " and ".join(field.api_name for field in similar)
        raise configuration_error(OwnCode.AMBIGUOUS_FIELD, f"Property {source} fits the fields {names}.")
    return 0, similar


def _surest(api_name: str, claimed: list[tuple[int, str]]) -> str:
    """Of properties that fit the same field the surest choice wins; equally sure ones are the user's to decide."""
    surest = max(sureness for sureness, _ in claimed)
    winners = [source for sureness, source in claimed if sureness == surest]
    if len(winners) > 1:
        names = " and ".join(winners)
        raise configuration_error(OwnCode.AMBIGUOUS_FIELD, f"Properties {names} fit the one field {api_name}.")
    return winners[0]


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")
