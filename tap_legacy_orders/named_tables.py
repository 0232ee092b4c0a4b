"""Tables and columns that settings name, as the database has them; where there is none, errors name similar ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError

from sync_databases.columns import Column
from sync_databases.page_order import UnfitColumnError, settled
from sync_databases.reflection import columns_of, primary_key, table_names
from tap_legacy_orders.tap_errors import TapConfigError, where


@dataclass(frozen=True, slots=True)
class Reflected:
    """A table or view as the database describes it."""

    name: str
    schema: str | None
    columns: dict[str, Column]
    primary: Sequence[str]


def reflect(inspector: sa.Inspector, text: str, setting: str, engine: sa.Engine) -> Reflected:
    """Look up the table or view that the text of a setting names.

    Raises:
        TapConfigError: there is none; the message names similar ones.
    """
    name, schema = _locate(inspector, text, setting, engine.url)
    try:
        columns = columns_of(inspector, name, schema)
    except NoSuchTableError:
        raise TapConfigError(_missing_table(inspector, text, setting, engine.url)) from None
    primary = primary_key(inspector, name, schema)
    return Reflected(name, schema, columns, primary)


def _locate(inspector: sa.Inspector, text: str, setting: str, url: sa.URL) -> tuple[str, str | None]:
    """Split `schema.table`, unless the table's own name has a dot."""
    schema, _, name = text.rpartition(".")
    candidates = [(text, None), (name, schema)] if schema else [(text, None)]
    for table, owner in candidates:
        if table in _objects(inspector, owner):
            return table, owner
    raise TapConfigError(_missing_table(inspector, text, setting, url))


def _objects(inspector: sa.Inspector, schema: str | None) -> list[str]:
    if schema is not None and schema not in inspector.get_schema_names():
        return []
    return table_names(inspector, schema)


def _missing_table(inspector: sa.Inspector, text: str, setting: str, url: sa.URL) -> str:
    schema, _, name = text.rpartition(".")
    names = [n for n in _objects(inspector, schema or None) if not n.startswith("zoho_sync_")]
    if schema and not names:
        schemas = ", ".join(sorted(inspector.get_schema_names()))
        return f"{setting}: there is no table {text!r} in {where(url)}; it has the schemas {schemas}"
    close = get_close_matches(name or text, names, n=5, cutoff=0.4) or sorted(names)[:10]
    hint = f"did you mean {', '.join(close)}?" if close else "it has no tables that this user may see"
    return f"{setting}: there is no table or view {text!r} in {where(url)}; {hint}"


def find_column(every: Mapping[str, Column], name: str, setting: str, table: str) -> Column:
    """Find a column by its name.

    Raises:
        TapConfigError: there is none; the message names similar ones.
    """
    if name in every:
        return every[name]
    folded = {column.casefold(): column for column in every}
    close = get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    hint = ", ".join(folded[match] for match in close) if close else ", ".join(every)
    raise TapConfigError(f"{setting}: {table} has no column {name!r}; it has {hint}")


def chosen_columns(every: Mapping[str, Column], config: Mapping[str, Any], table: str, of: str = "") -> set[str]:
    """The columns that `columns` and `exclude` leave; `of` stands before these names in messages.

    Raises:
        TapConfigError: there is no such column.
    """
    wanted, left_out = set(config.get("columns") or every), set(config.get("exclude") or ())
    for setting, names in (("columns", wanted), ("exclude", left_out)):
        for name in sorted(names):
            find_column(every, name, f"{of}{setting}", table)
    return wanted - left_out


def find_key(
    every: Mapping[str, Column], setting: Any, primary: Sequence[str], table: str, option: str = "key_column"
) -> tuple[Column, ...]:
    """Find the columns that identify a row: those that `setting` names, else the primary key.

    Raises:
        TapConfigError: no such columns, or none that can be a key.
    """
    what = "an order" if option == "key_column" else "a line"
    names = listed(setting, option) or list(primary)
    if not names:
        raise TapConfigError(
            f"{option}: {table} has no primary key; name the column that identifies {what}: {', '.join(every)}"
        )
    return tuple(find_column(every, name, option, table) for name in names)


def settle(
    connection: sa.Connection, reflected: Reflected, columns: Sequence[Column], option: str, table: str
) -> tuple[Column, ...]:
    """Ask the database for what must be known of keys and positions.

    Raises:
        TapConfigError: a column can be none; `option` is the setting that names it.
    """
    try:
        return tuple(settled(connection, reflected.name, reflected.schema, columns))
    except UnfitColumnError as error:
        raise TapConfigError(f"{option}: {str(error).format(table=table)}") from error


def listed(setting: str | Sequence[str] | None, option: str) -> list[str]:
    """Read one name or a list of them; an environment variable holds the list as JSON.

    Raises:
        TapConfigError: the text looks like a list and is none.
    """
    if isinstance(setting, str) and setting.startswith("["):
        try:
            return msgspec.json.decode(setting, type=list[str])
        except msgspec.MsgspecError as error:
            raise TapConfigError(f"{option}: {setting} is no JSON list of column names") from error
    return [setting] if isinstance(setting, str) else list(setting or ())


def find_parent(
    every: Mapping[str, Column], setting: Any, key: Sequence[Column], option: str, table: str
) -> tuple[Column, ...]:
    """Find the columns of another table that hold the order's key: by default those of the same names.

    Raises:
        TapConfigError: no such columns, or not as many as the key has.
    """
    keys = [column.name for column in key]
    names = listed(setting, option) or [name for name in keys if name in every]
    if len(names) != len(keys):
        raise TapConfigError(
            f"{option}: name the columns of {table} that hold the order's {', '.join(keys)}: {', '.join(every)}"
        )
    return tuple(find_column(every, name, option, table) for name in names)
