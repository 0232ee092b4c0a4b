"""The walls of the house: which package may import which, and inside the target which room stands on which.

Imports inside functions and under TYPE_CHECKING count as well: what knows a type cannot be understood without it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PACKAGES = (
    ("sync_databases",),
    ("sync_processes",),
    ("sync_ledger",),
    ("tap_legacy_orders", "target_zoho_crm"),
    ("orders_sync",),
    ("zoho_crm_emulator",),
)
"""From the ground up; a package imports what stands below it, those of one row not each other."""

ALONE = frozenset({"zoho_crm_emulator"})
"""What imports nothing of ours and is imported by nothing of ours: it cannot share our mistakes."""

TARGET = (
    (
        "end_of_input",
        "lenient_json",
        "malloc",
        "messages",
        "message_reader",
        "odd_names",
        "record_decoding",
        "setting_schema",
    ),
    ("api",),
    ("mapping",),
    ("compare",),
    ("batch", "write_settings", "stream_policy"),
    ("confirmation",),
    ("writing",),
    ("links", "lines"),
    ("delivery",),
    (
        "batch_file_reader",
        "config_schema",
        "history_keeping",
        "org_profile",
        "settings",
        "stream_mapping",
        "stream_request",
        "writers",
    ),
    ("stream_binding", "stream_compiler", "stream_parts", "run_summary", "run_report", "progress"),
    ("run",),
    ("meltano_test", "command"),
    ("sink",),
    ("target",),
)

COMMAND_LINE = (
    ("output", "signing"),
    ("config_sources",),
    ("callback_receiver",),
    ("checks",),
    ("comparison",),
    ("actions",),
    ("reporting",),
    ("probing",),
    ("alerts", "applying", "assistant", "audit", "live_page", "pushes", "set_up", "undoing"),
    ("cli",),
)

ROOMS = {"target_zoho_crm": TARGET, "orders_sync": COMMAND_LINE}
"""The rooms of a package from the ground up. Folders of one row do not import each other; single files may."""

MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 70
EVERYTHING = [*(name for row in PACKAGES for name in row), "demo", "scripts", "benchmarks", "tests"]


def sources(root: Path, package: str) -> Iterator[Path]:
    return (path for path in sorted((root / package).rglob("*.py")) if "__pycache__" not in path.parts)


def module_of(root: Path, path: Path) -> str:
    name = path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """The modules that a file names anywhere; of `from a import b` both a and a.b, as b may be a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph(root: Path, packages: Iterable[str]) -> dict[str, set[str]]:
    """Module to the modules of these packages that it imports."""
    paths = {module_of(root, path): path for package in packages for path in sources(root, package)}
    return {module: {each for each in imports(path) if each in paths} - {module} for module, path in paths.items()}


def ranks(rows: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    return {name: rank for rank, row in enumerate(rows) for name in row}


def upward(root: Path) -> list[str]:
    """Every import that runs upward or sideways, as `importer -> imported`."""
    of_package, of_rooms = ranks(PACKAGES), {package: ranks(rows) for package, rows in ROOMS.items()}
    wrong = []
    for module, imported in graph(root, list(of_package)).items():
        package, _, rest = module.partition(".")
        for other in imported:
            its_package, _, its_rest = other.partition(".")
            if its_package != package:
                apart = {package, its_package} & ALONE or of_package[its_package] >= of_package[package]
                wrong += [f"{module} -> {other}"] * bool(apart)
            elif package in of_rooms and rest and its_rest:
                of_room = of_rooms[package]
                room, its_room = rest.partition(".")[0], its_rest.partition(".")[0]
                above = of_room[its_room] > of_room[room]
                beside = of_room[its_room] == of_room[room] and room != its_room and "." in rest and "." in its_rest
                wrong += [f"{module} -> {other}"] * (above or beside)
    return wrong


def circle(modules: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first of them again at the end; empty where none do."""
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_import_runs_upward() -> None:
    assert upward(ROOT) == []


def test_no_modules_import_each_other() -> None:
    assert circle(graph(ROOT, list(ranks(PACKAGES)))) == []


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_has_its_place(package: str) -> None:
    modules = (module_of(ROOT, path).split(".") for path in sources(ROOT, package))
    assert {names[1] for names in modules if len(names) > 1} == ranks(ROOMS[package]).keys()


def house_of(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("target_zoho_crm.api.client", "target_zoho_crm.batch"),
        ("target_zoho_crm.batch", "target_zoho_crm.confirmation.outcomes"),
        ("target_zoho_crm.links.link_rows", "target_zoho_crm.lines.line_reader"),
        ("target_zoho_crm.sink", "target_zoho_crm.target"),
        ("sync_databases.engines", "sync_ledger.acks"),
        ("sync_ledger.acks", "tap_legacy_orders.tap"),
        ("tap_legacy_orders.tap", "target_zoho_crm.run"),
        ("zoho_crm_emulator.gate", "sync_databases.keys"),
        ("orders_sync.checks.doctor", "zoho_crm_emulator.gate"),
        ("orders_sync.checks.doctor", "orders_sync.reporting.plan"),
    ],
)
@pytest.mark.parametrize("where", ["", "def later() -> None:\n    ", "if TYPE_CHECKING:\n    "])
def test_an_import_that_runs_upward_is_found_wherever_it_stands(
    tmp_path: Path, importer: str, imported: str, where: str
) -> None:
    files = {importer: f"{where}import {imported}\n", imported: ""}
    house = house_of(tmp_path, {f"{name.replace('.', '/')}.py": text for name, text in files.items()})
    assert upward(house) == [f"{importer} -> {imported}"]


def test_a_circle_is_found(tmp_path: Path) -> None:
    first, second = "from sync_ledger import second\n", "def later() -> None:\n    from sync_ledger.first import it\n"
    house = house_of(tmp_path, {"sync_ledger/first.py": first, "sync_ledger/second.py": second})
    assert set(circle(graph(house, ["sync_ledger"]))) == {"sync_ledger.first", "sync_ledger.second"}


@pytest.mark.parametrize("package", EVERYTHING)
def test_no_file_is_longer_than_a_reader_can_hold(package: str) -> None:
    for path in sources(ROOT, package):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path.name


@pytest.mark.parametrize("package", EVERYTHING)
def test_no_function_is_longer_than_a_screen(package: str) -> None:
    for path in sources(ROOT, package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                assert lines <= MOST_LINES_OF_A_FUNCTION, f"{path.name}: {node.name} has {lines} lines"
