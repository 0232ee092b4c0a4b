"""What pages let a reader type is understood: command lines by their parsers, settings by the plugins' schemas."""

from __future__ import annotations

import copy
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import sqlalchemy as sa
import yaml

from orders_sync.cli import main
from sync_databases.engines import SUPPORTED, find_engine
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.target import TargetZohoCRM
from zoho_crm_emulator.command_line import main as emulator

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`(?:\.venv/bin/)?(orders-sync [^`]+)`")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
TAP = {*TapLegacyOrders.config_jsonschema["properties"], "batch_config"}
"""`batch_config` is singer-sdk's."""
TARGET = copy.deepcopy(TargetZohoCRM.config_jsonschema)
TARGET["properties"] |= {name: {} for name in ("stream_maps", "stream_map_config")}
"""As we declare it: a target that is made adds the SDK's settings to it, whose schemas are no valid ones."""
OPTION = re.compile(r"--[a-z][a-z-]*")
PROGRAMS: dict[str, click.Command] = {
    "tap-legacy-orders": TapLegacyOrders.cli,
    "target-zoho-crm": TargetZohoCRM.cli,
    "zoho-crm-emulator": emulator,
}
PROGRAM = re.compile(rf"({'|'.join(PROGRAMS)})((?: --[a-z]+(?: [^-\s]\S*)?)+)")
FIRST_WORDS = "make export meltano orders-sync docker pip curl sqlite3 tap- zoho-crm- install TAP_ PYTHONPATH"
TYPED = rf"(?:\S*/)?(?:{FIRST_WORDS.replace(' ', '|')})"
OTHERS_OPTIONS = {"--full-refresh"}
"""Meltano's."""


def commands() -> Iterator[tuple[str, str]]:
    """Page and line of each command of `orders-sync` in a block."""
    for page in PAGES:
        for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.splitlines() if not language else ():
                if found := re.search(r"^(?:\S*/|docker run .* |meltano .*invoke )?(orders-sync [^|>]*)", line):
                    yield page.name, found[1].partition(" #")[0].partition("    ")[0]


def configs() -> Iterator[tuple[str, str, str]]:
    """Page, language and text of each block of settings."""
    for page in PAGES:
        for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language in {"yaml", "json"}:
                yield page.name, language, block


@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_a_command_line_is_one(page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[1:]
    for word in words:
        if re.fullmatch(r"[\w-]+\.(csv|json)", word):
            (tmp_path / word).write_text("")
    group = main.make_context("orders-sync", words)
    name, command, rest = main.resolve_command(group, [*group._protected_args, *group.args])  # noqa: SLF001 - click 8's own way
    assert command is not None, page
    command.make_context(name, rest, parent=group)


def options_of(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def test_commands_and_options_within_sentences_are_there() -> None:
    unknown = []
    for page in PAGES:
        for span in SPAN.findall(page.read_text(encoding="utf-8")):
            command = main.commands.get(span.split()[1])
            if command is None or not set(OPTION.findall(span)) <= options_of(main) | options_of(command):
                unknown.append((page.name, span))
    assert unknown == []


def test_options_alone_are_those_of_a_command() -> None:
    known = set().union(*map(options_of, main.commands.values())) | OTHERS_OPTIONS
    for name in ("get-started", "monitoring", "troubleshooting"):
        spans = re.findall(r"`(--[^`]+)`", (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"))
        assert {option for span in spans for option in OPTION.findall(span)} <= known, name


def test_options_of_tap_target_and_emulator_are_there() -> None:
    found = [(page.name, *each) for page in PAGES for each in PROGRAM.findall(page.read_text(encoding="utf-8"))]
    assert {program for _, program, _ in found} == PROGRAMS.keys()
    unknown = [each for each in found if not set(OPTION.findall(each[2])) <= options_of(PROGRAMS[each[1]])]
    assert unknown == []


def test_a_shell_can_read_each_block_of_commands() -> None:
    blocks = [
        (page.name, block)
        for page in PAGES
        for language, block in BLOCK.findall(page.read_text(encoding="utf-8"))
        if not language and re.match(TYPED, block)
    ]
    assert len(blocks) > 25
    for name, block in blocks:
        read = subprocess.run(["sh", "-n"], input=block, capture_output=True, text=True, check=False)
        assert read.returncode == 0, (name, block, read.stderr)


def test_commands_of_this_checkout_choose_its_environment() -> None:
    """Its default is the demo's, whose CRM is the emulator."""
    found = [
        (page.name, block)
        for page in PAGES
        for language, block in BLOCK.findall(page.read_text(encoding="utf-8"))
        if not language and "export LEGACY_DATABASE_URL" in block and "orders-sync" in block
    ]
    assert {name for name, _ in found} == {"README.md", "get-started.md"}
    for name, block in found:
        first, _, rest = block[block.index("export") :].partition("\n")
        assert first.startswith("export MELTANO_ENVIRONMENT=prod"), name
        assert "environment" not in rest, name


def test_the_page_of_databases_has_a_url_of_each_engine() -> None:
    text = (ROOT / "docs" / "database.md").read_text(encoding="utf-8")
    for name in SUPPORTED:
        (url, *_) = re.findall(rf"`({name}://[^`]+)`", text) or [""]
        assert find_engine(sa.make_url(url.replace("...", "")).get_backend_name() if url else "") is not None, name


def test_targets_of_make_are_there() -> None:
    made = re.compile(r"(?:`|^)make ([a-z-]+)", re.MULTILINE)
    named = {(page.name, each) for page in PAGES for each in made.findall(page.read_text(encoding="utf-8"))}
    assert {each for each in named if each[1] not in TARGETS} == set()


@pytest.mark.parametrize(("page", "language", "text"), list(configs()))
def test_settings_are_those_of_a_plugin(page: str, language: str, text: str) -> None:
    if language == "json":
        found = [("target", json.loads(text))]
    else:
        found = [(plugin, config) for plugin, part in parts(text) for config in configs_of(yaml.safe_load(part))]
    assert found, page
    for plugin, config in found:
        if plugin != "target" and config.keys() <= TAP:
            continue
        jsonschema.validate(config, {**TARGET, "required": [], "additionalProperties": False})


def parts(text: str) -> list[tuple[str, str]]:
    """The plugin that a comment names, and its settings; without a comment the plugin that has them all."""
    before, comment, after = text.partition("# target-zoho-crm\n")
    if not comment:
        return [("", text)]
    return [("tap", before), ("target", after)] if before.strip() else [("target", after)]


def configs_of(read: Any) -> list[dict[str, Any]]:
    """The settings themselves, whatever stands around them in meltano.yml."""
    if isinstance(read, list):
        return [config for each in read for config in configs_of(each)]
    if "config" in read:
        return [read["config"]]
    if read.keys() & {"extractors", "loaders", "plugins"}:
        return [config for each in read.values() for config in configs_of(each)]
    return [] if "name" in read else [read]
