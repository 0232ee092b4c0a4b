"""The command line: one clear line and an exit code for what goes wrong, and never half a line of output."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked
import pytest
import sqlalchemy as sa
from full_pipe import HANG_SECONDS, TAP, blocked_tap
from small_shop import let_out

from sync_ledger.ledger import Ledger
from tap_legacy_orders.output import BlockWriter
from tap_legacy_orders.tap_errors import StoppedBySignal

ORDERS = 30_000


def _orders(path: Path, count: int) -> str:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, updated_at DATETIME NOT NULL)")
    connection.execute("CREATE INDEX by_change ON orders (updated_at)")
    rows = ((number, "x" * 200, f"2024-01-01 00:{number // 60 % 60:02}:{number % 60:02}") for number in range(count))
    connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return _orders(tmp_path / "shop.sqlite", 10)


def _config(tmp_path: Path, **config: Any) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    return str(path)


def _tap(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = forked.command("tap-legacy-orders", arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS, check=False, **options)


def _complaints(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if "| INFO " not in line]


def test_about_discover_and_test_work(tmp_path: Path, url: str) -> None:
    config = _config(tmp_path, sqlalchemy_url=url, orders_table="orders")
    about = json.loads(_tap("--about", "--format", "json").stdout)
    secrets = [name for name, setting in about["settings"]["properties"].items() if setting.get("secret")]
    assert secrets == ["sqlalchemy_url", "ack_url"]
    catalog = tmp_path / "catalog.json"
    catalog.write_text(_tap("--config", config, "--discover").stdout)
    assert [stream["stream"] for stream in json.loads(catalog.read_text())["streams"]] == ["orders"]
    tested = _tap("--config", config, "--test")
    assert (tested.returncode, _complaints(tested.stderr)) == (0, [])
    assert '"type":"RECORD"' in tested.stdout
    synced = _tap("--config", config, "--catalog", str(catalog))
    assert synced.stdout.count('"type":"RECORD"') == 10


def test_settings_come_from_the_environment(url: str) -> None:
    environment = os.environ | {
        "TAP_LEGACY_ORDERS_SQLALCHEMY_URL": url,
        "TAP_LEGACY_ORDERS_ORDERS_TABLE": "orders",
        "TAP_LEGACY_ORDERS_PAGE_SIZE": "3",
        "TAP_LEGACY_ORDERS_COLUMNS": '["id"]',
        "TAP_LEGACY_ORDERS_KEY_COLUMN": '["id", "updated_at"]',
    }
    output = _tap("--config", "ENV", env=environment)
    assert output.stdout.count('"type":"STATE"') == 5  # one a page, and one that says that it is the last
    assert output.stdout.count('"type":"RECORD"') == 10
    assert '"note"' not in output.stdout
    assert '"_sync_key":"0|2024-01-01 00:00:00"' in output.stdout


def test_an_error_about_a_value_names_its_variable(tmp_path: Path, url: str) -> None:
    variables = {"TAP_LEGACY_ORDERS_SQLALCHEMY_URL": url, "TAP_LEGACY_ORDERS_ORDERS_TABLE": "order"}
    said = "(`orders_table`: variable TAP_LEGACY_ORDERS_ORDERS_TABLE)\n"
    assert said in _tap("--config=ENV", "--discover", env=os.environ | variables).stderr
    config = _config(tmp_path, sqlalchemy_url=url, orders_table="order")
    refused = _tap("--config", config, env=os.environ | {**variables, "TAP_LEGACY_ORDERS_ORDERS_TABLE": "orders"})
    assert "no table or view 'order'" in refused.stderr
    assert "variable" not in refused.stderr  # it reads its file alone


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sqlalchemy_url": "sqlite:////no/such.sqlite"}, "there is no SQLite file /no/such.sqlite; check the path"),
        ({"sqlalchemy_url": "postgresql://u:s3cret@127.0.0.1:9/x"}, "Connection refused"),
        ({"sqlalchemy_url": "mysql://u:s3cret@127.0.0.1:9/x"}, "Can't connect to MySQL server"),
        ({"sqlalchemy_url": "s3cret is no url"}, "sqlalchemy_url: the database URL cannot be read"),
        ({"sqlalchemy_url": "mongodb://u:s3cret@h/x"}, "the engine 'mongodb' is not supported; supported are sqlite"),
        ({"orders_table": "order"}, "there is no table or view 'order'"),
        ({"replication_key": "changed"}, "orders has no column 'changed'"),
        ({"ack_url": "sqlite:////no/such/ledger"}, "the ledger tables (zoho_sync_*) cannot be created or read"),
        ({"ack_url": "postgresql://u:s3cret@127.0.0.1:9/x"}, "check `ack_url` and `ack_schema`"),
        ({"ack_url": "s3cret is no url"}, "ack_url: the database URL cannot be read"),
        ({"page_size": 0}, "settings: 0 is less than the minimum of 1 in config['page_size']"),
        ({"sqlalchemy_url": ["s3cret"]}, "settings: its value is not of type 'string' in config['sqlalchemy_url']"),
    ],
)
def test_wrong_settings_end_with_one_line_and_exit_code_2(
    tmp_path: Path, url: str, change: dict[str, Any], says: str
) -> None:
    config = _config(tmp_path, **({"sqlalchemy_url": url, "orders_table": "orders"} | change))
    _ends_with_one_line(_tap("--config", config), says)


@pytest.mark.parametrize("mode", ["--test", "--discover"])
def test_the_other_modes_complain_in_the_same_way(tmp_path: Path, url: str, mode: str) -> None:
    config = _config(tmp_path, sqlalchemy_url=url, orders_table="order")
    _ends_with_one_line(_tap("--config", config, mode), "there is no table or view 'order'")


def _ends_with_one_line(output: subprocess.CompletedProcess[str], says: str) -> None:
    lines = _complaints(output.stderr)
    assert output.returncode == 2
    assert len(lines) == 1
    assert says in lines[0]
    assert "s3cret" not in output.stderr
    assert '"type":"RECORD"' not in output.stdout


def test_a_missing_driver_is_named_with_the_extra_that_brings_it(tmp_path: Path) -> None:
    config = _config(tmp_path, sqlalchemy_url="postgresql://u@h/x", orders_table="orders")
    program = (
        "import sys; sys.modules['psycopg'] = None; "
        "from tap_legacy_orders.tap import TapLegacyOrders; TapLegacyOrders.cli()"
    )
    output = subprocess.run(
        [sys.executable, "-c", program, "--config", config],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert output.returncode == 2
    assert "run: pip install 'orders-sync[postgres]'" in _complaints(output.stderr)[-1]


def test_a_bookmark_that_is_none_is_named(tmp_path: Path, postgresql_url: str) -> None:
    engine = sa.create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TIMESTAMP NOT NULL)")
    engine.dispose()
    config = _config(tmp_path, sqlalchemy_url=postgresql_url, orders_table="orders")
    state = tmp_path / "state.json"
    ledger = Ledger.open(postgresql_url)
    ledger.ensure_tables()
    bookmark = {"replication_key_value": "soon", "ledger": {"id": ledger.ledger_id}}
    ledger.close()
    given = let_out({"sqlalchemy_url": postgresql_url}, {"bookmarks": {"orders": bookmark}})
    state.write_text(json.dumps(given))
    output = _tap("--config", config, "--state", str(state))
    assert output.returncode == 2
    assert "the bookmark 'soon' is no value of the replication key" in _complaints(output.stderr)[0]
    state.write_text("{no json")
    output = _tap("--config", config, "--state", str(state))
    assert (output.returncode, len(_complaints(output.stderr))) == (2, 1)


def test_a_reader_that_ends_early_gives_one_line_and_no_traceback(tmp_path: Path) -> None:
    config = _config(tmp_path, sqlalchemy_url=_orders(tmp_path / "big.sqlite", ORDERS), orders_table="orders")
    with subprocess.Popen([TAP, "--config", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tap:
        assert tap.stdout is not None
        assert tap.stderr is not None
        tap.stdout.read(1000)
        tap.stdout.close()
        stderr = tap.stderr.read().decode()
        assert tap.wait(HANG_SECONDS) == 1
    (line,) = _complaints(stderr)
    assert "the program that reads this tap's output has ended" in line


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_sigterm_ends_after_a_whole_line_and_not_as_if_complete(tmp_path: Path, unbuffered: str) -> None:
    config = _config(
        tmp_path, sqlalchemy_url=_orders(tmp_path / "big.sqlite", ORDERS), orders_table="orders", page_size=5000
    )
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with blocked_tap(config, environment) as tap:  # the pipe is full: the tap is in the middle of a block
        tap.process.send_signal(signal.SIGTERM)
        output = tap.output.read()
        assert tap.process.stderr is not None
        stderr = tap.process.stderr.read().decode()
        assert tap.process.wait(HANG_SECONDS) == 128 + signal.SIGTERM
    lines = output.decode().split("\n")
    assert lines.pop() == ""
    messages = [json.loads(line) for line in lines]
    assert 0 < sum(message["type"] == "RECORD" for message in messages) < ORDERS
    (line,) = _complaints(stderr)
    assert "stopped by SIGTERM: the run is not complete" in line


def test_a_tap_that_was_asked_to_end_says_so_though_its_reader_was_quicker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_legacy_orders.output.abandon_output", lambda: None)  # the output is pytest's own here

    def signal_comes_and_reader_goes() -> None:
        writer.stop(signal.SIGTERM)
        raise BrokenPipeError

    writer = BlockWriter()
    with pytest.raises(StoppedBySignal):
        writer._guarded(signal_comes_and_reader_goes)  # noqa: SLF001 - no real pipe breaks at a chosen moment


def test_sigterm_while_a_query_runs_ends_at_once(tmp_path: Path, postgresql_url: str) -> None:
    engine = sa.create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE raw (id INTEGER PRIMARY KEY, updated_at TIMESTAMP NOT NULL)")
        connection.exec_driver_sql("INSERT INTO raw VALUES (1, '2024-01-01')")
        connection.exec_driver_sql("CREATE VIEW orders AS SELECT raw.* FROM raw, pg_sleep(3600)")
    config = _config(tmp_path, sqlalchemy_url=postgresql_url, orders_table="orders", key_column="id")
    with subprocess.Popen([TAP, "--config", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tap:
        assert tap.stderr is not None
        asleep = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            while not connection.exec_driver_sql(asleep).all():
                assert tap.poll() is None
        tap.send_signal(signal.SIGTERM)
        stderr = tap.stderr.read().decode()
        assert tap.wait(HANG_SECONDS) == 128 + signal.SIGTERM
    engine.dispose()
    (line,) = _complaints(stderr)
    assert "stopped by SIGTERM: the run is not complete" in line
