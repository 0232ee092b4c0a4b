"""SQLAlchemy's dialects, each imported when it is first asked for.

A process meets one or two of them, and all together take a tenth of its start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"no dialect is called {name!r}")
        return import_module(f"sqlalchemy.dialects.{name}")


__all__ = ["mssql", "mysql", "oracle", "postgresql", "sqlite"]
