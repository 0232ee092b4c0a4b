"""`orders-sync mcp`: an assistant's own client asks the real process, and nothing is changed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from orders_sync.assistant.questions import QuestionError, found_in_docs, meaning_of, page, pages
from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus
from target_zoho_crm.api.codes import OwnCode

PROGRAM = Path(sys.executable).with_name("orders-sync")


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    """A ledger with one order that is synced."""
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    ledger = Ledger.open(url)
    ledger.ensure_tables()
    Lease.acquire(ledger, "orders").release("finished", {"read": 1, "synced": 1}, credits_spent=1)
    with ledger.begin() as connection:
        now = ledger.now(connection)
        ack = Ack(stream="orders", record_key="SO-1", version="1", status=AckStatus.SYNCED, acked_at=now)
        write_acks(connection, ledger.tables.ack, Acks.of([ack]))
    ledger.close()
    return url


def answers(url: str, *questions: tuple[str, Mapping[str, Any]]) -> Sequence[tuple[bool, str]]:
    """Whether each call of a tool failed, and its text."""

    async def ask() -> list[tuple[bool, str]]:
        environment = {**os.environ, "TARGET_ZOHO_CRM_ACK_URL": url}
        found = []
        async with Client(StdioServerParameters(command=str(PROGRAM), args=["mcp"], env=environment)) as client:
            for name, arguments in questions:
                answer = await client.call_tool(name, dict(arguments))
                texts = [part.text for part in answer.content if isinstance(part, TextContent)]
                found.append((bool(answer.is_error), "".join(texts)))
        return found

    return anyio.run(ask)


def test_an_assistant_reads_status_and_an_orders_history_and_the_ledger_stays_as_it_is(ledger_url: str) -> None:
    file = Path(ledger_url.removeprefix("sqlite:///"))
    before = file.read_bytes()
    status, history, absent = answers(
        ledger_url, ("status", {}), ("history", {"key": "SO-1"}), ("history", {"key": "--help", "stream": "orders"})
    )
    assert (status[0], history[0]) == (False, False), (status, history)
    assert json.loads(status[1])["streams"][0]["acks"]["synced"] == 1
    assert json.loads(history[1])["key"] == "SO-1"
    assert json.loads(absent[1])["key"] == "--help"  # a key is never an option
    assert file.read_bytes() == before


def test_what_cannot_be_answered_is_one_line_that_says_why(tmp_path: Path) -> None:
    ((failed, text), (unknown, why)) = answers(
        f"sqlite:///{tmp_path}/none.sqlite", ("status", {}), ("meaning", {"code": "NO_SUCH_CODE"})
    )
    assert failed
    assert "Traceback" not in text
    assert "none.sqlite" in text
    assert unknown
    assert "NO_SUCH_CODE" in why
    assert not (tmp_path / "none.sqlite").exists()


def test_each_tool_says_that_it_only_reads(ledger_url: str) -> None:
    async def tools() -> Any:
        environment = {**os.environ, "TARGET_ZOHO_CRM_ACK_URL": ledger_url}
        async with Client(StdioServerParameters(command=str(PROGRAM), args=["mcp"], env=environment)) as client:
            return (await client.list_tools()).tools

    found = anyio.run(tools)
    assert {"status", "problems", "history", "plan", "settings", "read_docs"} <= {tool.name for tool in found}
    assert all(tool.annotations.read_only_hint and tool.description for tool in found)


def test_docs_are_found_by_words_and_read_by_name() -> None:
    assert "troubleshooting" in pages()
    assert page("troubleshooting").startswith("# ")
    assert any(each["page"] == "guarantees" for each in found_in_docs("in doubt lease"))
    assert found_in_docs("") == []
    with pytest.raises(QuestionError, match="there are: architecture"):
        page("../pyproject")


def test_a_code_is_explained() -> None:
    assert meaning_of(OwnCode.KEY_CONFLICT.value)["what_to_do"]
    with pytest.raises(QuestionError, match=r"errors\.md"):
        meaning_of("NO_SUCH_CODE")
