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
    """The fields of the modules that a run needs, each asked for once."""

    def __init__(self, client: ZohoClient) -> None:
        """Start with none."""
        self._client = client
        self._fields: dict[str, ModuleFields] = {}
        self._demanding: dict[tuple[str, str | None], ModuleFields] = {}

    def of(self, module: str) -> ModuleFields:
        """The fields of a module."""
        fields = self._fields.get(module)
        if fields is None:
            fields = self._fields[module] = ModuleFields.fetch(self._client, module)
        return fields

    def demanding(self, module: str, layout: str | None) -> ModuleFields:
        """As `with_demands_of_layouts`."""
        key = module, layout
        fields = self._demanding.get(key)
        if fields is None:
            fields = self._demanding[key] = with_demands_of_layouts(self.of(module), self._client, layout)
        return fields


def with_demands_of_layouts(fields: ModuleFields, client: ZohoClient, layout: str | None) -> ModuleFields:
    """The fields, where those are mandatory too that the orders' layout demands. Costs 1 credit.

    Args:
        fields: the module's fields.
        client: asks for the layouts.
        layout: the id of the one layout of all orders, if it is known; else only what every layout demands counts,
            since an order that is there already may have any of them.
    """
    try:
        body = client.get("settings/layouts", {"module": fields.module}).body
    except ConfigurationError as error:  # a token may be limited to the fields call, which has all that is needed
        logger.info("The layouts of module %s cannot be read (%s); what they demand, Zoho tells", fields.module, error)
        return fields
    found = body.get("layouts") if isinstance(body, dict) else None
    demands = {str(each.get("id")): _demanded(each) for each in found or () if isinstance(each, dict)}
    if layout in demands:
        return fields.demanding(demands[layout])
    return fields.demanding(frozenset.intersection(*demands.values()) if demands else frozenset())


def _demanded(layout: Mapping[str, Any]) -> frozenset[str]:
    sections = (section for section in layout.get("sections") or () if isinstance(section, dict))
    fields = (field for section in sections for field in section.get("fields") or () if isinstance(field, dict))
    return frozenset(str(field.get("api_name")) for field in fields if field.get("required") is True)
