"""The modules the emulator starts with: Orders, with fields of all types and a subform, their lines, and customers.

Zoho's modules with line items are in `inventory.py`.
"""

from __future__ import annotations

from zoho_crm_emulator import inventory
from zoho_crm_emulator.schema import Catalog, DataType, Field, Module

ORDER_STATUSES = ("New", "Paid", "Packed", "Shipped", "Delivered", "Cancelled", "Returned")
CHANNELS = ("Web", "Phone", "Shop", "Marketplace")


def _closed(api_name: str, data_type: DataType, length: int | None = None) -> Field:
    """A field that Zoho alone fills in."""
    return Field(
        api_name=api_name,
        data_type=data_type,
        length=length,
        system=True,
        custom=False,
        api_create=False,
        api_update=False,
    )


def system_fields() -> list[Field]:
    """The fields every module has and Zoho itself fills in; owner, layout and tags can be written."""
    return [
        _closed("id", "bigint", 20),
        Field(api_name="Owner", data_type="ownerlookup", system=True, custom=False),
        Field(api_name="Layout", data_type="layout", system=True, custom=False),
        Field(api_name="Tag", data_type="text", length=2000, system=True, custom=False),
        _closed("Created_By", "ownerlookup"),
        _closed("Modified_By", "ownerlookup"),
        _closed("Created_Time", "datetime"),
        _closed("Modified_Time", "datetime"),
    ]


def order_fields() -> list[Field]:
    """Orders: `parent_id` is the key that the legacy system knows an order by."""
    return [
        Field(api_name="Name", data_type="text", length=120, label="Order Name", custom=False),
        Field(api_name="parent_id", data_type="text", length=100, label="Parent ID", unique=True),
        Field(api_name="Order_Date", data_type="date"),
        Field(api_name="Ordered_At", data_type="datetime"),
        Field(api_name="Updated_At", data_type="datetime"),
        Field(api_name="Status", data_type="picklist", pick_list=ORDER_STATUSES, pick_list_open=False),
        Field(api_name="Channel", data_type="picklist", pick_list=CHANNELS),
        Field(api_name="Customer_Name", data_type="text", length=120),
        Field(api_name="Customer_Email", data_type="email"),
        Field(api_name="Customer_Phone", data_type="phone"),
        Field(api_name="Country", data_type="text", length=60),
        Field(api_name="Currency_Code", data_type="text", length=3),
        Field(api_name="Total_Amount", data_type="currency", decimal_place=2),
        Field(api_name="Tax_Rate", data_type="percent", decimal_place=2),
        Field(api_name="Item_Count", data_type="integer"),
        Field(api_name="Weight_Kg", data_type="double", decimal_place=3),
        Field(api_name="Loyalty_Points", data_type="bigint"),
        Field(api_name="Is_Gift", data_type="boolean"),
        Field(api_name="Website", data_type="website"),
        Field(api_name="Notes", data_type="textarea", length=2000),
        Field(api_name="Shipping_Address", data_type="textarea"),
        Field(api_name="Tags_List", data_type="multiselectpicklist", pick_list=("gift", "express", "fragile")),
        Field(api_name="Account", data_type="lookup", lookup="Accounts"),
    ]


def line_fields() -> list[Field]:
    """What an order line has, whether it is a record of its own or a row of a subform."""
    return [
        Field(api_name="Line_Number", data_type="integer"),
        Field(api_name="Product", data_type="text", length=200),
        Field(api_name="Sku", data_type="text", length=60),
        Field(api_name="Quantity", data_type="double", decimal_place=3),
        Field(api_name="Unit_Price", data_type="currency", decimal_place=2),
        Field(api_name="Discount", data_type="percent", decimal_place=2),
        Field(api_name="Line_Total", data_type="currency", decimal_place=2),
        Field(api_name="Note", data_type="textarea"),
    ]


def order_line_fields() -> list[Field]:
    """Order_Lines: lines as records of a module, `line_id` the key that the legacy system knows a line by."""
    return [
        Field(api_name="Name", data_type="text", length=120, label="Order Line Name", custom=False),
        Field(api_name="line_id", data_type="text", length=100, label="Line ID", unique=True),
        Field(api_name="Order", data_type="lookup", lookup="Orders"),
        *line_fields(),
    ]


def account_fields() -> list[Field]:
    """Accounts, reduced to what an order needs to point at."""
    return [
        Field(api_name="Account_Name", data_type="text", length=200, system_mandatory=True, custom=False),
        Field(api_name="Account_Number", data_type="bigint", custom=False),
        Field(api_name="Phone", data_type="phone", custom=False),
        Field(api_name="Website", data_type="website", custom=False),
        Field(api_name="Industry", data_type="picklist", pick_list=("Retail", "Wholesale"), custom=False),
        Field(api_name="Billing_City", data_type="text", length=100, custom=False),
        Field(api_name="Billing_Country", data_type="text", length=100, custom=False),
        Field(api_name="Legacy_Id", data_type="text", length=64, unique=True),
        Field(api_name="Description", data_type="textarea", textarea_type="large", custom=False),
    ]


def contact_fields() -> list[Field]:
    """Contacts."""
    return [
        Field(api_name="Last_Name", data_type="text", length=80, system_mandatory=True, custom=False),
        Field(api_name="First_Name", data_type="text", length=40, custom=False),
        Field(api_name="Email", data_type="email", unique=True, custom=False),
        Field(api_name="Phone", data_type="phone", custom=False),
        Field(api_name="Account_Name", data_type="lookup", lookup="Accounts", custom=False),
        Field(api_name="Date_of_Birth", data_type="date", custom=False),
        Field(api_name="Description", data_type="textarea", textarea_type="large", custom=False),
    ]


def install(catalog: Catalog) -> None:
    """Put the standard modules into an empty catalog."""
    catalog.put_module(Module(api_name="Orders"), [*order_fields(), *system_fields()])
    catalog.put_module(
        Module(api_name="Accounts", custom=False, own_field="Account_Name"),
        [*account_fields(), *system_fields()],
    )
    catalog.put_module(Module(api_name="Order_Lines"), [*order_line_fields(), *system_fields()])
    catalog.put_rows_field(
        "Orders",
        Field(api_name="Lines", data_type="subform"),
        [Field(api_name="Line_Id", data_type="text", length=100), *line_fields(), *system_fields()],
    )
    catalog.put_module(
        Module(api_name="Contacts", custom=False, own_field="Email"), [*contact_fields(), *system_fields()]
    )
    inventory.install(catalog, system_fields())
