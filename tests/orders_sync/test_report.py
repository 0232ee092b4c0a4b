"""`orders-sync report`: one page without network, the same whenever it is drawn from the same ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from reported_week import HOSTILE, RUNS, fill_week

from orders_sync.cli import main
from sync_ledger.ledger import Ledger

FACTS_THAT_LOAD = {"src", "href", "srcset", "data", "action"}


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    yield ledger
    ledger.close()


def report(ledger: Ledger, *options: str) -> Result:
    url = ledger.engine.url.render_as_string(hide_password=False)
    return CliRunner().invoke(main, ["report", "--ack-url", url, *options])


def drawn(ledger: Ledger, path: Path, *options: str) -> str:
    result = report(ledger, "--out", str(path), *options)
    assert result.exit_code == 0, result.output
    return path.read_text(encoding="utf-8")


def document(ledger: Ledger, *options: str) -> Any:
    result = report(ledger, "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and that each is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}
        self.loads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.loads += [name for name, _ in attrs if name in FACTS_THAT_LOAD or name.startswith("on")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_same_ledger_gives_the_same_page_at_any_time(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_week(ledger)
    first = drawn(ledger, tmp_path / "first.html"), document(ledger)
    now = Ledger.now
    monkeypatch.setattr(Ledger, "now", lambda self, connection: now(self, connection) - timedelta(days=5_000))
    assert (drawn(ledger, tmp_path / "second.html"), document(ledger)) == first


def test_a_page_loads_nothing_and_what_orders_say_is_text(ledger: Ledger, tmp_path: Path) -> None:
    fill_week(ledger)
    html = drawn(ledger, tmp_path / "page.html")
    page = Page(html)
    assert page.open == []
    assert page.loads == []
    assert not {"script", "link", "img", "iframe"} & page.seen.keys()
    assert page.seen["svg"] == 6
    assert page.seen["style"] == 1
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html
    assert "@import" not in html
    assert "url(" not in html


def test_the_figures_are_those_of_the_ledger(ledger: Ledger) -> None:
    until = fill_week(ledger)
    found = document(ledger)
    assert found["until"] == until.isoformat()
    of_orders = [run for run in found["runs"] if run["stream"] == "orders"]
    assert len(of_orders) == RUNS
    assert sum(day["synced"] for day in found["days"].values()) == sum(run["counts"]["synced"] for run in found["runs"])
    assert sum(run["how_ended"] != "finished" for run in of_orders) == 6
    last_day = [run for run in found["runs"] if run["ended_at"] > (until - timedelta(days=1)).isoformat()]
    assert found["credits"][-1]["value"] == sum(run["credits"] for run in last_day)
    waiting = {each["for_whom"].partition(":")[0]: each["orders"] for each in found["waiting"]}
    assert waiting == {
        "Zoho": 25,
        "a run that sends them again, once the time of their next try has come": 9,
        "somebody who corrects them in the legacy system": 22,
        "somebody who looks at them": 3,
    }
    causes = {each["code"]: each["rejected"] + each["parked"] for each in found["problems"]["orders"]}
    assert causes == {"INVALID_DATA": 14, "DUPLICATE_DATA": 6, "CALL_FAILED": 9, "BREAKS_CALLS": 3, HOSTILE: 2}
    assert [job["seconds"] for job in found["jobs"]] == [60 * (2 + 3 * number) for number in range(8)] + [None]
    # The run before took its 90 seconds and more, two hours earlier.
    assert min(point["value"] for point in found["freshness"]["orders"]) == 7200 + 90


def test_a_new_page_is_readable_by_its_owner_only_and_calls_no_older_version_missing(
    ledger: Ledger, tmp_path: Path
) -> None:
    fill_week(ledger)
    path = tmp_path / "page.html"
    html = drawn(ledger, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "<span>up to date in the CRM</span>" in html
    assert "Orders whose newest version is not in the CRM" in html


def test_days_end_where_it_is_asked(ledger: Ledger) -> None:
    fill_week(ledger)
    found = document(ledger, "--days", "1", "--until", "2026-03-04")
    assert (found["since"], found["until"]) == ("2026-03-03T00:00:00", "2026-03-04T00:00:00")
    assert len(found["runs"]) == 13
    assert set(found["days"]) == {"2026-03-03"}
    assert document(ledger, "--stream", "customers", "--days", "7")["days"].keys() == {
        f"2026-03-0{day}" for day in range(2, 9)
    }


def test_an_empty_ledger_has_a_page_and_a_full_disk_one_line(ledger: Ledger, tmp_path: Path) -> None:
    assert Page(drawn(ledger, tmp_path / "page.html")).open == []
    result = report(ledger, "--out", str(tmp_path / "nowhere" / "page.html"))
    assert result.exit_code == 1
    assert "cannot be written" in result.output
    assert "Traceback" not in result.output
