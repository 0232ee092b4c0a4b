"""Zoho's standard modules with line items: quotes, sales orders, invoices and purchase orders; products and vendors.

Their line items are subforms that a new record must have. What stands in `Total`, `Net_Total` or `Grand_Total` the CRM
computes itself (`line_totals.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from zoho_crm_emulator.schema import Catalog, DataType, Field, Module


@dataclass(frozen=True)
class Standard:
    """One such module: the field of its line items, and what it has beside the fields of all four."""

    name: str
    items: str
    own: tuple[Field, ...]


def _field(api_name: str, data_type: DataType, **more: Any) -> Field:
    return Field(api_name=api_name, data_type=data_type, custom=False, **more)


def _money(api_name: str) -> Field:
    return _field(api_name, "currency", decimal_place=2)


def _computed(api_name: str) -> Field:
    return _field(api_name, "currency", decimal_place=2, api_create=False, api_update=False)


def _pick(api_name: str, *values: str) -> Field:
    return _field(api_name, "picklist", pick_list=values)


STANDARD = (
    Standard(
        "Quotes",
        "Quoted_Items",
        (_pick("Quote_Stage", "Draft", "Negotiation", "Delivered", "Confirmed"), _field("Valid_Till", "date")),
    ),
    Standard(
        "Sales_Orders",
        "Ordered_Items",
        (
            _pick("Status", "Created", "Approved", "Delivered", "Cancelled"),
            _field("Due_Date", "date"),
            _field("Customer_No", "text", length=100),
            _field("Purchase_Order", "text", length=100),
            _field("Pending", "text", length=100),
            _money("Excise_Duty"),
            _money("Sales_Commission"),
        ),
    ),
    Standard(
        "Invoices",
        "Invoiced_Items",
        (
            _pick("Status", "Created", "Approved", "Sent", "Paid", "Cancelled"),
            _field("Invoice_Date", "date"),
            _field("Due_Date", "date"),
            _field("Sales_Order", "lookup", lookup="Sales_Orders"),
            _field("Purchase_Order", "text", length=100),
        ),
    ),
    Standard(
        "Purchase_Orders",
        "Purchase_Items",
        (
            _field("Vendor_Name", "lookup", lookup="Vendors", system_mandatory=True),
            _pick("Status", "Created", "Approved", "Delivered", "Cancelled"),
            _field("PO_Date", "date"),
            _field("Due_Date", "date"),
        ),
    ),
)


def _head_fields(own: tuple[Field, ...]) -> list[Field]:
    addresses = [
        _field(f"{kind}_{part}", "text", length=250 if part == "Street" else 100)
        for kind in ("Billing", "Shipping")
        for part in ("Street", "City", "State", "Code", "Country")
    ]
    return [
        _field("Subject", "text", length=120, system_mandatory=True),
        _field("Account_Name", "lookup", lookup="Accounts"),
        _field("Contact_Name", "lookup", lookup="Contacts"),
        *own,
        _pick("Carrier", "FedEX", "UPS", "USPS", "DHL"),
        *addresses,
        _computed("Sub_Total"),
        _money("Discount"),
        _computed("Tax"),
        _money("Adjustment"),
        _computed("Grand_Total"),
        _field("Terms_and_Conditions", "textarea", textarea_type="large"),
        _field("Description", "textarea", textarea_type="large"),
    ]


def _line_fields() -> list[Field]:
    return [
        _field("Product_Name", "lookup", lookup="Products", system_mandatory=True),
        _field("Sequence_Number", "integer"),
        _field("Quantity", "double", decimal_place=4),
        _money("List_Price"),
        _computed("Total"),
        _money("Discount"),
        _computed("Total_After_Discount"),
        _field("Line_Tax", "linetax"),
        _computed("Tax"),
        _computed("Net_Total"),
        _field("Description", "textarea", textarea_type="large"),
    ]


def _product_fields() -> list[Field]:
    return [
        _field("Product_Name", "text", length=200, system_mandatory=True),
        _field("Product_Code", "text", length=100),
        _field("Product_Active", "boolean"),
        _pick("Product_Category", "Hardware", "Software"),
        _money("Unit_Price"),
        _field("Qty_in_Stock", "double", decimal_place=4),
        _field("Description", "textarea", textarea_type="large"),
    ]


def install(catalog: Catalog, system_fields: list[Field]) -> None:
    """Put these modules into a catalog that has accounts and contacts."""
    catalog.put_module(
        Module(api_name="Products", custom=False, own_field="Product_Name"), [*_product_fields(), *system_fields]
    )
    vendor = [_field("Vendor_Name", "text", length=100, system_mandatory=True), _field("Email", "email")]
    catalog.put_module(Module(api_name="Vendors", custom=False, own_field="Vendor_Name"), [*vendor, *system_fields])
    for one in STANDARD:
        head = Module(api_name=one.name, custom=False, own_field="Subject")
        catalog.put_module(head, [*_head_fields(one.own), *system_fields])
        items = _field(one.items, "subform", system_mandatory=True)
        catalog.put_rows_field(one.name, items, [*_line_fields(), *system_fields])
        lines = catalog.modules[one.items]
        for view in (catalog.modules[one.name], lines):
            module = msgspec.structs.replace(view.module, custom=False, line_items=lines.id)
            catalog.put_module(module, view.fields.values())
