"""Singer manners of the target: the SDK's own tests, the command line, stream maps, and messages of other taps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import pytest
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.runners import TargetTestRunner
from singer_sdk.testing.target_tests import TargetRecordMissingKeyProperty

from target_zoho_crm.target import TargetZohoCRM

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

TARGET = Path(sys.executable).parent / "target-zoho-crm"


@pytest.fixture
def config(zoho_emulator: EmulatorProcess, tmp_path: Path) -> dict[str, Any]:
    return settings_for(zoho_emulator, tmp_path)


def settings_for(zoho_emulator: EmulatorProcess, tmp_path: Path) -> dict[str, Any]:
    return {
        "client_id": zoho_emulator.client_id,
        "client_secret": zoho_emulator.client_secret,
        "refresh_token": zoho_emulator.refresh_token,
        **dict.fromkeys(("accounts_url", "api_url", "upload_url"), zoho_emulator.base_url),
        "ack_url": f"sqlite:///{tmp_path}/ledger.sqlite",
        "first_contact": "off",
    }


def run(
    config: dict[str, Any], lines: list[Any], tmp_path: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    messages = tmp_path / "messages.singer"
    messages.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    arguments = ["--config", "ENV"] if environment else ["--config", str(path)]
    return subprocess.run(
        forked.command("target-zoho-crm", [*arguments, "--input", messages]),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def schema(stream: str, properties: dict[str, Any], keys: list[str], bookmark: str | None = None) -> dict[str, Any]:
    message = {"type": "SCHEMA", "stream": stream, "schema": {"properties": properties}, "key_properties": keys}
    return message | ({"bookmark_properties": [bookmark]} if bookmark else {})


def record(stream: str, **values: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": values}


TEXT = {"type": ["string", "null"]}
OTHER_TAP = [
    schema(
        "sales", {"id": {"type": "integer"}, "customer_name": TEXT, "changed": TEXT, "secret": TEXT}, ["id"], "changed"
    ),
    record("sales", id=1, customer_name="Ada", changed="2026-01-01", secret="x"),
    record("sales", id=2, customer_name="Bo", changed="2026-01-02", secret="y"),
    '{"stream": "sales", "record": {"customer_name": "Ada L.", "id": 1, "changed": "2026-01-03"}, "type": "RECORD"}',
    {"type": "STATE", "value": {"seen": 3}},
]


def test_messages_of_another_tap_are_written_and_remembered(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    ended = run(config, OTHER_TAP, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == '{"seen":3}\n'
    found = {each["parent_id"]: each["Customer_Name"] for each in zoho_emulator.admin.records("Orders")}
    assert found == {"1": "Ada L.", "2": "Bo"}
    assert "no writable field of module Orders for changed, secret" in ended.stderr
    assert "read 3 = 2 synced + 0 unchanged + 1 superseded" in ended.stderr


def test_a_property_that_a_record_lacks_does_not_clear_its_field(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    properties = {"id": {"type": "integer"}, "customer_name": TEXT, "notes": TEXT}
    head = schema("sales", properties, ["id"])
    run(config, [head, record("sales", id=1, customer_name="Ada", notes="keep me")], tmp_path)
    ended = run(config, [head, record("sales", id=1, customer_name=None)], tmp_path)
    assert ended.returncode == 0, ended.stderr
    (order,) = zoho_emulator.admin.records("Orders")
    assert (order["Customer_Name"], order["Notes"]) == (None, "keep me")


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_what_a_later_record_lacks_is_written_as_an_earlier_one_of_the_run_has_it(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path, channel: str
) -> None:
    """Taps that read a log send what changed alone, and an order's records may come in one batch."""
    names = ("customer_name", "notes", "status")
    head = schema("sales", {"id": {"type": "integer"}, **dict.fromkeys(names, TEXT)}, ["id"])
    lines = [
        head,
        record("sales", id=1, customer_name="Ada", notes="first"),
        record("sales", id=2, customer_name="Bo", notes="whole", status="New"),
        record("sales", id=1, status="Paid"),
        record("sales", id=1, notes=None),
        record("sales", id=2, customer_name="Ben", notes="new", status="Paid"),
        '{"type": "RECORD", "stream": "sales", "record": {"id": 3, "customer_name": "\\ud800"}}',
        record("sales", id=3, notes="of a record that could be read"),
    ]
    ended = run({**config, "channel": channel}, lines, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "read 7 = 3 synced + 0 unchanged + 4 superseded" in ended.stderr
    orders = {each["parent_id"]: each for each in zoho_emulator.admin.records("Orders")}
    fields = ("Customer_Name", "Notes", "Status")
    assert {key: tuple(each[name] for name in fields) for key, each in orders.items()} == {
        "1": ("Ada", None, "Paid"),
        "2": ("Ben", "new", "Paid"),
        "3": (None, "of a record that could be read", None),
    }


def test_a_stream_map_renames_and_drops(config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    maps = {"sales": {"notes": "customer_name + '!'", "customer_name": None}}
    ended = run(config | {"stream_maps": maps}, OTHER_TAP, tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = {
        each["parent_id"]: (each["Notes"], each["Customer_Name"]) for each in zoho_emulator.admin.records("Orders")
    }
    assert found == {"1": ("Ada L.!", None), "2": ("Bo!", None)}


def test_a_stream_map_that_would_lose_the_version_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    own = {"id": {"type": "integer"}, "_sync_key": TEXT, "_sync_version": TEXT}
    maps = {"sales": {"id": "id", "__else__": None}}
    ended = run(config | {"stream_maps": maps}, [schema("sales", own, ["id"])], tmp_path)
    assert ended.returncode == 1
    assert "drops _sync_key, _sync_version" in ended.stderr


def test_flattened_records_take_the_sdks_way(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    nested = {"id": {"type": "integer"}, "customer": {"type": "object", "properties": {"name": TEXT}}}
    lines = [schema("sales", nested, ["id"]), record("sales", id=1, customer={"name": "Ada"})]
    options = {"flattening_enabled": True, "flattening_max_depth": 1}
    ended = run(config | options | {"fields": {"customer__name": "Customer_Name"}}, lines, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert [each["Customer_Name"] for each in zoho_emulator.admin.records("Orders")] == ["Ada"]


def test_a_record_that_does_not_fit_its_schema_is_refused_by_name_and_the_others_go(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    head = schema("sales", {"id": {"type": "integer"}, "total_amount": {"type": "number"}}, ["id"])
    lines = [
        head,
        record("sales", id=1, total_amount=1.5),
        record("sales", id=2, total_amount="hush"),
        record("sales", id=3, total_amount=2),
    ]
    ended = run(config, lines, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert {each["parent_id"] for each in zoho_emulator.admin.records("Orders")} == {"1", "3"}
    assert "INVALID_DATA in field total_amount (orders 2)" in ended.stderr
    assert "hush" not in ended.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("not json", "line 2 of the input is no JSON"),
        ('{"type": "RECORD", "stream": "nosuch", "record": {}}', "nosuch"),
        ('{"type": "WHAT"}', "no known message type"),
        ("[]", "no Singer message"),
    ],
)
def test_broken_input_is_one_clear_line(config: dict[str, Any], tmp_path: Path, line: str, says: str) -> None:
    ended = run(config, [OTHER_TAP[0], line], tmp_path)
    assert ended.returncode == 1
    errors = [text for text in ended.stderr.splitlines() if "| ERROR" in text]
    assert len(errors) == 1, ended.stderr
    assert says in errors[0]
    assert "hush" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_may_come_from_the_environment(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    environment = {f"TARGET_ZOHO_CRM_{name.upper()}": value for name, value in config.items()}
    environment["TARGET_ZOHO_CRM_FIELDS"] = json.dumps({"secret": "Notes", "Country": {"source": "customer_name"}})
    ended = run({}, OTHER_TAP, tmp_path, **environment)
    assert ended.returncode == 0, ended.stderr
    found = {(each["Notes"], each["Country"]) for each in zoho_emulator.admin.records("Orders")}
    assert found == {("y", "Bo"), ("x", "Ada L.")}


def test_a_misspelt_option_of_a_field_is_named(config: dict[str, Any], tmp_path: Path) -> None:
    ended = run(config | {"fields": {"Country": {"sorce": "customer_name"}}}, OTHER_TAP, tmp_path)
    assert ended.returncode == 2
    assert "'sorce' was unexpected" in ended.stderr


def test_without_an_ack_url_the_ledger_is_a_local_file_and_that_is_said(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    del config["ack_url"]
    ended = run(config, OTHER_TAP, tmp_path)
    assert ended.returncode == 0, ended.stderr
    file = tmp_path / "data" / "target-zoho-crm" / "ledger.sqlite"
    assert ended.stderr.count(str(file)) == 1
    assert file.exists()
    assert zoho_emulator.admin.stats()["modules"]["Orders"] == 2


def test_about_names_every_setting_and_marks_the_secrets() -> None:
    ended = subprocess.run([TARGET, "--about", "--format=json"], capture_output=True, text=True, check=True)
    about = json.loads(ended.stdout)
    properties = about["settings"]["properties"]
    assert {"module", "key_field", "ack_url", "channel", "max_jobs"} <= properties.keys()
    secrets = {name for name, definition in properties.items() if definition.get("secret")}
    assert secrets == {"client_id", "client_secret", "refresh_token", "ack_url", "callback_url", "orders_url"}


def test_a_newer_record_that_does_not_fit_is_not_forgotten_for_the_older_one(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    head = schema("sales", {"id": {"type": "integer"}, "total_amount": {"type": "number"}, "at": TEXT}, ["id"], "at")
    lines = [head, record("sales", id=1, total_amount=1, at="v1"), record("sales", id=1, total_amount="x", at="v2")]
    ended = run(config, lines, tmp_path)
    assert "1 superseded + 1 rejected" in ended.stderr
    assert list(zoho_emulator.admin.records("Orders")) == []


def test_two_streams_into_one_module_are_refused(config: dict[str, Any], tmp_path: Path) -> None:
    lines = [OTHER_TAP[0], schema("returns", {"id": {"type": "integer"}}, ["id"])]
    ended = run(config, lines, tmp_path)
    assert ended.returncode == 2
    assert "'sales' and 'returns' both write to module Orders by parent_id" in ended.stderr


def test_our_tap_without_a_shared_ledger_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    del config["ack_url"]
    own = {"id": {"type": "integer"}, "_sync_key": TEXT, "_sync_version": TEXT}
    ended = run(config, [schema("orders", own, ["id"])], tmp_path)
    assert ended.returncode == 2
    assert "Set `ack_url` to the database where the tap has it" in ended.stderr


def test_a_key_field_that_would_take_two_keys_for_one_is_refused(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    zoho_emulator.admin.add_field("Orders", "Legacy_Number", "integer", unique=True)
    ended = run(config | {"key_field": "Legacy_Number"}, OTHER_TAP, tmp_path)
    assert ended.returncode == 2
    assert "Legacy_Number of module Orders has type integer" in ended.stderr


def test_half_a_character_costs_one_record_and_not_the_stream(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    broken = '{"type": "RECORD", "stream": "sales", "record": {"id": 7, "customer_name": "\\ud800"}}'
    ended = run(config, [*OTHER_TAP[:2], broken], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert {each["parent_id"] for each in zoho_emulator.admin.records("Orders")} == {"1"}
    assert "1 rejected" in ended.stderr


def test_a_failure_is_noticed_while_the_tap_is_silent(config: dict[str, Any], zoho_emulator: EmulatorProcess) -> None:
    zoho_emulator.admin.add_fault("upsert", kind="answer", canned="scope_mismatch")
    environment = {f"TARGET_ZOHO_CRM_{name.upper()}": value for name, value in config.items()}
    environment |= {"TARGET_ZOHO_CRM_CHANNEL": "upsert", "TARGET_ZOHO_CRM_BULK_ROWS": "1"}
    process = subprocess.Popen(
        [TARGET, "--config", "ENV"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment}
    )
    assert process.stdin is not None
    process.stdin.write("".join(f"{json.dumps(line)}\n" for line in OTHER_TAP[:2]).encode())
    process.stdin.flush()  # and it stays open
    assert process.wait(300) == 2
    assert process.stderr is not None
    assert b"OAUTH_SCOPE_MISMATCH" in process.stderr.read()


def test_a_signal_ends_the_run_and_frees_the_stream(
    config: dict[str, Any], zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    environment = {f"TARGET_ZOHO_CRM_{name.upper()}": value for name, value in config.items()}
    process = subprocess.Popen(
        [TARGET, "--config", "ENV"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment}
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write("".join(f"{json.dumps(line)}\n" for line in OTHER_TAP[:3]).encode())
    process.stdin.flush()
    while b"no writable field" not in process.stderr.readline():
        pass
    process.terminate()
    assert process.wait(300) == 128 + 15
    assert list(zoho_emulator.admin.records("Orders")) == []
    assert run(config, OTHER_TAP, tmp_path).returncode == 0


@pytest.mark.parametrize(
    "message", [{"type": "RECORD", "stream": "sales", "row": "hush"}, {"type": "STATE", "v": "hush"}]
)
def test_an_incomplete_message_is_named_without_its_contents(
    config: dict[str, Any], tmp_path: Path, message: dict[str, Any]
) -> None:
    ended = run(config, [OTHER_TAP[0], message], tmp_path)
    assert ended.returncode == 1
    assert "message: Object missing required field" in ended.stderr
    assert "hush" not in ended.stderr


MODULES = {
    "test_object_schema_no_properties": "Others",
    "test_strings_in_objects": "Others",
    "test_strings_in_arrays": "More",
}
"""Modules of their own for the further streams of the SDK's files."""


class TestStandard(get_target_test_class(TargetZohoCRM)):  # type: ignore[misc]
    """The SDK's own tests, its message files written to the emulator."""

    def test_target_record_missing_key_property(
        self, runner: TargetTestRunner, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Not as the SDK's own: such a record does not end the run, it is refused by its number."""
        runner.input_filepath = TargetRecordMissingKeyProperty().singer_filepath
        runner.sync_all()
        assert "record 1 without a key" in caplog.text

    @pytest.fixture
    def runner(self, config: dict[str, Any]) -> TargetTestRunner:
        others = {stream: {"module": module} for stream, module in MODULES.items()}
        return TargetTestRunner(TargetZohoCRM, config=config | {"on_missing_key": "hash", "streams": others})

    @pytest.fixture
    def config(self, zoho_emulator: EmulatorProcess, tmp_path: Path) -> dict[str, Any]:
        key = {"api_name": "parent_id", "data_type": "text", "unique": True}
        for module in MODULES.values():
            zoho_emulator.admin.add_module(module, [key])
        return settings_for(zoho_emulator, tmp_path)
