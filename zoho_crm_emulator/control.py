"""Starting an emulator and talking to its admin API from Python: for tests, demos and benchmarks."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import requests

READY = re.compile(r"ready at (\S+) client_id=(\S+) client_secret=(\S+) refresh_token=(\S+)")
RECORD = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
STOP_SECONDS = 60
CALL_SECONDS = 300
WAIT_SECONDS = 300
"""Limits for what hangs; a loaded machine is slower, not wrong."""


class EmulatorError(RuntimeError):
    """The emulator did not start, or its admin API refused; the text says why."""


class Admin:
    """The admin API of a running emulator."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False  # loopback needs no proxy

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self._session.request(method, f"{self.base_url}/_emulator{path}", json=body, timeout=CALL_SECONDS)
        told: dict[str, Any] = answer.json()
        if answer.status_code != requests.codes.ok:
            raise EmulatorError(told.get("error", answer.text))
        return told

    def state(self) -> dict[str, Any]:
        """Settings, switches, clock and latency as they are now."""
        return self._call("GET", "/state")

    def reset(self) -> None:
        """Back to the state of an empty data file: no records, no jobs, no faults, settings as started."""
        self._call("POST", "/reset")

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings and return all of them.

        `edition`, `users`, `credits_remaining`, `calls_at_once`, `job_seconds`, `upload_seconds`, `call_seconds`
        ({endpoint or "*": seconds or [from, to]}), `switches`.
        """
        return self._call("PATCH", "/settings", changes)

    def switch(self, **switches: Any) -> None:
        """Turn switches (see docs/emulator.md for their names and positions)."""
        self.settings(switches=switches)

    def advance_clock(self, seconds: float) -> int:
        """Move the clock forward; returns its time in milliseconds."""
        return int(self._call("POST", "/clock", {"advance": seconds})["now"])

    def set_clock(self, mode: str) -> int:
        """Stop the clock ("manual") or let it run ("real"); returns its time in milliseconds."""
        return int(self._call("POST", "/clock", {"mode": mode})["now"])

    def add_fault(self, endpoint: str = "*", **fault: Any) -> int:
        """Switch a fault on and return its number: `kind`, `times`, `after`, and what belongs to the kind."""
        return int(self._call("POST", "/faults", {"endpoint": endpoint, **fault})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Every fault that is on, with `seen`, `fired`, `held` and `spent`."""
        return list(self._call("GET", "/faults")["faults"])

    def fired(self, fault: int) -> int:
        """How often a fault fired."""
        return next(int(one["fired"]) for one in self.faults() if one["id"] == fault)

    def remove_fault(self, fault: int) -> None:
        """Switch one fault off; what it holds goes on."""
        self._call("DELETE", f"/faults/{fault}")

    def clear_faults(self) -> None:
        """Switch all faults off; what they hold goes on."""
        self._call("DELETE", "/faults")

    def wait_held(self, fault: int, count: int = 1, timeout: float = WAIT_SECONDS) -> None:
        """Wait until a hold fault holds `count` requests; raises EmulatorError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if any(one["id"] == fault and one["held"] >= count for one in self.faults()):
                return
            time.sleep(0.01)
        raise EmulatorError(f"fault {fault} does not hold {count} requests after {timeout} s")

    def release(self, fault: int) -> int:
        """Let go what a hold fault holds, and all it would hold; returns how many requests it held."""
        return int(self._call("POST", f"/faults/{fault}/release")["released"])

    def stats(self) -> dict[str, Any]:
        """`requests`, `statuses`, `records`, `automations`, `credits`, `calls_at_once`, `jobs`, `modules`, ...

        `automations` counts the records for which each ran, `automations_by_way` splits that by upsert, insert, update,
        bulk_write and delete; `features` and `features_skipped` do the same for cadences and layout rules.
        """
        return self._call("GET", "/stats")

    def requests(self, last: int = 100) -> list[dict[str, Any]]:
        """The last requests, newest last."""
        return list(self._call("GET", f"/requests?last={last}")["requests"])

    def jobs(self, last: int = 100) -> list[dict[str, Any]]:
        """The last bulk write jobs, newest first."""
        return list(self._call("GET", f"/jobs?last={last}")["jobs"])

    def wait_jobs(self, timeout: float = WAIT_SECONDS) -> None:
        """Wait until no job is under way; raises EmulatorError after `timeout` seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if not self.stats()["jobs"].get("ADDED"):
                return
            time.sleep(0.02)
        raise EmulatorError(f"jobs are still under way after {timeout} s")

    def add_module(self, api_name: str, fields: Sequence[Mapping[str, Any]], **module: Any) -> str:
        """Add or replace a module; returns its id."""
        body = {"module": {"api_name": api_name, **module}, "fields": list(fields)}
        return str(self._call("POST", "/modules", body)["id"])

    def rename_module(self, module: str, api_name: str) -> None:
        """Give a module another API name; its records stay."""
        self._call("PATCH", f"/modules/{module}", {"api_name": api_name})

    def add_field(self, module: str, api_name: str, data_type: str, **field: Any) -> dict[str, Any]:
        """Add or replace a field: `length`, `unique`, `system_mandatory`, `pick_list`, `pick_list_open`, ..."""
        body = {"api_name": api_name, "data_type": data_type, **field}
        return self._call("POST", f"/modules/{module}/fields", body)

    def add_subform(
        self, module: str, api_name: str, fields: Sequence[Mapping[str, Any]] = (), **field: Any
    ) -> dict[str, Any]:
        """Add a subform whose rows have these fields, and with it the module of its rows (`rows`, else of its name).

        `data_type` multiselectlookup (with `lookup`) or multiuserlookup makes a multiple lookup in its place.
        """
        body = {"api_name": api_name, "data_type": "subform", **field}
        return self._call("POST", f"/modules/{module}/subforms", {"field": body, "fields": list(fields)})

    def add_layout(self, module: str, name: str, required: Sequence[str] = ()) -> str:
        """Add a layout that demands these fields beside those that the module demands; returns its id."""
        return str(self._call("POST", f"/modules/{module}/layouts", {"name": name, "required": list(required)})["id"])

    def set_validations(self, module: str, *rules: Mapping[str, Any]) -> None:
        """Set the validation rules of a module: `field`, `criteria` as Zoho's requests write them, `message`."""
        self._call("PUT", f"/modules/{module}/validations", {"validations": list(rules)})

    def set_dependencies(self, module: str, *rules: Mapping[str, Any]) -> None:
        """Set which pick lists depend on another: `parent`, `child`, `values` ({parent's value: [child's values]})."""
        self._call("PUT", f"/modules/{module}/dependencies", {"dependencies": list(rules)})

    def set_alterations(self, module: str, *rules: Mapping[str, Any]) -> None:
        """Set what the org makes of a module's values: `field`, `does`, `value`, `by` (see `alterations.py`)."""
        self._call("PUT", f"/modules/{module}/alterations", {"alterations": list(rules)})

    def alter_field(self, module: str, api_name: str, **changes: Any) -> dict[str, Any]:
        """Change some properties of a field."""
        return self._call("PATCH", f"/modules/{module}/fields/{api_name}", changes)

    def remove_field(self, module: str, api_name: str) -> None:
        """Take a field away."""
        self._call("DELETE", f"/modules/{module}/fields/{api_name}")

    def put_records(self, module: str, records: Sequence[Mapping[str, Any]], *, user: str | None = None) -> list[str]:
        """Put records straight into a module, matched by its unique fields; returns their ids. Costs nothing.

        `user` is who does it; by default the one whose token programs have.
        """
        body = {"records": list(records), "user": user}
        return list(self._call("POST", f"/modules/{module}/records", body)["ids"])

    def records(self, module: str) -> Iterator[dict[str, Any]]:
        """Every record of a module, oldest first; numbers with a point are exact `Decimal`s. Costs nothing."""
        with self._session.get(
            f"{self.base_url}/_emulator/modules/{module}/records", stream=True, timeout=CALL_SECONDS
        ) as answer:
            if answer.status_code != requests.codes.ok:
                raise EmulatorError(answer.text)
            rest = b""
            for block in answer.iter_content(1 << 18):
                *lines, rest = (rest + block).split(b"\n")
                yield from map(RECORD.decode, lines)

    def grant(self, scopes: Sequence[str] | None = None, **grant: Any) -> str:
        """Give out a refresh token: `scopes` (None: all), `client_id`, `client_secret`, `expires_in` seconds."""
        return str(self._call("POST", "/grants", {"scopes": scopes, **grant})["refresh_token"])

    def grant_code(self, scopes: Sequence[str] | None = None, **grant: Any) -> str:
        """Give out a grant code, which works once: `scopes`, `client_id`, `client_secret`, `expires_in` seconds."""
        return str(self._call("POST", "/codes", {"scopes": scopes, **grant})["code"])

    def revoke_grant(self, refresh_token: str) -> None:
        """End a refresh token."""
        self._call("DELETE", f"/grants/{refresh_token}")

    def revoke_tokens(self) -> int:
        """End every access token; returns how many were live."""
        return int(self._call("DELETE", "/tokens")["revoked"])

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class EmulatorProcess:
    """An emulator in a process of its own, as a context manager or by `start` and `stop`.

    Keyword options are those of the command, with underscores: `edition="free"`, `job_seconds="4-12"`.
    """

    def __init__(self, data: str | Path | None = None, *, port: int = 0, **options: Any) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="zoho-crm-emulator-") if data is None else None
        self.data = Path(self._directory.name) / "crm.sqlite" if self._directory else Path(data or "")
        self._port = port
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.base_url = self.client_id = self.client_secret = self.refresh_token = ""
        self._admin: Admin | None = None

    @property
    def admin(self) -> Admin:
        """The admin API; raises EmulatorError before `start`."""
        if self._admin is None:
            raise EmulatorError("the emulator is not running")
        return self._admin

    @property
    def pid(self) -> int:
        """The process's id; raises EmulatorError before `start`."""
        if self._process is None:
            raise EmulatorError("the emulator is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start the process and wait until it is ready; raises EmulatorError when it ends instead."""
        command = [sys.executable, "-m", "zoho_crm_emulator", "--data", str(self.data), "--port", str(self._port)]
        for name, value in self._options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
        line = self._process.stdout.readline() if self._process.stdout else ""
        match = READY.search(line)
        if match is None:
            self._process.kill()
            self._process.wait()
            raise EmulatorError(f"the emulator did not start: {line.strip() or 'no output'}")
        self.base_url, self.client_id, self.client_secret, self.refresh_token = match.groups()
        self._admin = Admin(self.base_url)
        return self

    def stop(self) -> None:
        """Stop it with SIGTERM; the data file is complete afterwards."""
        if self._process is None:
            return
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    def kill(self) -> None:
        """Stop it with SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._forget()

    def _forget(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._directory is not None:
            self._directory.cleanup()
