"""Zoho's side of a set-up: token, scopes, org, credits, the module with its key field, and each mapped field."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import click

from orders_sync.callback_receiver.callback import secret_path
from orders_sync.checks.column_checks import check_columns, check_lines, tap_lines
from orders_sync.checks.editions import daily_credits
from orders_sync.checks.findings import EXPECTED, Findings, Result
from orders_sync.checks.scopes import REFUSALS_EXPECTED, Scope, try_scopes
from sync_ledger.retry_schedules import API_CALLS_OF_CHECKS, TOKEN_RENEWAL_OF_CHECKS
from sync_ledger.written_mappings import WrittenMapping
from tap_legacy_orders.order_lines import line_names
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.api.auth import TokenSource
from target_zoho_crm.api.client import ConnectionSettings, ZohoClient
from target_zoho_crm.api.codes import CODES, OwnCode, ZohoCode
from target_zoho_crm.api.costs import JOB_CREDITS
from target_zoho_crm.api.data_centers import is_loopback
from target_zoho_crm.api.errors import ConfigurationError, ZohoError, close_names, configuration_error
from target_zoho_crm.api.http_sessions import Session
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.lines.line_mapping import OrgDirectories
from target_zoho_crm.lines.line_settings import WriteTo
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.user_directory import UserDirectory
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.stream_mapping import not_missed, stream_mapping, written_mapping
from target_zoho_crm.target import TargetZohoCRM


@contextmanager
def open_client(settings: Settings, credits: CreditMeter) -> Iterator[ZohoClient]:  # noqa: A002 - the field's word
    """A client of the CRM that gives up soon."""
    connection = ConnectionSettings(
        endpoints=settings.endpoints,
        credentials=settings.credentials,
        max_attempts=API_CALLS_OF_CHECKS.attempts,
        first_pause_seconds=API_CALLS_OF_CHECKS.first_pause,
    )
    client = ZohoClient(connection, credits=credits)
    try:
        yield client
    finally:
        client.close()


class CrmChecks:
    """The checks of one stream's destination, in the order in which they depend on each other."""

    def __init__(self, findings: Findings, tap: TapLegacyOrders | None, table: OrdersTable | None) -> None:
        """`tap` and `table` are None where the legacy side is not known."""
        self._findings = findings
        self._tap = tap
        self._table = table
        self._credits = CreditMeter()
        self.org_id: str | None = None
        """The org that the token is of, once it is known."""
        self.mapped: WrittenMapping | None = None
        """Which fields orders are written to, once that is known."""

    def run(self, target: TargetZohoCRM | None) -> None:
        """Make all checks."""
        rest = ["Token", "Scopes", "Org", "Credits", "Module", "Key field", "Mapping"]
        settings = None
        if target is not None:
            settings = self._findings.check("Zoho's addresses", lambda: _addresses(target))
        if settings is None:
            self._findings.skip(rest, "the target's settings are of no use")
            return
        if settings.callback_url is not None:
            self._callback(settings.callback_url)
        if self._findings.check("Token", lambda: _token(settings)) is None:
            self._findings.skip(rest[1:], "there is no token")
            return
        stream = settings.stream(self._tap.stream_name if self._tap else "")
        with open_client(settings, self._credits) as client:
            self._scopes(client, stream.module)
            self._org(client)
            self._module(client, settings, stream)

    def _callback(self, url: str) -> None:
        """Neither the URL nor its path is displayed: it ends with a secret."""
        try:
            secret_path(url)
        except click.UsageError as error:
            self._findings.add("Callback", Result.WARNING, error.message)
        else:
            self._findings.add("Callback", Result.OK, f"asked for at {urlsplit(url).netloc}")

    def _scopes(self, client: ZohoClient, module: str) -> None:
        tried = try_scopes(client, module)
        missing = [name for name, state in tried.items() if state is Scope.MISSING]
        unknown = [name for name, state in tried.items() if state is Scope.UNKNOWN]
        if missing:
            message = f"the token lacks {', '.join(missing)}"
            self._findings.add("Scopes", Result.ERROR, message, CODES[ZohoCode.OAUTH_SCOPE_MISMATCH].remedy)
        elif unknown:
            self._findings.add(
                "Scopes", Result.WARNING, f"no clear answer about {', '.join(unknown)}", "Try again later."
            )
        else:
            self._findings.add("Scopes", Result.OK, f"all {len(tried)} that are needed; {REFUSALS_EXPECTED}")

    def _org(self, client: ZohoClient) -> None:
        org = self._findings.check("Org", lambda: _org(client))
        if org is None:
            self._findings.skip(["Edition", "Credits"], "the org is not known")
            return
        self.org_id = str(org["zgid"])
        licence = org.get("license_details")
        licence = licence if isinstance(licence, dict) else {}
        edition, users = str(licence.get("paid_type") or "free"), int(licence.get("users_license_purchased") or 0)
        a_day = daily_credits(edition, users)
        allowed = f"{a_day:,} API credits a day" if a_day is not None else "its API credits a day are not known to us"
        self._findings.add("Edition", Result.OK, f"{edition}, {users} users: {allowed}")
        self._credits_left()

    def _credits_left(self) -> None:
        """Zoho's answers hold what is left only when more than half of a day's credits is spent."""
        left = self._credits.remaining
        if left is None:
            self._findings.add("Credits", Result.OK, "more than half of the day's are left, or Zoho gives no number")
        elif left < JOB_CREDITS:
            message = f"{left:,} are left, less than one bulk write job costs ({JOB_CREDITS})"
            self._findings.add("Credits", Result.WARNING, message, CODES[OwnCode.CREDITS_USED_UP].remedy)
        else:
            self._findings.add("Credits", Result.OK, f"{left:,} are left")

    def _module(self, client: ZohoClient, settings: Settings, stream: StreamSettings) -> None:
        name = stream.module
        fields = self._findings.check("Module", lambda: _module(client, name))
        if fields is None:
            self._findings.skip(["Key field", "Mapping"], "the module is not known")
            return
        if self._findings.check("Key field", lambda: _key_field(fields, stream.key_field)) is None:
            self._findings.skip(["Mapping"], "there is no key field to write by")
            return
        if self._tap is None or self._table is None:
            self._findings.skip(["Mapping"], "the columns of the orders' table are not known")
            return
        entry = self._tap.catalog_dict["streams"][0]
        properties = entry["schema"]["properties"]
        known = {fields.module: fields}

        def fields_of(module: str) -> ModuleFields:
            if module not in known:
                known[module] = ModuleFields.fetch(client, module)
            return known[module]

        users = UserDirectory(client).users
        try:
            mapping = stream_mapping(
                settings,
                stream,
                properties,
                entry["key_properties"],
                fields_of=fields_of,
                users=users,
            )
        except EXPECTED as error:
            self._findings.add_error("Mapping", error)
            return
        self.mapped = written_mapping(mapping, None)
        seen = not_missed(mapping, self._table.only_of_tap)
        check_columns(self._findings, settings, properties, seen, stream.fields, tap_lines(self._tap))
        rows = (
            {stream.lines.subform} if stream.lines is not None and stream.lines.write_to is WriteTo.SUBFORM else set()
        )
        self._mandatory(client, fields, mapping, rows)
        names = () if self._tap.lines_table is None else line_names(self._tap.lines_table)
        org = OrgDirectories.of(client, users)
        check_lines(self._findings, settings, stream, properties, names, fields_of, org)

    def _mandatory(
        self, client: ZohoClient, fields: ModuleFields, mapping: FieldMapping, subforms: Collection[str]
    ) -> None:
        """Fields that new records need, as the module or a layout demands: Zoho's fields call has only the former.

        `subforms` are those that lines are written to.
        """
        written = {each.field.api_name for each in mapping.written} | {mapping.key_field.api_name, *subforms}
        needed = {field.api_name for field in fields.values() if field.mandatory and field.writable_on_create}
        try:
            needed |= _required_by_layout(client, fields)
        except ZohoError as error:
            self._findings.add_error("Mandatory fields", error)
            return
        missing = sorted(needed - written)
        if missing:
            info = CODES[ZohoCode.MANDATORY_FIELDS_NOT_MAPPED]
            message = f"no column goes to {', '.join(missing)}: Zoho would refuse every new order"
            self._findings.add("Mandatory fields", Result.ERROR, message, info.remedy)
        else:
            self._findings.add("Mandatory fields", Result.OK, ", ".join(sorted(needed)) or "none")


