"""What varies is given to a class as a value or a strategy; nothing private of it is overridden in another module."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import tap_legacy_orders


def classes() -> Iterator[type]:
    for module in pkgutil.iter_modules(tap_legacy_orders.__path__):
        found = importlib.import_module(f"tap_legacy_orders.{module.name}")
        yield from (each for _, each in inspect.getmembers(found, inspect.isclass) if each.__module__ == found.__name__)


def test_no_private_method_is_overridden_in_another_module() -> None:
    def private(kind: type) -> set[str]:
        return {name for name in vars(kind) if name.startswith("_") and name[1] != "_" and name != "_abc_impl"}

    overridden = [
        f"{kind.__name__} overrides {name} of {base.__name__}"
        for kind in set(classes())
        for base in kind.__mro__[1:]
        if base.__module__.startswith("tap_legacy_orders.") and base.__module__ != kind.__module__
        for name in private(kind) & private(base)
    ]
    assert overridden == []
