"""The least a test needs to talk to the emulator: a session with a token, and the calls of bulk write."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoho_crm_emulator.control import EmulatorProcess

ZGID = "60012345678"
FINAL = {"COMPLETED", "FAILED", "SKIPPED"}


def files_zip(files: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in files.items():
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            archive.writestr(name, text.getvalue().encode())
    return buffer.getvalue()


def csv_zip(rows: Sequence[Sequence[str]], name: str = "orders.csv") -> bytes:
    return files_zip({name: rows})


class Client:
    """Plain calls; nothing is retried or hidden."""

    def __init__(self, emulator: EmulatorProcess, *, base: str | None = None, refresh_token: str | None = None) -> None:
        self.emulator = emulator
        self.base = base or emulator.base_url
        self.refresh_token = refresh_token or emulator.refresh_token
        self.session = requests.Session()
        self.session.trust_env = False
        token = self.token().json()["access_token"]
        self.session.headers["Authorization"] = f"Zoho-oauthtoken {token}"

    def token(self, **changes: str) -> requests.Response:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token,
            "client_id": self.emulator.client_id,
            "client_secret": self.emulator.client_secret,
            **changes,
        }
        return self.session.post(f"{self.base}/oauth/v2/token", data=form, timeout=120)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(f"{self.base}{path}", timeout=120, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.session.post(f"{self.base}{path}", timeout=120, **options)

    def put(self, path: str, **options: Any) -> requests.Response:
        return self.session.put(f"{self.base}{path}", timeout=120, **options)

    def patch(self, path: str, **options: Any) -> requests.Response:
        return self.session.patch(f"{self.base}{path}", timeout=120, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.session.delete(f"{self.base}{path}", timeout=120, **options)

    def upsert(self, records: Sequence[Any], module: str = "Orders", **more: Any) -> requests.Response:
        body = {"data": records, "duplicate_check_fields": ["parent_id"], "trigger": [], **more}
        return self.post(f"/crm/v8/{module}/upsert", json=body)

    def upload(self, archive: bytes, **headers: str) -> requests.Response:
        given = {"feature": "bulk-write", "X-CRM-ORG": ZGID, **headers}
        given = {name: value for name, value in given.items() if value}
        return self.post("/crm/v8/upload", files={"file": ("orders.zip", archive)}, headers=given)

    def create(self, file_id: str, columns: Sequence[Any], **more: Any) -> requests.Response:
        mappings = [
            {"api_name": column, "index": index} if isinstance(column, str) else column
            for index, column in enumerate(columns)
        ]
        resource: dict[str, Any] = {
            "type": "data",
            "module": {"api_name": "Orders"},
            "file_id": file_id,
            "find_by": "parent_id",
            "ignore_empty": False,
            "field_mappings": mappings,
            **more.pop("resource", {}),
        }
        body = {"operation": "upsert", "ignore_empty": False, "resource": [resource], **more}
        return self.post("/crm/bulk/v8/write", json=body)

    def job(self, job: str) -> dict[str, Any]:
        told: dict[str, Any] = self.get(f"/crm/bulk/v8/write/{job}").json()
        return told

    def finished(self, job: str) -> dict[str, Any]:
        for _ in range(30_000):
            told = self.job(job)
            if told["status"] in FINAL:
                return told
            time.sleep(0.01)
        raise AssertionError(f"job {job} does not end: {told}")

    def results(self, told: dict[str, Any]) -> dict[str, list[list[str]]]:
        address = told["result"]["download_url"]
        answer = self.session.get(address if "://" in address else self.base + address, timeout=120)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            texts = {name: archive.read(name).decode() for name in archive.namelist()}
        return {name: list(csv.reader(io.StringIO(text, newline=""))) for name, text in texts.items()}

    def result(self, told: dict[str, Any]) -> list[list[str]]:
        (only,) = self.results(told).values()
        return only

    def bulk(
        self, rows: Sequence[Sequence[str]], columns: Sequence[Any] | None = None, **more: Any
    ) -> tuple[dict[str, Any], list[list[str]]]:
        """Upload, create, wait, download: (the job, the result's rows without its header)."""
        file_id = self.upload(csv_zip(rows)).json()["details"]["file_id"]
        created = self.create(file_id, columns if columns is not None else rows[0], **more)
        assert created.status_code == 201, created.text
        told = self.finished(created.json()["details"]["id"])
        return told, self.result(told)[1:] if "result" in told else []

    def records(self, module: str = "Orders") -> dict[str, dict[str, Any]]:
        return {record["parent_id"]: record for record in self.emulator.admin.records(module)}
