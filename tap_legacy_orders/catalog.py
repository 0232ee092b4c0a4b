"""The catalog entry of the orders' stream: its JSON schema, keys and metadata."""

from __future__ import annotations

from typing import Any

from singer_sdk.singerlib import Catalog, CatalogEntry, MetadataMapping, Schema
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL, Metadata

from sync_databases.columns import json_schema
from sync_ledger.stream_contract import (
    CONTENT_PROPERTY,
    CONTENT_SCHEMA,
    DELETED_AT_PROPERTY,
    DELETED_AT_SCHEMA,
    OWN_PROPERTIES,
)
from tap_legacy_orders.order_lines import LinesTable
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.tap_errors import TapConfigError


def catalog_entry(
    stream: str, table: OrdersTable, lines: LinesTable | None, *, find_deleted: bool = False
) -> dict[str, Any]:
    """Describe the stream; all of it is selected unless a catalog selects otherwise."""
    keys = [column.name for column in table.key]
    properties = {column.name: json_schema(column, required=column.name in keys) for column in table.columns}
    if lines is not None:
        properties[lines.property] = lines.json_schema()
    ours = _own_properties(find_deleted=find_deleted)
    schema = {"type": "object", "properties": properties | ours, "required": [*keys, *OWN_PROPERTIES]}
    metadata = MetadataMapping.get_standard_metadata(
        schema=schema,
        schema_name=table.schema,
        key_properties=keys,
        valid_replication_keys=[table.replication.name],
        replication_method=REPLICATION_INCREMENTAL,
        selected_by_default=True,
    )
    metadata.root.selected = True
    for name in ours:
        metadata[("properties", name)].inclusion = Metadata.InclusionType.AUTOMATIC
    entry: dict[str, Any] = CatalogEntry(
        tap_stream_id=stream,
        stream=stream,
        table=table.name,
        key_properties=keys,
        schema=Schema.from_dict(schema),
        is_view=table.is_view,
        replication_method=REPLICATION_INCREMENTAL,
        replication_key=table.replication.name,
        metadata=metadata,
    ).to_dict()
    return entry


def _own_properties(*, find_deleted: bool) -> dict[str, dict[str, Any]]:
    deleted = {DELETED_AT_PROPERTY: DELETED_AT_SCHEMA} if find_deleted else {}
    return OWN_PROPERTIES | {CONTENT_PROPERTY: CONTENT_SCHEMA} | deleted


def complete(catalog: Catalog, stream: str, lines: LinesTable | None, *, find_deleted: bool = False) -> None:
    """Put our own properties into a catalog that lacks them: without a version every order would look changed.

    So with the lines and with deletions, where the catalog is older than the setting.

    Raises:
        TapConfigError: the catalog is for another stream.
    """
    entry = catalog.get_stream(stream)
    if entry is None:
        raise TapConfigError(f"catalog: it has no stream {stream!r}; run discovery again")
    properties = entry.schema.properties
    if properties is None:
        raise TapConfigError(f"catalog: stream {stream!r} has no properties; run discovery again")
    if lines is not None and lines.property not in properties:
        properties[lines.property] = Schema.from_dict(lines.json_schema())
        entry.metadata[("properties", lines.property)] = Metadata(selected_by_default=True)
    for name, schema in _own_properties(find_deleted=find_deleted).items():
        properties.setdefault(name, Schema.from_dict(schema))
        entry.metadata[("properties", name)].inclusion = Metadata.InclusionType.AUTOMATIC