def _addresses(target: TargetZohoCRM) -> tuple[str, Settings]:
    settings = Settings.read(target.config)
    places = settings.endpoints
    own = " (this machine)" if is_loopback(places.api_url) else ""
    return f"accounts {places.accounts_url}, API {places.api_url}, upload {places.upload_url}{own}", settings


def _token(settings: Settings) -> tuple[str, bool]:
    url = settings.endpoints.accounts_url
    pause = TOKEN_RENEWAL_OF_CHECKS.first_pause
    source = TokenSource(settings.credentials, url, session=lambda: Session(url), first_pause=pause)
    cached = source.is_cached()
    source.token()
    if cached:
        return "an access token is there; Zoho is asked for client secret and refresh token when it ends", True
    return "Zoho takes client and refresh token", True


def _org(client: ZohoClient) -> tuple[str, dict[str, Any]]:
    org = client.org()
    if not org.get("zgid"):
        raise ConfigurationError(OwnCode.ORG_NOT_FOUND, f"the org has no zgid. {CODES[OwnCode.ORG_NOT_FOUND].remedy}")
    return f"{org.get('company_name') or 'without a name'} (zgid {org['zgid']})", org


def _module(client: ZohoClient, name: str) -> tuple[str, ModuleFields]:
    fields = ModuleFields.fetch(client, name)
    return f"{name} with {len(fields)} fields", fields


def _key_field(fields: ModuleFields, name: str) -> tuple[str, bool]:
    if name not in fields:
        what = f"module {fields.module} has no field {name}.{close_names(name, fields)}"
        raise configuration_error(OwnCode.NO_KEY_FIELD, what)
    field = fields.key(name)
    case = "distinguishes upper and lower case" if field.case_sensitive else "takes upper and lower case for the same"
    return f"{name} is unique and {case}", True


def _required_by_layout(client: ZohoClient, fields: ModuleFields) -> set[str]:
    body = client.get("settings/layouts", {"module": fields.module}).body
    layouts = body.get("layouts") if isinstance(body, dict) else None
    found: set[str] = set()
    for layout in layouts or ():
        for section in layout.get("sections") or ():
            found |= {str(each.get("api_name")) for each in section.get("fields") or () if each.get("required") is True}
    return {name for name in found if name in fields and fields[name].writable_on_create}
