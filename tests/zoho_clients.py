"""What tests of the target share: how to reach an emulator, and a few orders to send it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.client import JobAnswer, ZohoClient
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.confirmation.outcomes import Outcome, upsert_outcomes
from target_zoho_crm.mapping.field_mapping import FieldMapping, compile_mapping
from target_zoho_crm.writing.csv_files import write_bulk_zip
from target_zoho_crm.writing.upsert_body import upsert_body

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

MakeClient = Callable[..., ZohoClient]
SCHEMA = {
    "Name": {"type": "string"},
    "Total_Amount": {"type": "number"},
    "Ordered_At": {"type": "string", "format": "date-time"},
    "Is_Gift": {"type": "boolean"},
}


def credentials_of(emulator: EmulatorProcess, **changes: str) -> Credentials:
    given = {
        "client_id": emulator.client_id,
        "client_secret": emulator.client_secret,
        "refresh_token": emulator.refresh_token,
    }
    return Credentials(**{**given, **changes})


def mapping(client: ZohoClient) -> FieldMapping:
    return compile_mapping(
        SCHEMA,
        ModuleFields.fetch(client, "Orders"),
        key_field="parent_id",
        key_properties=["order_no"],
        settings={},
        timezone=timezone.utc,
    )


def row(n: int) -> tuple[Any, ...]:
    return f"Order {n}", n, "2024-07-01T10:20:30Z", n % 2 == 0


def upsert(client: ZohoClient, count: int, made: FieldMapping | None = None) -> list[Outcome]:
    keys = [f"K{n}" for n in range(count)]
    body, _ = upsert_body(made or mapping(client), keys, [row(n) for n in range(count)], {"trigger": []})
    answer = client.upsert("Orders", body, records=count)
    return upsert_outcomes(keys, ["v"] * count, answer.status, answer.body)


def ended(client: ZohoClient, job_id: str) -> JobAnswer:
    for _ in range(10_000):
        answer = client.job(job_id)
        if answer.status.ended:
            return answer
        time.sleep(0.02)
    raise AssertionError("the job did not end")


def zip_of(client: ZohoClient, path: Path, count: int) -> FieldMapping:
    made = mapping(client)
    write_bulk_zip(path, made, [f"K{n}" for n in range(count)], map(row, range(count)))
    return made


def asked(emulator: EmulatorProcess, endpoint: str) -> int:
    return int(emulator.admin.stats()["requests"].get(endpoint, 0))
