"""`orders-sync doctor` names what is wrong with a set-up, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from pair_of_plugins import Shop

from orders_sync.cli import main

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(sqlite_url, zoho_emulator, tmp_path)
    yield made
    made.engine.dispose()


def run(shop: Shop, *options: str) -> Result:
    tap, target = shop.configs()
    return CliRunner().invoke(main, ["doctor", "--tap-config", str(tap), "--target-config", str(target), *options])


def findings(shop: Shop, *, ok: bool) -> dict[str, dict[str, str]]:
    result = run(shop, "--json")
    document = json.loads(result.output)
    assert (document["ok"], result.exit_code) == (ok, 0 if ok else 1), result.output
    return {finding["subject"]: finding for finding in document["findings"]}


def the_error(shop: Shop) -> dict[str, str]:
    """The only error; what depends on it was not checked, and no other is made of it."""
    errors = [finding for finding in findings(shop, ok=False).values() if finding["result"] == "error"]
    assert len(errors) == 1, errors
    return errors[0]


def assert_named(shop: Shop, subject: str, *words: str) -> None:
    """The error has this subject, and message or remedy have these words; people read the same."""
    error = the_error(shop)
    assert error["subject"] == subject
    text = f"{error['message']} {error['remedy']}"
    for word in words:
        assert word in text
    result = run(shop)
    assert result.exit_code == 1
    for word in words:
        assert word in result.output


def test_a_correct_set_up_has_no_error_and_nothing_is_changed(shop: Shop) -> None:
    before = shop.emulator.admin.stats()["records"]
    found = findings(shop, ok=True)
    assert {finding["result"] for finding in found.values()} == {"ok", "warning"}
    for subject in (
        "Database", "Orders table", "Key", "Replication key", "One ledger", "Ledger rights", "Token", "Scopes", "Org",
        "Edition", "Credits", "Module", "Key field", "Column total_amount", "Mandatory fields",
    ):  # fmt: skip
        assert found[subject]["result"] == "ok", found[subject]
    assert "55,000 API credits a day" in found["Edition"]["message"]
    assert shop.emulator.admin.stats()["records"] == before
    assert shop.crm() == {}
    assert sa.inspect(shop.engine).get_table_names() == ["orders"]


def test_each_column_is_compared_with_its_field(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN mystery VARCHAR(10)")
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN item_count VARCHAR(10)")
    found = findings(shop, ok=True)
    assert found["Column order_date"]["result"] == "ok"
    assert "longer texts than 120" in found["Column customer_name"]["message"]
    assert "must be among New, Paid" in found["Column status"]["message"]
    assert "what is no number is refused" in found["Column item_count"]["message"]
    assert "not sent" in found["Column mystery"]["message"]
    assert "`fields`" in found["Column mystery"]["remedy"]


# The wrong set-ups: the error is named, and what to do.


def test_a_database_out_of_reach(shop: Shop) -> None:
    shop.tap_config["sqlalchemy_url"] = "postgresql://clerk:hush-hush@127.0.0.1:1/shop"
    assert_named(shop, "Database", "127.0.0.1:1", "`sqlalchemy_url`")
    assert "hush-hush" not in run(shop).output


def test_a_misspelt_table(shop: Shop) -> None:
    shop.tap_config["orders_table"] = "ordres"
    assert_named(shop, "Orders table", "'ordres'", "did you mean orders")


def test_a_misspelt_key_column(shop: Shop) -> None:
    shop.tap_config["key_column"] = "orderid"
    assert_named(shop, "Key", "key_column", "'orderid'", "order_id")


def test_a_table_without_a_replication_key(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE plain (id INTEGER PRIMARY KEY, note TEXT)")
    shop.tap_config["orders_table"] = "plain"
    found = findings(shop, ok=True)["Replication key"]
    assert found["result"] == "warning"
    assert "each run compares all orders" in found["message"]
    shop.tap_config["follow"] = True
    shop.target_config["max_age_seconds"] = 1
    assert_named(shop, "Replication key", "replication_key", "is set at each change")


@pytest.mark.parametrize(
    ("column", "words"),
    [("order_date", ["not named like", "Perhaps updated_at is", "no times"]), ("order_id", ["part of the key"])],
)
def test_a_replication_key_that_no_change_changes_is_a_warning(shop: Shop, column: str, words: list[str]) -> None:
    shop.tap_config["replication_key"] = column
    document = json.loads(run(shop, "--json").output)
    found = [finding for finding in document["findings"] if finding["subject"] == "Replication key"]
    assert {finding["result"] for finding in found} == {"warning"}
    text = "; ".join(f"{finding['message']} {finding['remedy']}" for finding in found)
    assert [word for word in words if word not in text] == []


def test_the_latest_of_several_columns(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE history (id INTEGER PRIMARY KEY, order_id VARCHAR(40), at DATETIME)")
    shop.tap_config["changes_in"] = [{"table": "history", "replication_key": "at"}]
    found = findings(shop, ok=True)["Replication key"]
    assert found["result"] == "ok"
    assert found["message"].startswith("the latest of updated_at, history.at: computed for each order")
    shop.tap_config["changes_in"] = [{"table": "histori", "replication_key": "at"}]
    assert_named(shop, "Replication key", "changes_in[0].table", "did you mean history")


def test_a_filter_that_is_no_sql(shop: Shop) -> None:
    shop.tap_config["filter"] = "statuss = 'New'"
    assert_named(shop, "Filter", "statuss", "`filter`")


def test_two_ledgers(shop: Shop, tmp_path: Path) -> None:
    shop.target_config["ack_url"] = f"sqlite:///{tmp_path / 'other.sqlite'}"
    assert_named(shop, "One ledger", "other.sqlite", "sent for ever", "`ack_url`")


def test_a_target_without_the_taps_ledger(shop: Shop) -> None:
    shop.target_config["ack_url"] = None
    assert_named(shop, "One ledger", "no `ack_url`", "Set `ack_url`")


def test_a_missing_setting(shop: Shop) -> None:
    shop.target_config["refresh_token"] = None
    assert_named(shop, "Settings of the target", "refresh_token", "required", "`orders-sync login`")


def test_a_missing_setting_names_the_variable_where_no_file_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEGACY_DATABASE_URL", "sqlite://")
    monkeypatch.setenv("ZOHO_CLIENT_ID", "1000.X")
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    told = " ".join(result.output.split())
    assert "'orders_table' is a required property: set LEGACY_ORDERS_TABLE" in told
    assert "'client_secret' is a required property: set ZOHO_CLIENT_SECRET" in told


def test_a_data_centre_that_does_not_know_the_client(shop: Shop) -> None:
    shop.target_config["client_id"] = "1000.NOBODY"
    assert_named(shop, "Token", "invalid_client", "data_center")


def test_a_revoked_refresh_token(shop: Shop) -> None:
    token = shop.emulator.admin.grant()
    shop.emulator.admin.revoke_grant(token)
    shop.target_config["refresh_token"] = token
    assert_named(shop, "Token", "invalid_code", "Make a new refresh_token")
    assert token not in run(shop).output


def test_a_wrong_client_secret(shop: Shop) -> None:
    shop.target_config["client_secret"] = "not-the-one"
    assert_named(shop, "Token", "invalid_client_secret", "Copy client_secret again")
    assert "not-the-one" not in run(shop).output


@pytest.mark.parametrize(
    "scope", ["ZohoCRM.bulk.ALL", "ZohoFiles.files.ALL", "ZohoCRM.coql.READ", "ZohoCRM.users.READ"]
)
def test_a_missing_scope(shop: Shop, scope: str) -> None:
    scopes = [
        "ZohoCRM.modules.ALL", "ZohoCRM.bulk.ALL", "ZohoFiles.files.ALL", "ZohoCRM.settings.ALL", "ZohoCRM.org.READ",
        "ZohoCRM.users.READ", "ZohoCRM.coql.READ",
    ]  # fmt: skip
    shop.target_config["refresh_token"] = shop.emulator.admin.grant([each for each in scopes if each != scope])
    assert_named(shop, "Scopes", f"the token lacks {scope}", "Make a new refresh_token with the scopes")


def test_a_scope_to_look_at_jobs_is_none_to_make_them(shop: Shop) -> None:
    scopes = [
        "ZohoCRM.modules.ALL", "ZohoCRM.bulk.READ", "ZohoFiles.files.ALL", "ZohoCRM.settings.ALL", "ZohoCRM.org.READ",
        "ZohoCRM.users.READ", "ZohoCRM.coql.READ",
    ]  # fmt: skip
    shop.target_config["refresh_token"] = shop.emulator.admin.grant(scopes)
    assert_named(shop, "Scopes", "the token lacks ZohoCRM.bulk.ALL", "Make a new refresh_token with the scopes")


def test_scopes_to_write_are_tried_by_calls_that_zoho_refuses_and_that_is_said(shop: Shop) -> None:
    known = shop.emulator.admin.stats()["modules"]
    output = run(shop).output
    assert "400" in output
    assert "expected" in output
    assert shop.emulator.admin.stats()["modules"] == known
    assert shop.emulator.admin.jobs() == []
    writes = [
        each for each in shop.emulator.admin.requests() if each["method"] == "POST" and "token" not in each["path"]
    ]
    assert {each["status"] for each in writes if "coql" not in each["path"]} == {400}


def test_a_misspelt_module(shop: Shop) -> None:
    shop.target_config["module"] = "Order"
    assert_named(shop, "Module", "no module Order", "Did you mean Orders", "`module`")


def test_a_key_field_that_is_not_there(shop: Shop) -> None:
    shop.target_config["key_field"] = "Parent_Number"
    assert_named(shop, "Key field", "no field Parent_Number", "`orders-sync init` makes it", "`key_field`")


def test_a_key_field_that_is_not_unique(shop: Shop) -> None:
    shop.target_config["key_field"] = "Country"
    assert_named(shop, "Key field", "Country", "not unique", "Do not allow duplicate values")


def test_fields_that_send_a_column_nowhere(shop: Shop) -> None:
    shop.target_config["fields"] = {"notes": "Notse"}
    assert_named(shop, "Mapping", "no field Notse", "Did you mean Notes", "`fields`")


def test_a_field_that_only_the_layout_makes_mandatory(shop: Shop) -> None:
    shop.emulator.admin.add_field("Orders", api_name="Region", data_type="text", layout_mandatory=True)
    assert_named(shop, "Mandatory fields", "Region", "Map every mandatory field")


def test_a_proxy_or_wrong_address_in_place_of_zoho(shop: Shop) -> None:
    shop.target_config["api_url"] = "http://crm.example.com"
    assert_named(shop, "Zoho's addresses", "api_url", "https")


def test_a_callback_that_could_be_guessed_is_a_warning_and_a_secret_is_not_shown(shop: Shop) -> None:
    shop.target_config["callback_url"] = "https://hooks.example.com/zoho"
    assert findings(shop, ok=True)["Callback"]["result"] == "warning"
    shop.target_config["callback_url"] = "https://hooks.example.com/zoho/nobody-guesses-this"
    assert findings(shop, ok=True)["Callback"] == {
        "subject": "Callback", "result": "ok", "message": "asked for at hooks.example.com", "remedy": "",
    }  # fmt: skip


def test_credits_that_are_used_up_are_named(shop: Shop) -> None:
    shop.emulator.admin.settings(credits_remaining=3)
    result = run(shop)
    assert result.exit_code == 1
    assert "credits are used up" in result.output


def test_no_settings_at_all_names_the_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "LEGACY_DATABASE_URL" in result.output
    assert "ZOHO_REFRESH_TOKEN" in result.output


def test_the_variables_are_those_of_meltanos_production_environment() -> None:
    yaml = pytest.importorskip("yaml")
    from orders_sync.config_sources.configs import TAP_VARIABLES, TARGET_VARIABLES  # noqa: PLC0415

    project = yaml.safe_load((Path(__file__).parents[2] / "meltano.yml").read_text())
    (prod,) = [each for each in project["environments"] if each["name"] == "prod"]
    plugins = prod["config"]["plugins"]
    for kind, variables in (("extractors", TAP_VARIABLES), ("loaders", TARGET_VARIABLES)):
        assert plugins[kind][0]["config"] == {name: f"${variable}" for name, variable in variables.items()}


def _with_flag(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN synced BOOLEAN DEFAULT FALSE NOT NULL")
    shop.insert(["SO-1"])
    shop.tap_config |= {"unsynced_by": "sync_flag", "sync_flag_column": "synced"}
    shop.target_config["sync_flag_column"] = "synced"


def test_a_flag_column_that_fits_is_tried_and_left_as_it_was_and_its_index_is_shown(shop: Shop) -> None:
    _with_flag(shop)
    found = findings(shop, ok=True)
    assert found["Sync flag"]["result"] == "ok", found["Sync flag"]
    assert "set for one order, and taken back" in found["Sync flag"]["message"]
    with shop.engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT synced FROM orders").scalars().all() == [0]
        assert found["Index of the sync flag"]["result"] == "warning"
        statement = found["Index of the sync flag"]["remedy"].removeprefix("Make one: ")
        connection.exec_driver_sql(statement)
    assert findings(shop, ok=True)["Index of the sync flag"]["result"] == "ok"


def test_a_flag_column_that_is_not_there(shop: Shop) -> None:
    _with_flag(shop)
    shop.tap_config["sync_flag_column"] = "syncd"
    assert_named(shop, "Sync flag", "'syncd'", "synced")


def test_a_flag_column_that_only_the_tap_means(shop: Shop) -> None:
    _with_flag(shop)
    shop.target_config["sync_flag_column"] = None
    assert_named(shop, "Sync flag", "'synced'", "`sync_flag_column`")


def test_a_flag_that_may_not_be_set(shop: Shop, postgresql_url: str, zoho_emulator: EmulatorProcess) -> None:
    served = Shop(postgresql_url, zoho_emulator, shop.folder)
    _with_flag(served)
    role = f"reader_{sa.make_url(postgresql_url).database}"
    with served.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        connection.exec_driver_sql(f"GRANT SELECT ON orders TO {role}")
    try:
        url = sa.make_url(postgresql_url).set(username=role).render_as_string(hide_password=False)
        served.target_config["orders_url"] = url
        assert_named(served, "Sync flag", "permission denied for table orders", "`orders_url`")
    finally:
        with served.engine.begin() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
        served.engine.dispose()


def test_a_trigger_that_undoes_the_flag(shop: Shop) -> None:
    _with_flag(shop)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER reset AFTER UPDATE ON orders BEGIN UPDATE orders SET synced = FALSE "
            "WHERE order_id = NEW.order_id; END"
        )
    assert_named(shop, "Sync flag", "SO-1", "trigger")
