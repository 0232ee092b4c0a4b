"""The org's taxes by name: what the `Line_Tax` of a line item is given by. Read once a run."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.errors import close_names
from target_zoho_crm.mapping.field_values import Refusal, choices_json

_SHOWN_CHARACTERS = 100


class Taxes:
    """The percentage of each tax, by its name as Zoho has it."""

    def __init__(self, percentages: Mapping[str, Decimal]) -> None:
        self._percentages = dict(percentages)
        self._names = {name.casefold(): name for name in percentages}

    @classmethod
    def from_zoho(cls, body: Any) -> Taxes:
        """Read what the taxes call gives."""
        taxes = (body.get("org_taxes") or {}).get("taxes") if isinstance(body, dict) else None
        return cls(
            {
                str(each["name"]): Decimal(str(each["value"]))
                for each in taxes or ()
                if isinstance(each, dict) and each.get("name") and each.get("value") is not None
            }
        )

    def to_json(self, value: Any) -> list[dict[str, Any]] | None:
        """The taxes of a line, from their names: a text with semicolons between them, or an array.

        Raises:
            Refusal: the org has no such tax.
        """
        names = choices_json(value)
        return None if names is None else [self._tax(name) for name in names]

    def to_csv(self, value: Any) -> str:
        """The same for a cell, with semicolons between the names.

        Raises:
            Refusal: the org has no such tax.
        """
        return ";".join(tax["name"] for tax in self.to_json(value) or ())

    def _tax(self, given: str) -> dict[str, Any]:
        name = self._names.get(given.casefold())
        if name is None:
            hint = close_names(given, self._percentages)
            shown = repr(given[:_SHOWN_CHARACTERS])
            raise Refusal(ZohoCode.INVALID_DATA, None, f"is not the name of a tax: the org has no {shown}.{hint}")
        return {"name": name, "percentage": self._percentages[name]}


class OrgTaxes:
    """Reads the taxes when they are first asked for. Safe for threads."""

    def __init__(self, client: ZohoClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._taxes: Taxes | None = None

    def taxes(self) -> Taxes:
        """All taxes of the org. Costs 1 credit.

        Raises:
            ZohoError: they cannot be read.
        """
        with self._lock:
            if self._taxes is None:
                self._taxes = Taxes.from_zoho(self._client.get("org/taxes", {}).body)
            return self._taxes
