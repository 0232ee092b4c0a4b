"""The catalog entry of the orders' stream: its JSON schema, keys and metadata.

A catalog may be older than the table: Meltano keeps the one of the first run for as long as the settings are the same.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from singer_sdk.singerlib import Catalog, CatalogEntry, MetadataMapping, Schema
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL, Metadata

from sync_databases.columns import Column, json_schema
from sync_ledger.bindings import key_columns_of
from sync_ledger.stream_contract import (
    CONTENT_PROPERTY,
    CONTENT_SCHEMA,
    DELETED_AT_PROPERTY,
    DELETED_AT_SCHEMA,
    OWN_PROPERTIES,
    Source,
)
from tap_legacy_orders.order_lines import LinesTable
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.stream_state import mark_of_text
from tap_legacy_orders.tap_errors import TapConfigError

_DISCOVERED = "x-sync-columns"
"""Keyword of the schema in our own catalogs: all columns that there were, so that later ones are known to be new."""

RUN_DISCOVERY = "run discovery again (`meltano run --refresh-catalog ...`)"


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
    entry["schema"][_DISCOVERED] = [column.name for column in table.columns]
    return entry


def source_of(table: OrdersTable, columns: Iterable[Column]) -> Source:
    """Where the orders are read, as the ledger remembers it; `columns` are those that are selected."""
    return Source(
        table=table.source_name,
        key=key_columns_of(column.name for column in table.key),
        filter_mark=mark_of_text(table.filter or ""),
        columns_mark=mark_of_text("\0".join(sorted(column.name for column in columns))),
    )


def columns_at_discovery(catalog: Mapping[str, Any] | None) -> Mapping[str, Collection[str]]:
    """The columns that each stream's table had when the catalog was made, as far as it says so."""
    if catalog is None:
        return {}
    schemas = {each.get("tap_stream_id") or each.get("stream"): each["schema"] for each in catalog["streams"]}
    return {str(stream): schema[_DISCOVERED] for stream, schema in schemas.items() if _DISCOVERED in schema}


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
        raise TapConfigError(f"catalog: it has no stream {stream!r}; {RUN_DISCOVERY}")
    properties = entry.schema.properties
    if properties is None:
        raise TapConfigError(f"catalog: stream {stream!r} has no properties; {RUN_DISCOVERY}")
    if lines is not None:
        if lines.property not in properties:
            entry.metadata[("properties", lines.property)] = Metadata(selected_by_default=True)
        properties[lines.property] = Schema.from_dict(lines.json_schema())  # a line has the columns that there are now
    for name, schema in _own_properties(find_deleted=find_deleted).items():
        properties.setdefault(name, Schema.from_dict(schema))
        entry.metadata[("properties", name)].inclusion = Metadata.InclusionType.AUTOMATIC


def add_new_columns(
    catalog: Catalog, stream: str, table: OrdersTable, discovered: Mapping[str, Collection[str]], log: logging.Logger
) -> None:
    """Add the columns that the table got after the catalog was made, and say so.

    Not where the catalog leaves columns out, or does not say what there was: then nobody knows whether they are meant.
    """
    entry = catalog[stream]
    properties = entry.schema.properties or {}
    new = [column for column in table.columns if column.name not in properties]
    known = discovered.get(stream)
    if known is not None:
        new = [column for column in new if column.name not in known]
    if not new:
        return
    names = ", ".join(column.name for column in new)
    if known is None:
        log.warning("catalog: it lacks %s of %s, not read; if it is to be, %s", names, table.name, RUN_DISCOVERY)
        return
    if not all(name in properties and _is_selected(entry, name) for name in known):
        log.warning(
            "catalog: %s is new in %s, and not read, since the catalog leaves columns out; %s",
            names,
            table.name,
            RUN_DISCOVERY,
        )
        return
    for column in new:
        properties[column.name] = Schema.from_dict(json_schema(column, required=False))
        entry.metadata[("properties", column.name)] = Metadata(selected=True)
    log.info("catalog: %s is new in %s since it was made, and read as well", names, table.name)


def _is_selected(entry: CatalogEntry, name: str) -> bool:
    metadata = entry.metadata[("properties", name)]
    return (
        metadata.inclusion is Metadata.InclusionType.AUTOMATIC
        or metadata.selected
        or (metadata.selected is None and metadata.selected_by_default is not False)
    )
