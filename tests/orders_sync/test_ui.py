"""`orders-sync ui`: an order by its key, refused orders and decisions in a browser; nobody else can take them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import forked
import httpx
import pytest
from pair_of_plugins import start
from reported_week import HOSTILE, fill_week
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from sync_ledger.ledger import Ledger

ENDS_WITHIN_SECONDS = 60  # for hangs alone


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    fill_week(ledger)
    yield ledger
    ledger.close()


@pytest.fixture
def page(ledger: Ledger) -> Iterator[httpx.Client]:
    url = ledger.engine.url.render_as_string(hide_password=False)
    process = start(forked.command("orders-sync", ["ui", "--ack-url", url, "--port", "0"]))
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address), process.communicate()
    with httpx.Client(base_url=address, follow_redirects=True, timeout=ENDS_WITHIN_SECONDS) as client:
        yield client
    process.terminate()
    process.communicate(timeout=ENDS_WITHIN_SECONDS)


def origin(page: httpx.Client) -> dict[str, str]:
    return {"Origin": f"http://127.0.0.1:{page.base_url.port}"}


def refused_keys(page: httpx.Client) -> list[str]:
    return re.findall(r"order\?stream=orders&amp;key=([\w-]+)", page.get("problems").text)


def test_the_report_is_shown_live(page: httpx.Client) -> None:
    shown = page.get("", params={"days": 30}).raise_for_status().text
    assert "Orders on their way into Zoho CRM" in shown
    assert "http-equiv='refresh'" in shown


def test_an_order_is_found_by_its_key_or_its_beginning(page: httpx.Client) -> None:
    assert "Stream orders" in page.get("order", params={"stream": "orders", "key": " SO-00007 "}).text
    many = page.get("order", params={"stream": "orders", "key": "SO-0000"}).text
    assert many.count("order?stream=orders") == 10
    assert "No order of the ledger" in page.get("order", params={"stream": "orders", "key": "%"}).text
    assert page.get("order", params={"stream": "nobody's", "key": "SO-00007"}).status_code == 404


def test_a_refused_order_is_retried_and_another_dismissed(page: httpx.Client, ledger: Ledger) -> None:
    one, other, *_ = refused_keys(page)
    done = page.post("retry", data={"stream": "orders", "key": one}, headers=origin(page))
    assert "1 orders are due; the next run sends them." in done.text
    assert "it is sent with the next run" in done.text
    done = page.post("dismiss", data={"stream": "orders", "key": other}, headers=origin(page))
    assert "1 orders are parked until they change." in done.text
    assert status_of(ledger, other) == "parked"


def test_all_orders_of_a_code_are_retried(page: httpx.Client) -> None:
    code = re.findall(r"name='code' value='(\w+)'", page.get("problems").text)[0]
    done = page.post("retry", data={"stream": "orders", "code": code}, headers=origin(page))
    assert re.search(r"[1-9]\d* orders are due", done.text)


def test_nobody_else_decides(page: httpx.Client, ledger: Ledger) -> None:
    key = refused_keys(page)[0]
    before, form = status_of(ledger, key), {"stream": "orders", "key": key}
    for headers in ({}, {"Origin": "https://example.com"}, {"Origin": "null"}):
        assert page.post("dismiss", data=form, headers=headers).status_code == 403
    assert page.post("dismiss", data=form, headers={**origin(page), "Host": "example.com"}).status_code == 403
    assert page.get("problems", headers={"Host": "example.com"}).status_code == 404
    host = f"http://127.0.0.1:{page.base_url.port}"
    for path in ("/", "/problems", f"/{'x' * 32}/problems"):
        assert httpx.get(host + path).status_code == 404
    assert page.get("dismiss", params=form).status_code == 405
    assert page.post("forget", data=form, headers=origin(page)).status_code == 404
    assert page.post("retry", data={"stream": "orders"}, headers=origin(page)).status_code == 404
    assert page.post("retry", content=b"x" * 100_000, headers=origin(page)).status_code == 413
    assert status_of(ledger, key) == before


def test_what_stands_in_the_ledger_is_text(page: httpx.Client) -> None:
    for path in ("problems", "", f"order?stream=orders&key={HOSTILE}", f"problems?done={HOSTILE}"):
        answer = page.get(path)
        assert "<script" not in answer.text
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def status_of(ledger: Ledger, key: str) -> str:
    ack = ledger.tables.ack
    with ledger.connect() as connection:
        found: str = connection.execute(ack.select().where(ack.c.record_key == key)).one().status
    return found


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for each in ("--headless", "--no-sandbox", "--disable-gpu"):
        options.add_argument(each)
    made = webdriver.Chrome(options, Service(driver))
    made.implicitly_wait(ENDS_WITHIN_SECONDS)
    yield made
    made.quit()


@pytest.mark.nightly
def test_a_person_decides_in_a_browser_and_a_foreign_page_cannot(
    page: httpx.Client, ledger: Ledger, browser: webdriver.Chrome
) -> None:
    one, other, *_ = refused_keys(page)
    browser.get(str(page.base_url))
    browser.find_element(By.NAME, "key").send_keys(one)
    Select(browser.find_element(By.NAME, "stream")).select_by_visible_text("orders")
    browser.find_element(By.XPATH, "//button[text()='Find']").click()
    browser.find_element(By.XPATH, "//button[text()='Try again']").click()
    assert browser.find_element(By.CLASS_NAME, "done").text == "1 orders are due; the next run sends them."
    browser.find_element(By.LINK_TEXT, "Refused orders").click()
    browser.find_element(By.LINK_TEXT, other).click()
    browser.find_element(By.XPATH, "//button[text()='Dismiss']").click()
    assert browser.find_element(By.CLASS_NAME, "done").text == "1 orders are parked until they change."
    assert status_of(ledger, other) == "parked"
    fields = f"<input name=stream value=orders><input name=key value={one}>"
    browser.get(f"data:text/html,<form method=post action={page.base_url}dismiss>{fields}<button>Win</button></form>")
    browser.find_element(By.TAG_NAME, "button").click()
    assert browser.find_element(By.CLASS_NAME, "none").text == "Decisions are taken on these pages alone."
    assert status_of(ledger, one) == "rejected"
