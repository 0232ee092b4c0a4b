"""The installed singer-sdk has every hook that tap and target use, as they use it; and they use no other private one.

A new minor version of singer-sdk is tried by installing it and running this file: it names what is gone or different.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sdk_hooks import HOOKS, PRIVATE_MODULES, Hook, Kind

ROOT = Path(__file__).parents[1]
PLUGINS = ("tap_legacy_orders", "target_zoho_crm")


def load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


@cache
def attributes_of(kind: type) -> frozenset[str]:
    """What a class and its bases in singer-sdk define, and what they set on themselves."""
    found: set[str] = set()
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] != "singer_sdk":
            continue
        found |= {*vars(base), *vars(base).get("__annotations__", {})}
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and ast.unparse(node.value) == "self"
            ):
                found.add(node.attr)
    return frozenset(found)


def parameters_of(kind: type, name: str) -> dict[str, inspect.Parameter]:
    function = inspect.getattr_static(kind, name)
    function = getattr(function, "__func__", function)
    parameters = dict(inspect.signature(function).parameters)
    return {each: parameter for each, parameter in parameters.items() if each not in {"self", "cls"}}


@pytest.mark.parametrize("hook", HOOKS, ids=str)
def test_the_installed_sdk_has_the_hook(hook: Hook) -> None:
    owner = load(hook.owner)
    assert hook.name in attributes_of(owner), f"singer-sdk has no {hook} any more"
    if hook.kind is Kind.ATTRIBUTE:
        return
    theirs = parameters_of(owner, hook.name)
    if hook.kind is Kind.CALLED:
        required = {name for name, each in theirs.items() if each.default is each.empty and each.kind not in VARIABLE}
        assert required <= set(hook.parameters) <= set(theirs), f"{hook} takes {list(theirs)}"
        return
    assert tuple(theirs) == hook.parameters, f"{hook} is called with {list(theirs)}"
    ours = parameters_of(load(hook.by), hook.name)
    assert tuple(ours) == hook.parameters, f"{hook.by} takes {list(ours)}"


VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@pytest.mark.parametrize(("module", "names"), PRIVATE_MODULES.items())
def test_the_installed_sdk_has_the_private_module(module: str, names: set[str]) -> None:
    assert names <= set(vars(importlib.import_module(module)))


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_abc_impl"


def sources() -> Iterator[tuple[Path, Any, ast.Module]]:
    """The modules of the plugins that import singer-sdk."""
    for package in PLUGINS:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if "singer_sdk" in text:
                name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
                yield path, importlib.import_module(name.removesuffix(".__init__")), ast.parse(text)


def test_no_other_private_name_of_the_sdk_is_used() -> None:
    listed = {hook.name for hook in HOOKS}
    found = []
    for path, module, tree in sources():
        kinds = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
        theirs = {name for kind in kinds for name in attributes_of(kind) if private(name)}
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        used |= {name for kind in kinds for name in vars(kind)}
        found += [f"{path.name}: {name}" for name in sorted((used & theirs) - listed)]
    assert found == []


def test_nothing_else_is_imported_from_private_modules_of_the_sdk() -> None:
    for path, _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("singer_sdk"):
                names = {alias.name for alias in node.names}
                hidden = {name for name in names if private(name)}
                if "._" in f"{node.module}":
                    hidden |= names - PRIVATE_MODULES.get(f"{node.module}", set())
                assert hidden == set(), f"{path.name}: {node.module}"


def test_each_hook_is_listed_once() -> None:
    assert len({(hook.owner, hook.name, hook.by) for hook in HOOKS}) == len(HOOKS)


def test_the_list_holds_no_hook_that_nobody_uses() -> None:
    used = {name for _, module, tree in sources() for name in names_in(tree)}
    assert [str(hook) for hook in HOOKS if hook.name not in used] == []


def names_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
