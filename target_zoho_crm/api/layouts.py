"""What a module's layouts demand: Zoho insists on it, and the fields call does not tell."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.api.metadata import ModuleFields

logger = logging.getLogger("target-zoho-crm")


class KnownFields:
    """The fields of the modules that a run needs, and what layouts demand of them, each asked for once."""

    def __init__(self, client: ZohoClient) -> None:
        """Start with none."""
        self._client = client
        self._fields: dict[str, ModuleFields] = {}
        self._demands: dict[str, Mapping[str, frozenset[str]] | None] = {}

    def of(self, module: str) -> ModuleFields:
        """The fields of a module."""
        fields = self._fields.get(module)
        if fields is None:
            fields = self._fields[module] = ModuleFields.fetch(self._client, module)
        return fields

    def demands_of(self, module: str) -> Mapping[str, frozenset[str]] | None:
        """The names of the fields that each layout demands, by its id; None where the token may not read layouts.

        Costs 1 credit.
        """
        if module not in self._demands:
            try:
                body = self._client.get("settings/layouts", {"module": module}).body
            except ConfigurationError as error:  # a token may be limited to the fields call, which has all it needs
                logger.info("The layouts of module %s cannot be read (%s); Zoho checks them", module, error)
                self._demands[module] = None
            else:
                found = body.get("layouts") if isinstance(body, dict) else None
                layouts = [each for each in found or () if isinstance(each, dict)]
                self._demands[module] = {str(each.get("id")): _demanded(each) for each in layouts}
        return self._demands[module]

    def demanding(self, module: str, layout: str | None) -> ModuleFields:
        """The fields, where those are mandatory too that the orders' layout demands.

        Args:
            module: the orders' module.
            layout: the id of the one layout of all orders, if it is known; else only what every layout demands counts,
                since an order that is there already may have any of them.
        """
        demands = self.demands_of(module)
        if demands is None:
            return self.of(module)
        if layout is not None and layout in demands:
            return self.of(module).demanding(demands[layout])
        return self.of(module).demanding(frozenset.intersection(*demands.values()) if demands else frozenset())


def _demanded(layout: Mapping[str, Any]) -> frozenset[str]:
    sections = (section for section in layout.get("sections") or () if isinstance(section, dict))
    fields = (field for section in sections for field in section.get("fields") or () if isinstance(field, dict))
    return frozenset(str(field.get("api_name")) for field in fields if field.get("required") is True)
