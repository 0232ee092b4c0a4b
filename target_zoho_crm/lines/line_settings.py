"""What the setting `lines` says: its JSON schema, and its values as types. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from singer_sdk import typing as th

from sync_ledger.stream_contract import KEY_PROPERTY
from target_zoho_crm.api.metadata import PARENT_ID
from target_zoho_crm.mapping.field_settings import FIELDS, FieldSettings, read_fields
from target_zoho_crm.setting_schema import Setting

DISCOUNT, QUANTITY, LIST_PRICE = "Discount", "Quantity", "List_Price"
"""Fields of Zoho's line items."""

GRAND_TOTAL = "Grand_Total"
"""The field of an order that the CRM computes from its line items."""


class OnTotalMismatch(StrEnum):
    """What becomes of an order whose total the CRM computes otherwise."""

    WARN = "warn"
    REJECT = "reject"


class WriteTo(StrEnum):
    """What an order's lines become."""

    MODULE = "module"
    SUBFORM = "subform"


# No property may name a `default`: the SDK would make `lines` of every config that has none.
LINES = th.ObjectType(
    Setting(
        "property", th.StringType, in_payload=True, description="Property that holds the lines; `lines` if absent."
    ),
    Setting(
        "write_to",
        th.StringType(allowed_values=[each.value for each in WriteTo]),
        in_payload=True,
        description="`module` (if absent): records of a module of their own; `subform`: rows of the order's subform.",
    ),
    Setting(
        "module", th.StringType, in_payload=True, description="API name of the lines' module; `Order_Lines` if absent."
    ),
    Setting(
        "subform", th.StringType, in_payload=True, description="API name of the order's subform; `Lines` if absent."
    ),
    Setting(
        "key_field",
        th.StringType,
        in_payload=True,
        description="Text field that holds the line's key, unique in a module; `line_id`, in a subform `Line_Id`, "
        "if absent.",
    ),
    Setting(
        "order_field",
        th.StringType,
        in_payload=True,
        description="Lookup of the module to the order; `Order` if absent.",
    ),
    Setting(
        "key_property",
        th.StringType,
        in_payload=True,
        description=f"Property of a line that is its key; `{KEY_PROPERTY}` if absent.",
    ),
    Setting(
        "discount_percent",
        th.StringType,
        in_payload=True,
        description="Property of a line item that is its discount in percent; written to `Discount` as the amount.",
    ),
    Setting(
        "total_field",
        th.StringType,
        in_payload=False,
        description="Field of the order with the legacy total: compared with the `Grand_Total` that the CRM computes.",
    ),
    Setting(
        "on_total_mismatch",
        th.StringType(allowed_values=[each.value for each in OnTotalMismatch]),
        in_payload=False,
        description="What becomes of an order whose totals differ: `warn` (if absent) names it, `reject` refuses it.",
    ),
    Setting("fields", FIELDS, in_payload=True, description="As `fields`, for the lines."),
)


@dataclass(frozen=True, slots=True)
class LinesSettings:
    """How one stream's lines are found and written."""

    property: str
    write_to: WriteTo
    module: str
    subform: str
    key_field: str
    order_field: str
    key_property: str
    fields: Mapping[str, FieldSettings]
    discount_percent: str | None = None
    total_field: str | None = None
    on_total_mismatch: OnTotalMismatch = OnTotalMismatch.WARN


def lines_target(lines: LinesSettings) -> str:
    """API name of what lines go to: the subform, or the module."""
    return lines.subform if lines.write_to is WriteTo.SUBFORM else lines.module


def read_lines(config: Mapping[str, Any] | None) -> LinesSettings | None:
    """The setting as types; None where a stream's lines are not written.

    Raises:
        ConfigurationError: two entries of `fields` name different sources for one field.
    """
    if config is None:
        return None
    write_to = WriteTo(config.get("write_to") or WriteTo.MODULE)
    in_module = write_to is WriteTo.MODULE
    fields, percent = read_fields(config.get("fields") or {}), config.get("discount_percent")
    if percent is not None:
        fields = {**fields, DISCOUNT: replace(fields.get(DISCOUNT, FieldSettings(DISCOUNT)), source=percent)}
    return LinesSettings(
        property=config.get("property") or "lines",
        write_to=write_to,
        module=config.get("module") or "Order_Lines",
        subform=config.get("subform") or "Lines",
        key_field=config.get("key_field") or ("line_id" if in_module else "Line_Id"),
        order_field=config.get("order_field") or ("Order" if in_module else PARENT_ID),
        key_property=config.get("key_property") or KEY_PROPERTY,
        fields=fields,
        discount_percent=percent,
        total_field=config.get("total_field"),
        on_total_mismatch=OnTotalMismatch(config.get("on_total_mismatch") or OnTotalMismatch.WARN),
    )
