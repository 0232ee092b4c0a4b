"""A ledger that nobody has made yet: the tap reads it as an empty one and leaves nothing; the target makes it."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import forked
import sqlalchemy as sa
from following_pair import FOLLOW, following, until
from pair_of_plugins import Finished, Shop, finish, start

from sync_ledger.ledger import Ledger
from sync_ledger.state_contract import StateMark, stamped

KEYS = [f"SO-{number}" for number in range(1, 7)]
OTHERS = "the tap found no ledger, and the target's"


@contextmanager
def reader_of(shop: Shop) -> Iterator[str]:
    """The URL of a user who may read the orders and nothing else; SQLite has no users, so its file is read only."""
    dialect, url, name = shop.engine.dialect.name, shop.engine.url, f"reader_{uuid.uuid4().hex[:8]}"
    if dialect == "sqlite":
        file = Path(str(url.database))
        file.chmod(0o444)
        yield shop.url
        file.chmod(0o644)
        return
    user = f"'{name}'@'%%'" if dialect in {"mysql", "mariadb"} else f'"{name}"'
    password = "IDENTIFIED BY" if dialect in {"mysql", "mariadb"} else "LOGIN PASSWORD"
    admin = shop.engine.execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE {'USER' if '@' in user else 'ROLE'} {user} {password} 'pass'")
        connection.exec_driver_sql(f"GRANT SELECT ON orders TO {user}")
        try:
            yield url.set(username=name, password="pass").render_as_string(hide_password=False)
        finally:
            if "@" not in user:
                connection.exec_driver_sql(f"DROP OWNED BY {user}")
            connection.exec_driver_sql(f"DROP {'USER' if '@' in user else 'ROLE'} {user}")


def tables_of(shop: Shop) -> list[str]:
    return sorted(sa.inspect(shop.engine).get_table_names())


def lines_of(tapped: Finished, kind: str) -> list[dict[str, Any]]:
    assert tapped.code == 0, tapped.err
    return [line for line in map(json.loads, tapped.out.splitlines()) if line["type"] == kind]


@contextmanager
def other_place(shop: Shop, folder: Path) -> Iterator[None]:
    """Let the tap look for the ledger where none is."""
    shop.tap_config["ack_url"] = f"sqlite:///{folder / 'nowhere.sqlite'}"
    yield
    del shop.tap_config["ack_url"]
    assert not (folder / "nowhere.sqlite").exists()


def test_a_tap_alone_needs_no_more_than_to_read_and_leaves_nothing(any_shop: Shop) -> None:
    any_shop.insert(KEYS)
    before = tables_of(any_shop)
    with reader_of(any_shop) as url:
        any_shop.tap_config = {"sqlalchemy_url": url, "ack_url": None}
        tap, _ = any_shop.configs()
        found = finish(start(forked.command("tap-legacy-orders", ["--config", tap, "--discover"])))
        assert found.code == 0, found.err
        tapped = any_shop.tap()
    assert len(lines_of(tapped, "RECORD")) == len(KEYS)
    assert tables_of(any_shop) == before == ["orders"]
    assert "No ledger is at" in tapped.err


def test_a_first_run_goes_on_from_its_own_state_once_the_target_has_made_the_ledger(any_shop: Shop) -> None:
    shop = any_shop
    shop.insert(KEYS)
    assert shop.run().summary["synced"] == len(KEYS)
    shop.assert_all_synced()
    credits_ = shop.written_credits()
    again = shop.run()
    assert again.summary["read"] == 0
    assert "is not used" not in again.err
    assert "(bookmark none)" not in again.err
    assert shop.written_credits() == credits_


def test_of_two_first_runs_at_once_one_writes(any_shop: Shop) -> None:
    shop = any_shop
    shop.target_config = {"channel": "upsert"}
    shop.insert(KEYS)
    shop.configs()
    ended: list[Finished] = []
    both = [threading.Thread(target=lambda: ended.append(shop.run())) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert 0 in {each.code for each in ended}, ended
    shop.assert_all_synced()
    for each in ended:
        assert each.code == 0 or len(each.errors) == 1, each.err
    assert all(ack.attempts == 1 for ack in shop.acks().values())


def test_what_another_first_run_has_overtaken_is_not_written(shop: Shop) -> None:
    """Both taps found no ledger; the second one's orders were read before the first one's were changed."""
    shop.insert(KEYS)
    older = shop.tap().out
    shop.change(KEYS)
    assert shop.run().summary["synced"] == len(KEYS)
    late = shop.take(older)
    assert late.code == 3, late.err
    assert "run the pair again" in late.errors[0]
    shop.assert_all_synced()


def test_a_tap_that_looks_elsewhere_is_refused_where_the_ledger_has_runs(shop: Shop, tmp_path: Path) -> None:
    shop.insert(KEYS)
    shop.run()
    shop.change(KEYS)
    with other_place(shop, tmp_path):
        ended = shop.run()
    assert ended.code == 4, ended.err
    (line,) = ended.errors
    assert OTHERS in line
    assert "give both the same `ack_url`" in line
    assert shop.run().summary["synced"] == len(KEYS)
    shop.assert_all_synced()


def test_orders_behind_a_state_of_another_target_are_not_passed_over(shop: Shop) -> None:
    shop.insert(KEYS)
    (*_, state) = lines_of(shop.tap(), "STATE")  # as if some other target had taken the records
    shop.state.write_text(json.dumps(state["value"]))
    ended = shop.run()
    assert ended.code == 4, ended.err
    assert "the orders before it were never sent here; run once without that STATE" in ended.errors[0]
    assert shop.crm() == {}
    shop.state.unlink()
    assert shop.run().summary["synced"] == len(KEYS)
    shop.assert_all_synced()


def test_a_state_without_a_ledger_is_not_believed_once_there_is_one(shop: Shop) -> None:
    shop.insert(KEYS)
    (*_, state) = lines_of(shop.tap(), "STATE")
    ledger = Ledger.open(shop.ack_url)
    ledger.ensure_tables()
    ledger.close()
    shop.state.write_text(json.dumps(state["value"]))
    ended = shop.run()
    assert "bookmark is not used: it is of another ledger" in ended.err
    shop.assert_all_synced()


def test_a_ledger_that_was_dropped_is_an_empty_one(shop: Shop) -> None:
    shop.insert(KEYS)
    shop.run()
    ledger = Ledger.open(shop.ack_url)
    ledger.tables.metadata.drop_all(ledger.engine)
    ledger.close()
    ended = shop.run()
    assert "bookmark is not used: it is of another ledger" in ended.err
    assert ended.summary["synced"] == len(KEYS)
    shop.assert_all_synced()


def test_only_a_state_of_this_run_is_stamped_with_the_ledger_that_the_target_made() -> None:
    def state(ledger_id: str) -> dict[str, Any]:
        return {"bookmarks": {"orders": {"replication_key_value": "5", "ledger": {"id": ledger_id}}}}

    mark = StateMark("made", "run-1", 3)
    assert stamped(state("none-1"), "orders", mark, "none-1") == {
        "bookmarks": {"orders": {"replication_key_value": "5", "ledger": mark.document()}}
    }
    given = state("none-0")
    assert stamped(given, "orders", mark, "none-1") is given


def test_a_tap_that_follows_goes_on_by_the_ledger_that_the_target_makes(shop: Shop) -> None:
    shop.tap_config = FOLLOW
    shop.target_config = {"max_age_seconds": 0.2}
    shop.insert(KEYS)
    with following(shop) as pair:
        until(lambda: "The target has made the ledger" in pair.log, pair)
        until(lambda: len(shop.crm()) == len(KEYS), pair)
        shop.change(KEYS[:2])
        until(lambda: {row.version for row in shop.acks().values()} == set(shop.versions().values()), pair)
        pair.stop()
    shop.assert_all_synced()
    shop.tap_config = {}
    shop.target_config = {}
    again = shop.run()
    assert "is not used" not in again.err
    assert again.summary["read"] == 0
