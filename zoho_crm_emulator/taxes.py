"""The org's taxes, and what a line item says of them: `[{"name": .., "percentage": ..}]`, or their names in a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from zoho_crm_emulator.refusals import Refused


@dataclass(frozen=True)
class OrgTax:
    """One tax of the org."""

    id: int
    name: str
    percentage: Decimal


ORG_TAXES = (
    OrgTax(4876876000000700001, "VAT", Decimal(19)),
    OrgTax(4876876000000700002, "Reduced VAT", Decimal(7)),
    OrgTax(4876876000000700003, "Sales Tax", Decimal("8.375")),
    OrgTax(4876876000000700004, "City Tax", Decimal(1)),
)
_BY_ID = {str(tax.id): tax for tax in ORG_TAXES}
_BY_NAME = {tax.name: tax for tax in ORG_TAXES}
MOST_PERCENT = 100


def line_taxes(value: Any) -> list[dict[str, Any]]:
    """The taxes of a line in JSON; each is one of the org's, by id or name, perhaps with another percentage."""
    if not isinstance(value, list):
        raise Refused("INVALID_DATA", {"expected_data_type": "jsonarray"})
    return [_line_tax(one) for one in value]


def line_taxes_in_cell(cell: str) -> list[dict[str, Any]]:
    """The taxes of a line in a CSV, by name, with semicolons between them."""
    return [_line_tax({"name": name.strip()}) for name in cell.split(";") if name.strip()]


def _line_tax(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Refused("INVALID_DATA", {"expected_data_type": "jsonobject"})
    tax = _BY_ID.get(str(given["id"])) if given.get("id") is not None else _BY_NAME.get(str(given.get("name")))
    if tax is None:
        raise Refused("INVALID_DATA", {"supported_values": list(_BY_NAME)})
    percentage = given.get("percentage", tax.percentage)
    if percentage.__class__ is int:
        percentage = Decimal(percentage)
    if not isinstance(percentage, Decimal) or not 0 <= percentage <= MOST_PERCENT:
        raise Refused("INVALID_DATA", {"expected_data_type": "double"})
    return {"id": str(tax.id), "name": tax.name, "display_name": tax.name, "percentage": percentage}


def or_percent(amount: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The check of a line's discount where `"5%"` is taken too."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value.endswith("%"):
            number = amount(Decimal(value[:-1])) if value[:-1].replace(".", "", 1).isdigit() else None
            if number is not None and number <= MOST_PERCENT:
                return f"{number:f}%"
        return amount(value)

    return check
