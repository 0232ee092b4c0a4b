"""What the questions work with: the org and the module as they are, and made-up records in it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, TypeVar

from orders_sync.probing.fields import KEY, OWN_NAMES
from orders_sync.probing.job_values import Job
from orders_sync.probing.journal import Journal
from orders_sync.probing.pace import Pace
from orders_sync.probing.scrubbing import PREFIX, secrets_of
from orders_sync.probing.verdicts import NotAsked, ProbeError
from orders_sync.probing.wire import Exchange, Purse, Wire
from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.auth import TokenSource
from target_zoho_crm.api.costs import upsert_credits
from target_zoho_crm.api.data_centers import Endpoints
from target_zoho_crm.api.http_sessions import Session

_T = TypeVar("_T")
SETUP_CREDITS = 5
"""Of the calls that every probe begins with: org, user, modules, fields and layouts."""
_MADE_UP = {
    "text": "probe", "textarea": "probe", "email": "probe@example.com", "phone": "5550100", "website": "example.com",
    "integer": 1, "bigint": "1", "currency": 1, "double": 1, "percent": 1, "boolean": True, "date": "2026-01-15",
    "datetime": "2026-01-15T12:00:00+00:00",
}  # fmt: skip


class Bench:
    """One probe of one module: what is known of it, what was made, and what was found in passing."""

    def __init__(
        self,
        module: str,
        endpoints: Endpoints,
        credentials: Credentials,
        purse: Purse,
        pace: Pace,
        *,
        sizes: tuple[int, int, int],
        journal: Journal,
    ) -> None:
        """`sizes` are the rows of the three jobs that are measured."""
        self.journal = journal
        self.module = module
        self.credentials = credentials
        self.endpoints = endpoints
        self.sizes = sizes
        url = endpoints.accounts_url
        tokens = TokenSource(credentials, url, session=lambda: Session(url))
        self.wire = Wire(endpoints, tokens, purse, pace)
        self.run = f"{PREFIX}{secrets.token_hex(4)}"
        self.measures: dict[str, Any] = {}
        self.made: list[tuple[str, str]] = []
        """Module and id of each record that was made, as far as answers named them."""
        self.jobs: list[Job] = []
        """Every job of this run, as it was seen."""
        self._kept: dict[str, tuple[Any, list[Exchange]]] = {}
        self._number = 0
        self.org = self._only("org", "org")
        self.user = self._only("users", "users", {"type": "CurrentUser"})
        self.fields = {str(each.get("api_name")): each for each in self._list("settings/fields", "fields")}
        self._read_module()

    # What is there

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Exchange:
        found = self.wire.call("GET", path, credits=1, params=params)
        if found.status != HTTPStatus.OK or not isinstance(found.body, dict):
            code = found.flat.get("code") or f"HTTP {found.status}"
            raise ProbeError(f"GET {path} was answered {code}.")
        return found

    def _list(self, path: str, name: str) -> list[dict[str, Any]]:
        body = self._get(path, {"module": self.module}).body
        return [each for each in body.get(name) or () if isinstance(each, dict)]

    def _only(self, path: str, name: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        listed = self._get(path, params).body.get(name)
        if not isinstance(listed, list) or not listed or not isinstance(listed[0], dict):
            raise ProbeError(f"GET {path}: the answer is empty.")
        return dict(listed[0])

    def _read_module(self) -> None:
        modules = self._list("settings/modules", "modules")
        own: dict[str, Any] = next((each for each in modules if each.get("api_name") == self.module), {})
        shown = own.get("display_field")
        self.name_field = str(shown["api_name"]) if isinstance(shown, dict) and shown.get("api_name") else "Name"
        required = {name for name, each in self.fields.items() if each.get("system_mandatory") is True}
        for layout in self._list("settings/layouts", "layouts"):
            for section in layout.get("sections") or ():
                fields = section.get("fields") or ()
                required |= {str(each.get("api_name")) for each in fields if each.get("required") is True}
        self.subform = self._of_type("subform", required)
        self.line_items = self.subform is not None and self.subform in required
        self.needed = {
            name: self._made_up(name) for name in required - {self.name_field, self.subform} if name in self.fields
        }

    def _of_type(self, data_type: str, first: Iterable[str] = ()) -> str | None:
        """A field of this type, one of `first` before others."""
        of_type = [name for name, each in self.fields.items() if each.get("data_type") == data_type]
        return next((name for name in of_type if name in first), of_type[0] if of_type else None)

    def _made_up(self, name: str) -> Any:
        field = self.fields[name]
        kind = str(field.get("data_type"))
        if kind == "picklist":
            values = [each.get("display_value") for each in field.get("pick_list_values") or ()]
            return next((each for each in values if each and each != "-None-"), None)
        if kind not in _MADE_UP or field.get("unique"):
            raise ProbeError(f"{self.module} demands {name} ({kind}), which cannot be made up.")
        return _MADE_UP[kind]

    @property
    def rows_module(self) -> str | None:
        """The module of the subform's rows."""
        field = self.fields.get(self.subform or "") or {}
        about = field.get("subform") or field.get("associated_module")
        return (
            str(about["module"]) if isinstance(about, dict) and isinstance(about.get("module"), str) else self.subform
        )

    def secrets(self) -> dict[str, str]:
        """Texts that evidence must not show."""
        own = {
            self.module: "<module>",
            self.credentials.client_id: "<client>",
            self.credentials.client_secret: "<secret>",
            self.credentials.refresh_token: "<token>",
        }
        fields = [name for name, each in self.fields.items() if each.get("custom_field") and name not in OWN_NAMES]
        own |= dict.fromkeys(fields, "<field>")
        for name, place in ((self.subform, "<subform>"), (self.rows_module, "<rows>")):
            if name is not None:
                own[name] = place
        return secrets_of([self.org, self.user], own)

    def need(self, *names: str) -> None:
        """Make sure that the module has these fields.

        Raises:
            NotAsked: it has not.
        """
        missing = [name for name in names if name not in self.fields]
        if missing:
            raise NotAsked(f"the module has no field {', '.join(missing)}: run `orders-sync init --probe MODULE`")

    # What is made

    def once(self, name: str, make: Callable[[], _T]) -> _T:
        """What `make` gives, made at the first time; its calls are evidence each time."""
        if name not in self._kept:
            before = self.wire.kept
            self.wire.kept = []
            found: Any
            try:
                found = make()
            except NotAsked as error:
                found = error
            self._kept[name] = found, self.wire.kept
            self.wire.kept = before
        found, calls = self._kept[name]
        self.wire.kept += calls
        if isinstance(found, NotAsked):
            raise found
        return found  # type: ignore[no-any-return] # as `make` gave it

    @property
    def known(self) -> frozenset[str]:
        """The names of what was made by `once`, whether it came about or not."""
        return frozenset(name for name, (found, _) in self._kept.items() if not isinstance(found, NotAsked))

    def key(self) -> str:
        """A key that no record has yet."""
        self._number += 1
        return f"{self.run}-{self._number}"

    def record(self, **values: Any) -> dict[str, Any]:
        """A made-up record that the module would take, with these values over it."""
        key = str(values.get(KEY) or self.key())
        own = {KEY: key} if KEY in self.fields else {}
        lines = {self.subform: [self.line()]} if self.line_items and self.subform else {}
        return {self.name_field: key, **own, **self.needed, **lines, **values}

    def line(self, **values: Any) -> dict[str, Any]:
        """A line item of a made-up product."""
        return {"Product_Name": {"id": self.once("product", self.product)}, "Quantity": 1, "List_Price": 10, **values}

    def product(self) -> str:
        """The id of a made-up product."""
        return self._id_of(self.insert({"Product_Name": f"{self.run}-product"}, module="Products"))

    def insert(self, *records: Mapping[str, Any], module: str | None = None) -> Exchange:
        """Insert records."""
        return self._write("POST", module or self.module, {"data": list(records), "trigger": []}, len(records))

    def upsert(self, *records: Mapping[str, Any], by: str = KEY) -> Exchange:
        """Upsert records by one field."""
        body = {"data": list(records), "duplicate_check_fields": [by], "trigger": []}
        return self._write("POST", f"{self.module}/upsert", body, len(records))

    def update(self, record: str, **values: Any) -> Exchange:
        """Update one record by its id in the address."""
        return self._write("PUT", f"{self.module}/{record}", {"data": [values], "trigger": []}, 1)

    def _write(self, method: str, path: str, body: dict[str, Any], records: int) -> Exchange:
        found = self.wire.call(method, path, body, credits=upsert_credits(records))
        module = path.partition("/")[0]
        for each in found.items:
            details = each.get("details") if isinstance(each, dict) else None
            record = details.get("id") if isinstance(details, dict) else None
            action = each.get("action", "" if path.endswith("/upsert") else "insert") if isinstance(each, dict) else ""
            is_new = method == "POST" and action == "insert" and each.get("code") == "SUCCESS"
            if is_new and isinstance(record, (str, int)):
                self.made.append((module, str(record)))
        return found

    def seed(self, name: str, **values: Any) -> str:
        """The id of a record that this run has under this name; made at the first time."""
        return self.once(f"seed {name}", lambda: self._id_of(self.insert(self.record(**values))))

    def _id_of(self, answer: Exchange) -> str:
        record = answer.details.get("id")
        if not answer.taken or not isinstance(record, (str, int)):
            raise NotAsked(
                f"no record could be made: {answer.item.get('code') or answer.flat.get('code') or answer.status}"
            )
        return str(record)

    def read(self, record: str) -> dict[str, Any]:
        """A record as the org has it; empty where it has none."""
        found = self.wire.call("GET", f"{self.module}/{record}", credits=1)
        shown = {name: each for name, each in found.item.items() if name in {*OWN_NAMES, "id", "Owner"}}
        if shown:
            self.wire.kept[-1] = replace(found, body={"data": [shown]})  # of the other fields not even the names
        return found.item

    def read_many(self, records: Iterable[str], fields: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Up to 50 records by their ids."""
        params = {"fields": ",".join(fields), "ids": ",".join(records)}
        found = self.wire.call("GET", self.module, credits=1, params=params)
        return {str(each.get("id")): each for each in found.items if isinstance(each, dict)}
