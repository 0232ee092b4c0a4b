"""What the module's fields are, from Zoho's own metadata, fetched once a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import NO_SUCH_MODULE, OwnCode, ZohoCode
from target_zoho_crm.api.errors import ConfigurationError, close_names, configuration_error

_KEY_TYPES = frozenset({"text", "email", "phone", "website"})
_NEVER_WRITTEN = frozenset({"autonumber", "formula", "rollup_summary", "fileupload", "imageupload", "profileimage"})
TAG = "tag"
"""Our word for the type of a record's tags; Zoho calls them text, and takes and gives an array."""

LAYOUT = "layout"
LINE_TAX = "linetax"
PARENT_ID = "Parent_Id"
"""The field by which rows of a subform point to their record."""
"""The type of a line item's taxes, as Zoho's SDKs have it."""

LINKS: frozenset[str] = frozenset({"multiselectlookup", "multiuserlookup"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a module, after `GET settings/fields`. Lengths in characters, decimal places in digits."""

    api_name: str
    data_type: str
    label: str = ""
    json_type: str | None = None
    length: int | None = None
    decimal_place: int | None = None
    mandatory: bool = False
    writable_on_create: bool = True
    writable_on_update: bool = True
    unique: bool = False
    case_sensitive: bool | None = None
    picklist: tuple[str, ...] = ()
    lookup_module: str | None = None
    subform_module: str | None = None
    link: str | None = None  # of a multiple lookup: the field of its linking module that points at the other record
    linking_module: str | None = None
    linking_parent: str | None = None  # the field of the linking module that points at the record itself
    linked_module: str | None = None  # of a multi-select lookup: the module of the records that it points at
    # Not in the payload's hash, which is taken over what is shown: it changes nothing of what is sent.
    rich_text: bool = field(default=False, repr=False)

    @property
    def writable(self) -> bool:
        """Whether an upsert may carry it, whichever way it ends."""
        return self.writable_on_create and self.writable_on_update

    @classmethod
    def from_zoho(cls, item: Mapping[str, Any]) -> Field:
        """Read one entry of the fields call. Writability goes by `operation_type`, not by `read_only`."""
        data_type = TAG if _holds_tags(item) else str(item.get("data_type") or "")
        operations = _mapping(item.get("operation_type"))
        possible = data_type not in _NEVER_WRITTEN
        unique, lookup = _mapping(item.get("unique")), _mapping(item.get("lookup"))
        external = bool(_mapping(item.get("external")).get("type"))  # present, but without a type, on every field
        case_sensitive = unique.get("case_sensitive", unique.get("casesensitive"))
        module = lookup.get("module")
        links = _mapping(item.get(data_type)) if data_type in LINKS else {}
        return cls(
            api_name=str(item["api_name"]),
            data_type=data_type,
            label=str(item.get("field_label") or item.get("display_label") or ""),
            json_type=item.get("json_type") if isinstance(item.get("json_type"), str) else None,
            length=_integer(item.get("length")),
            decimal_place=_integer(item.get("decimal_place")),
            mandatory=item.get("system_mandatory") is True,
            writable_on_create=possible and operations.get("api_create", True) is True,
            writable_on_update=possible and operations.get("api_update", True) is True,
            unique=bool(unique) or external,
            case_sensitive=case_sensitive in (True, "true") if case_sensitive is not None else None,
            picklist=_picklist(item.get("pick_list_values")),
            lookup_module=_module_name(module),
            subform_module=_module_name(_mapping(item.get("subform")).get("module")),
            link=links.get("connectedlookup_apiname"),
            linking_module=_module_name(links.get("linking_module")),
            linking_parent=links.get("lookup_apiname"),
            linked_module=_module_name(links.get("connected_module")),
            rich_text=_mapping(item.get("textarea")).get("type") == "rich_text",
        )


class ModuleFields(Mapping[str, Field]):
    """The fields of one module by API name."""

    def __init__(self, module: str, fields: Mapping[str, Field]) -> None:
        self.module = module
        self._fields = dict(fields)

    @classmethod
    def fetch(cls, client: ZohoClient, module: str) -> ModuleFields:
        """Read the module's fields. Costs 1 credit.

        Raises:
            ConfigurationError: the org has no such module; the message names similar ones.
        """
        try:
            body = client.get("settings/fields", {"module": module}).body
        except ConfigurationError as error:
            if error.code not in NO_SUCH_MODULE:
                raise
            raise _no_module(client, module) from error
        found = body.get("fields") if isinstance(body, dict) else None
        if not isinstance(found, list) or not found:
            raise _no_module(client, module)
        fields = (Field.from_zoho(each) for each in found if isinstance(each, dict) and each.get("api_name"))
        return cls(module, {each.api_name: each for each in fields})

    def key(self, name: str) -> Field:
        """The field that holds the orders' keys.

        Raises:
            ConfigurationError: it does not exist, is not unique, or cannot be written; the message says what to do.
        """
        field = self.named(name)
        where = f"key_field {field.api_name} of module {self.module}"
        if not field.unique:
            raise configuration_error(OwnCode.KEY_NOT_UNIQUE, f"{where} is not unique.", field=name)
        if not field.writable:
            raise configuration_error(OwnCode.KEY_NOT_WRITABLE, f"{where} cannot be written.", field=name)
        if field.data_type not in _KEY_TYPES:
            raise configuration_error(OwnCode.KEY_NOT_TEXT, f"{where} has type {field.data_type}.", field=name)
        return field

    def demanding(self, names: Collection[str]) -> ModuleFields:
        """The same fields, where these are mandatory too."""
        changed = {name: replace(self._fields[name], mandatory=True) for name in names if name in self._fields}
        return ModuleFields(self.module, {**self._fields, **changed})

    def named(self, name: str) -> Field:
        """A field by its API name.

        Raises:
            ConfigurationError: it does not exist; the message names similar ones.
        """
        field = self._fields.get(name)
        if field is None:
            hint = close_names(name, self._fields)
            raise configuration_error(
                ZohoCode.INVALID_FIELD, f"Module {self.module} has no field {name}.{hint}", field=name
            )
        return field

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _no_module(client: ZohoClient, module: str) -> ConfigurationError:
    names = [str(each["api_name"]) for each in client.modules() if each.get("api_name")]
    hint = close_names(module, names)
    return configuration_error(ZohoCode.INVALID_MODULE, f"The org has no module {module}.{hint}")


def _holds_tags(item: Mapping[str, Any]) -> bool:
    return item.get("api_name") == "Tag" and item.get("json_type") == "jsonarray"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _picklist(values: object) -> tuple[str, ...]:
    entries = values if isinstance(values, list) else []
    texts = (each.get("actual_value", each.get("display_value")) for each in entries if isinstance(each, dict))
    return tuple(each for each in texts if isinstance(each, str))


def _module_name(module: object) -> str | None:
    """The looked-up module: an object in v8, a bare name in older versions."""
    if isinstance(module, dict):
        module = module.get("api_name")
    return module if isinstance(module, str) and module else None
