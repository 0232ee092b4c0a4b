"""Orders as messages for a target in this process, whose first ones are read back and compared at once."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from target_zoho_crm.delivery import first_contact
from target_zoho_crm.delivery.contact_report import FirstContactError
from target_zoho_crm.target import TargetZohoCRM
from zoho_crm_emulator.control import EmulatorProcess
from zoho_crm_emulator.emulator import USERS

THEN: dict[str, Any] = {}
"""In place of an order: what comes before is taken in before the target reads on."""


def order(number: int, **values: Any) -> dict[str, Any]:
    lines = [line_of(number, line) for line in range(3)]
    return {
        "id": f"SO-{number}",
        "total_amount": "12.34",
        "ordered_at": "2026-01-02T03:04:05+00:00",
        "notes": "please ring twice",
        "status": "Paid",
        "owner": str(next(iter(USERS))),
        "country": "Iceland",
        "invoice_no": f"I-{number}",
        "customer_name": "  Zoë",
        "item_count": None,
        "lines": lines,
    } | values


def line_of(number: int, line: int) -> dict[str, Any]:
    return {
        "line": f"L{number}-{line}",
        "product": f"  thing {line}",
        "quantity": "1.255",
        "note": "in a box",
        "sku": "S-1",
        "size": "Large",
        "packed_at": "2026-01-02T03:04:05+00:00",
        "line_number": None,
    }


def config(emulator: EmulatorProcess, folder: Path, **further: Any) -> dict[str, Any]:
    secrets = {name: getattr(emulator, name) for name in ("client_id", "client_secret", "refresh_token")}
    return {
        **secrets,
        **dict.fromkeys(("accounts_url", "api_url", "upload_url"), emulator.base_url),
        "ack_url": f"sqlite:///{folder}/ledger.sqlite",
        "fields": {"Owner": {}},
        "lines": {"write_to": "subform", "key_property": "line"},
    } | further


def send(settings: dict[str, Any], records: Iterable[dict[str, Any]]) -> None:
    """A run with these orders.

    Raises:
        FirstContactError: as the run ends with it.
    """
    of_lines: dict[str, Any] = {name: {"type": ["string", "null"]} for name in line_of(0, 0)}
    of_lines["packed_at"]["format"] = "date-time"
    line = {"type": "object", "properties": of_lines}
    properties = {name: {"type": ["string", "null"]} for name in order(0)}
    properties |= {"ordered_at": {"type": "string", "format": "date-time"}, "lines": {"type": "array", "items": line}}
    head = {"type": "SCHEMA", "stream": "orders", "schema": {"properties": properties}, "key_properties": ["id"]}
    state = {"type": "STATE", "value": {}}
    rows = ({"type": "RECORD", "stream": "orders", "record": each} if each else state for each in records)
    messages = "".join(f"{json.dumps(each)}\n" for each in (head, *rows))
    given = {name: value for name, value in settings.items() if value is not None}
    TargetZohoCRM(config=given).listen(io.StringIO(messages))


def table(error: FirstContactError) -> dict[str, str]:
    """Field and kind of the rows of an error's table."""
    rows = [re.split(" {2,}", text.strip()) for text in error.lines if text.startswith("  ")]
    return {name: kind for name, kind, *_ in rows[1:]}


@contextmanager
def compared_at_once(cache: Path) -> Iterator[None]:
    """The first orders are not waited for; tokens are kept in this folder."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(cache))
        patched.setattr(first_contact, "FIRST_CONTACT_SECONDS", 0.0)
        yield
