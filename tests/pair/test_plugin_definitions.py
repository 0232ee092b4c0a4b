"""plugins/: definitions that MeltanoHub and Meltano take as they stand, and a pair that runs by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hub_rules import errors_of
from jsonschema import Draft202012Validator
from meltano_project import KINDS, ROOT, Project, drivers, installed
from pair_of_plugins import Shop

from orders_sync.cli import COMMANDS

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SENSITIVE = {
    "tap-legacy-orders": {"sqlalchemy_url", "ack_url"},
    "target-zoho-crm": {"client_id", "client_secret", "refresh_token", "ack_url", "orders_url", "callback_url"},
}
WITHOUT_EFFECT: dict[str, Any] = {
    "add_record_metadata": True,
    "load_method": "overwrite",
    "batch_size_rows": 1,
    "validate_records": False,
}


def definition(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "plugins" / f"{name}.yml").read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("name", KINDS)
def test_meltanohub_takes_a_definition_as_it_stands(name: str) -> None:
    assert errors_of(KINDS[name], definition(name)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"use_cached_catalog": False},
        {"quality": "excellent"},
        {"capabilities": ["catalogue"]},
        {"settings": [{"name": "a", "kind": "secret"}]},
        {"namespace": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_meltanohub_refuses_is_seen(change: dict[str, Any]) -> None:
    changed = definition("tap-legacy-orders") | change
    assert errors_of("extractors", {name: value for name, value in changed.items() if value is not None}) != []


@pytest.mark.parametrize("name", SENSITIVE)
def test_secrets_are_sensitive_and_nothing_else_is(name: str) -> None:
    settings = definition(name)["settings"]
    assert {each["name"] for each in settings if each.get("sensitive")} == SENSITIVE[name]
    assert not any(each["kind"] == "password" for each in settings)


@pytest.mark.parametrize("name", SENSITIVE)
def test_seconds_may_be_fractions(name: str) -> None:
    kinds = {each["name"]: each["kind"] for each in definition(name)["settings"] if each["name"].endswith("_seconds")}
    assert set(kinds.values()) == {"decimal"}


def test_settings_without_effect_are_not_offered_and_do_no_harm(shop: Shop) -> None:
    offered = {each["name"] for each in definition("target-zoho-crm")["settings"]}
    assert not offered & WITHOUT_EFFECT.keys()
    shop.emulator.admin.remove_field("Orders", "Updated_At")
    shop.insert(["1", "2", "3"])
    shop.target_config = {"skip_unchanged": True}
    assert shop.run().summary["synced"] == 3
    shop.target_config |= WITHOUT_EFFECT
    shop.change(["1"])
    assert shop.run().summary["unchanged"] == 1  # its hash is the one that was made without them
    shop.change(["2"], notes="new")
    assert shop.run().summary["synced"] == 1
    shop.assert_all_synced()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.begun(tmp_path)


@pytest.fixture
def orders(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(sqlite_url, zoho_emulator, tmp_path)
    shop.insert(["SO-1", "SO-2"])
    yield shop
    shop.engine.dispose()


@pytest.mark.nightly
def test_each_is_added_to_a_new_project_without_an_edit_and_the_pair_runs(orders: Shop, project: Project) -> None:
    for name in KINDS:
        project.add(name)
        assert drivers() - installed(project, name) == set(), name
    emulator = orders.emulator
    for setting, value in (("sqlalchemy_url", orders.url), ("orders_table", "orders"), ("settle_seconds", "0.5")):
        project.meltano("config", "set", "tap-legacy-orders", setting, value)
    project.variables = {
        "TARGET_ZOHO_CRM_CLIENT_ID": emulator.client_id,
        "TARGET_ZOHO_CRM_CLIENT_SECRET": emulator.client_secret,
        "TARGET_ZOHO_CRM_REFRESH_TOKEN": emulator.refresh_token,
        "TARGET_ZOHO_CRM_ACK_URL": orders.ack_url,
        **{f"TARGET_ZOHO_CRM_{each}_URL": emulator.base_url for each in ("ACCOUNTS", "API", "UPLOAD")},
    }
    ran = project.meltano("run", "tap-legacy-orders", "target-zoho-crm")
    assert "read 2 = 2 synced" in ran, ran
    orders.assert_all_synced()

    assert schema_errors(project.settings) == []
    for name in SENSITIVE:
        listed = project.meltano("config", "list", name)
        assert "(redacted)" in listed
        assert emulator.client_secret not in listed
        assert orders.url not in listed
    assert set(project.plugin("orders-sync")["commands"]) == {command.name for command in COMMANDS}
    assert "Usage: orders-sync doctor" in project.meltano("invoke", "orders-sync", "doctor", "--help")
    assert "Check the set-up" in project.meltano("invoke", "--list-commands", "orders-sync")


def schema_errors(settings: dict[str, Any]) -> list[str]:
    """What Meltano's own schema, which it brings along, says of a project's file."""
    schema = json.loads((files("meltano.schemas") / "meltano.schema.json").read_text(encoding="utf-8"))
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(settings)]
