"""What Zoho's refusals mean and what to do about them: four families, named by the remedy and not by the origin.

The table `CODES` is the one place where a code gets its meaning; docs and messages are made from it.
Source of the codes: Zoho CRM v8 API documentation and OpenAPI files; a few (marked "own") are ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import ClassVar

from sync_ledger.quarantine import BREAKS_CALLS


class Family(str, Enum):
    """What to do about an error (design, section 6)."""

    TRANSIENT = "transient"  # again with backoff, then in the next run
    DATA = "data"  # the record is refused until it changes
    CONFIGURATION = "configuration"  # the run stops and says what to do; no record is blamed
    QUOTA = "quota"  # stop sending; the rest stays unsynced


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """One code: its family, what it means, and what a person can do."""

    family: Family
    meaning: str
    remedy: str


SCOPES_NEEDED = (
    "ZohoCRM.modules.ALL",
    "ZohoCRM.bulk.ALL",
    "ZohoFiles.files.ALL",
    "ZohoCRM.settings.ALL",
    "ZohoCRM.org.READ",
    "ZohoCRM.users.READ",
    "ZohoCRM.coql.READ",
)

CREDIT_BUDGET = "CREDIT_BUDGET"
"""Our own limit, which ends a run cleanly."""

_T, _D, _C, _Q = Family.TRANSIENT, Family.DATA, Family.CONFIGURATION, Family.QUOTA
_WAIT = "Nothing; it is tried again."
_REPORT = "Check the module, the mapping and the API version; if they are right, report it with this line."
_FIX_RECORD = "Correct the order in the legacy system; it is sent again when it changes."

CODES: dict[str, CodeInfo] = {
    # A record is refused.
    "INVALID_DATA": CodeInfo(_D, "A value does not fit its field (type, length, or picklist).", _FIX_RECORD),
    "MANDATORY_NOT_FOUND": CodeInfo(_D, "A mandatory field has no value.", _FIX_RECORD),
    "DUPLICATE_DATA": CodeInfo(
        _D, "Another record holds this value of a unique field.", "Merge the records, or correct the value."
    ),
    "KEY_CONFLICT": CodeInfo(
        _D,
        "Zoho wrote the order to a record that is another order's too, or that it found by another field than the key.",
        "Correct the other unique field's value, or make that field not unique; then `orders-sync retry` the orders.",
    ),
    "MULTIPLE_OR_MULTI_ERRORS": CodeInfo(_D, "Several fields were refused.", _FIX_RECORD),
    "DEPENDENT_FIELD_MISSING": CodeInfo(_D, "A field that another one depends on has no value.", _FIX_RECORD),
    "DEPENDENT_MISMATCH": CodeInfo(_D, "Two dependent fields do not fit each other.", _FIX_RECORD),
    "MAPPING_MISMATCH": CodeInfo(_D, "A value does not go with that of the field it depends on.", _FIX_RECORD),
    "NOT_APPROVED": CodeInfo(_D, "The record waits for an approval in the CRM.", "Approve it, then retry the order."),
    "RECORD_IN_BLUEPRINT": CodeInfo(
        _D, "The record is in a blueprint that forbids the change.", "Finish the transition, then retry."
    ),
    "BLOCKED_RECORD": CodeInfo(_D, "The record is blocked in the CRM.", "Unblock it, then retry the order."),
    "CANNOT_PROCESS": CodeInfo(
        _D, "Zoho could not process the record; a validation rule may be against it.", "Look at the module's rules."
    ),
    "LIMIT_EXCEEDED": CodeInfo(_D, "The record has more entries than Zoho takes.", _FIX_RECORD),
    "NO_PERMISSION": CodeInfo(
        _D, "The API user may not do this.", "Give the user's profile the right, then retry the order."
    ),
    "SKIPPED": CodeInfo(_D, "The bulk job skipped the row and gave no reason.", "Look at the record in the CRM."),
    # It passes by itself.
    "RECORD_LOCKED": CodeInfo(_T, "Someone else is changing the record.", _WAIT),
    BREAKS_CALLS: CodeInfo(
        _T,
        "Each call that holds the order fails as a whole, and Zoho does not say why; the others of these calls went.",
        "Look at the order's values for what Zoho may not bear; it is tried alone, and parked after max_attempts.",
    ),
    "TOO_MANY_REQUESTS": CodeInfo(_T, "Too many calls, at once or in a short time.", _WAIT),
    "INTERNAL_ERROR": CodeInfo(_T, "Zoho failed inside.", _WAIT),
    "UNPROCESSED": CodeInfo(_T, "The bulk job ended before it tried the row.", _WAIT),
    "ACCESS_DENIED": CodeInfo(
        _T,
        "Zoho gives no more access tokens for a while (at most 10 in 10 minutes).",
        "Wait ten minutes; let processes share the token cache.",
    ),
    "RESOURCE_NOT_FOUND": CodeInfo(_T, "Zoho does not know the job.", "Nothing; its orders are sent again."),
    "LINK_NOT_VALID": CodeInfo(
        _T, "The job's result is gone (kept for 7 days).", "Nothing; its orders are sent again."
    ),
    # own, transient
    "LOST_ANSWER": CodeInfo(_T, "The connection broke before the answer came.", _WAIT),
    "NO_CONNECTION": CodeInfo(_T, "Zoho could not be reached.", "Check network, proxy and the data centre."),
    "BAD_ANSWER": CodeInfo(_T, "The answer does not fit the request, so nothing of it is believed.", _WAIT),
    "UNCLEAR_ANSWER": CodeInfo(_T, "Zoho neither confirmed nor refused the record clearly.", _WAIT),
    "NOT_IN_RESULT": CodeInfo(_T, "The bulk job's result does not name the order.", _WAIT),
    "LINES_NOT_WRITTEN": CodeInfo(
        _T, "The order is in the CRM; of its lines nobody knows.", "Nothing; the whole order is sent again."
    ),
    "LINKS_NOT_WRITTEN": CodeInfo(
        _T, "The order is in the CRM; of its links nobody knows.", "Nothing; the whole order is sent again."
    ),
    "CONFLICTING_RESULT": CodeInfo(_T, "The bulk job's result names the order twice, differently.", _WAIT),
    "STOPPED": CodeInfo(_T, "The run was asked to stop.", "Start it again."),
    # Nothing more goes for now.
    "STORAGE_SPACE_EXCEEDED": CodeInfo(_Q, "The CRM's storage is full.", "Free or buy storage."),
    "MAX_RECORDS_LIMIT_REACHED": CodeInfo(_Q, "The CRM holds as many records as it may.", "Free or buy storage."),
    "CREDITS_USED_UP": CodeInfo(
        _Q, "The org's API credits are used up (rolling 24 hours).", "Wait, buy credits, or send fewer orders."
    ),
    CREDIT_BUDGET: CodeInfo(
        _Q,
        "The credits that this run may spend are spent.",
        "Nothing; the next run goes on. Or raise credit_budget, or lower credit_reserve.",
    ),
    # Someone must change the set-up.
    "INVALID_TOKEN": CodeInfo(
        _C, "Zoho refuses the access token, also after a renewal.", "Check data_center, and make a new refresh_token."
    ),
    "AUTHENTICATION_FAILURE": CodeInfo(
        _C, "Zoho found no valid authentication.", "Check api_url and data_center, and that no proxy drops headers."
    ),
    "OAUTH_SCOPE_MISMATCH": CodeInfo(
        _C,
        "The refresh token lacks a scope.",
        "Make a new refresh_token with the scopes " + ",".join(SCOPES_NEEDED) + ", by `orders-sync login`.",
    ),
    "invalid_code": CodeInfo(
        _C, "The refresh_token is wrong or was revoked.", "Make a new refresh_token by `orders-sync login`."
    ),
    "invalid_client": CodeInfo(
        _C,
        "This accounts server does not know the client_id.",
        "Check client_id, and that data_center is where the client was registered.",
    ),
    "invalid_client_secret": CodeInfo(
        _C, "The client_secret does not belong to the client_id.", "Copy client_secret again from the API console."
    ),
    "invalid_request": CodeInfo(_C, "The accounts server misses something in the request.", "Check accounts_url."),
    "unsupported_grant_type": CodeInfo(_C, "The accounts server takes no such grant.", "Check accounts_url."),
    "REQUIRED_PARAM_MISSING": CodeInfo(_C, "The address lacks a parameter.", _REPORT),
    "INVALID_QUERY": CodeInfo(
        _C, "A query names a module or field that is not there.", "Check `find_by` and the modules' names."
    ),
    "SYNTAX_ERROR": CodeInfo(_C, "Zoho could not read a query.", _REPORT),
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED": CodeInfo(_C, "Records were read too far by page number.", _REPORT),
    "INVALID_MODULE": CodeInfo(_C, "The org has no such module.", "Check the setting `module`."),
    "MODULE_NOT_AVAILABLE": CodeInfo(_C, "The org has no such module.", "Check the setting `module`."),
    "NOT_SUPPORTED": CodeInfo(_C, "The module does not take part in this API.", "Choose another module."),
    "INVALID_FIELD": CodeInfo(_C, "The module has no such field.", "Check `fields` and `key_field`."),
    "INVALID_FIELD_NAME": CodeInfo(_C, "The module has no such field.", "Check `fields` and `key_field`."),
    "INVALID_FORMAT": CodeInfo(_C, "A column's date format was refused.", _REPORT),
    "MANDATORY_FIELDS_NOT_MAPPED": CodeInfo(
        _C, "A mandatory field of the layout has no column.", "Map every mandatory field with `fields`."
    ),
    "MISSING_REQUIRED_KEY": CodeInfo(_C, "The request lacks a key.", _REPORT),
    "INVALID_FILE_ID": CodeInfo(_C, "Zoho does not know the uploaded file.", _REPORT),
    "INVALID_FILE_FORMAT": CodeInfo(_C, "Zoho takes only a zip.", _REPORT),
    "FILE_NOT_SUPPORTED": CodeInfo(_C, "Zoho does not take the file.", _REPORT),
    "FILE_TOO_LARGE": CodeInfo(_C, "The zip is larger than 25 MB.", "Lower `bulk_rows`."),
    "HEADER_LIMIT_EXCEEDED": CodeInfo(_C, "The CSV has more than 200 columns.", "Map fewer fields."),
    "COLUMN_INDEX_NOT_FOUND": CodeInfo(_C, "A mapped column is not in the CSV.", _REPORT),
    "NOT_SUPPORTED_FEATURE": CodeInfo(_C, "The upload host does not take bulk write files.", "Check upload_url."),
    "INVALID_CALLBACK_URL": CodeInfo(_C, "Zoho does not take the callback URL.", "Check `callback_url`."),
    "INVALID_CALLBACK_METHOD": CodeInfo(_C, "Zoho does not take the callback method.", _REPORT),
    "COEXISTENCE_NOT_ALLOWED": CodeInfo(_C, "Two keys of the request exclude each other.", _REPORT),
    "INVALID_URL_PATTERN": CodeInfo(_C, "Zoho does not know the address.", "Check api_url and upload_url."),
    "INVALID_REQUEST_METHOD": CodeInfo(_C, "Zoho does not take this method here.", "Check api_url and upload_url."),
    "NO_RECORDS_FOUND": CodeInfo(_C, "No record meets the criteria of a mass update.", _REPORT),
    "EXPECTED_FIELD_MISSING": CodeInfo(_C, "A mass update names no field.", _REPORT),
    "INVALID_REQUEST": CodeInfo(_C, "The request of a bulk read job is not what it should be.", _REPORT),
    "QUERY_NOT_SUPPORTED": CodeInfo(_C, "Bulk read does not take such a query.", _REPORT),
    "PAGE_NOT_SUPPORTED": CodeInfo(_C, "Bulk read has no such page.", _REPORT),
    "FIELD_NOT_AVAILABLE": CodeInfo(_C, "A bulk read job asks for a field that is not there.", _REPORT),
    "ORG_NOT_FOUND": CodeInfo(_C, "The token's user belongs to no CRM org.", "Check data_center and environment."),
    # own, configuration
    "INSECURE_URL": CodeInfo(_C, "A URL is not https, and not loopback.", "Use https."),
    "INVALID_URL": CodeInfo(_C, "A configured URL is no URL.", "Write scheme and host: https://host."),
    "INVALID_TIMEZONE": CodeInfo(_C, "There is no such time zone.", "Name one as IANA does, e.g. Europe/Berlin."),
    "UNKNOWN_DATA_CENTER": CodeInfo(_C, "There is no such data centre.", "Check `data_center`."),
    "HOST_NOT_ALLOWED": CodeInfo(
        _C, "Zoho sent us to a host that is neither configured nor Zoho's.", "Check api_url and any proxy."
    ),
    "TLS_FAILED": CodeInfo(_C, "The server's certificate was not accepted.", "Check the URL, proxy and CA bundle."),
    "KEY_NOT_UNIQUE": CodeInfo(
        _C, "The key field is not unique.", "In the module's layout editor tick `Do not allow duplicate values`."
    ),
    "KEY_NOT_TEXT": CodeInfo(
        _C, "The key field holds no text.", "Choose a single-line text field, so that 1 and 01 stay two keys."
    ),
    "ONE_MODULE_TWO_STREAMS": CodeInfo(
        _C,
        "Two streams would overwrite each other's records.",
        "Give each its own module with `streams`, or leave one out of the run.",
    ),
    "NO_LINES": CodeInfo(
        _C,
        "The stream does not hold lines where `lines` says.",
        "Set `lines` in the tap's settings too, and the same property in both; `lines` can be set by stream.",
    ),
    "NO_SETTINGS": CodeInfo(
        _C,
        "There are no settings, or their file cannot be read.",
        "Set them in the environment or in .env, or name a config file.",
    ),
    "NO_KEY_FIELD": CodeInfo(
        _C, "The module lacks the key field.", "`orders-sync init` makes it; or check `key_field`."
    ),
    "NO_REFRESH_TOKEN": CodeInfo(
        _C,
        "Zoho took the grant code and gave no refresh token.",
        "Make a new code; of a client that is no Self Client with access_type=offline and prompt=consent.",
    ),
    "NO_ACK_URL": CodeInfo(
        _C,
        "Tap and target must share one ledger.",
        "Set `ack_url` to the database where the tap has it: its own `ack_url`, or else the orders' database.",
    ),
    "SYNC_FLAG_DIFFERS": CodeInfo(
        _C,
        "Tap and target must mean the same flag column.",
        "Set `sync_flag_column` of the target to the tap's, or the tap's `unsynced_by` to ack_table.",
    ),
    "SYNC_FLAG_NOT_WRITABLE": CodeInfo(
        _C,
        "The flag column of the orders' table cannot be written.",
        "Set `orders_url` to the orders' database, as a user who may read the table and update that column.",
    ),
    "SYNC_FLAG_UNDONE": CodeInfo(
        _C,
        "A trigger answers the flag's update as if the order had changed, so it would be sent for ever.",
        "Let the trigger pass over updates of the flag alone, or set `unsynced_by` to ack_table.",
    ),
    "INSERT_WITH_LINES": CodeInfo(
        _C,
        "An order whose lines failed could not be inserted again.",
        "Set `operation` to upsert or update, or leave `lines` out.",
    ),
    "SUBFORM_MANDATORY": CodeInfo(
        _C,
        "Zoho demands rows with a new order, and lines are written after their order.",
        "Take `Required` off the subform in the layout editor, or set `lines.write_to` to module.",
    ),
    "NOT_IN_CRM": CodeInfo(
        _D,
        "The order is to be updated, and the CRM has no record of its key.",
        "Set `operation` to upsert, or create it.",
    ),
    "NO_DELETE_FIELD": CodeInfo(
        _C, "No field marks an order as gone.", "Name a field of the module in `delete_field`."
    ),
    "NOT_FOR_JOBS": CodeInfo(
        _C,
        "A bulk write job's request has no place for what is asked.",
        "Leave `channel` at auto, or say in `bulk_automations` what jobs run in your org.",
    ),
    "KEY_NOT_WRITABLE": CodeInfo(_C, "The key field cannot be written.", "Choose a writable unique text field."),
    "AMBIGUOUS_FIELD": CodeInfo(_C, "A name fits two fields, or two names fit one.", "Say which with `fields`."),
    "REFERENCE_UNFIT": CodeInfo(
        _C, "A reference cannot be given in this way.", "Correct `find_by` and `on_missing_parent` in `fields`."
    ),
    "NOT_FOR_BULK_WRITE": CodeInfo(
        _C, "Bulk write cannot write what is mapped.", "Set `channel` to auto or upsert, or change `fields`."
    ),
    "INVALID_FIELD_OPTION": CodeInfo(_C, "An option of a field does not suit it.", "Check the entry in `fields`."),
    "FIELD_NOT_WRITABLE": CodeInfo(_C, "The field cannot be written.", "Take it out of `fields`."),
}


def family_of(code: str, http_status: int | None = None) -> Family:
    """The family of a code.

    Without a status the code is about one record (or CSV row): an unknown one is DATA. With a status it is about a
    whole request or job: DATA codes then speak of how the request was built, which no record can be blamed for, so
    they are CONFIGURATION; unknown codes go by the status.
    """
    info = CODES.get(code)
    if info is not None:
        blames_record = info.family is Family.DATA
        return Family.CONFIGURATION if blames_record and http_status is not None else info.family
    if http_status is None:
        return Family.DATA
    retriable = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
    if http_status in retriable or http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Family.TRANSIENT
    return Family.CONFIGURATION if http_status >= HTTPStatus.BAD_REQUEST else Family.TRANSIENT


class ZohoError(Exception):
    """A request that failed as a whole. `str()` is one clear line without secrets and record contents."""

    family: ClassVar[Family] = Family.TRANSIENT

    def __init__(self, code: str, message: str, *, http_status: int | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status
        self.field = field


class ConfigurationError(ZohoError):
    """The run stops once and says what to do."""

    family = Family.CONFIGURATION


class QuotaError(ZohoError):
    """Nothing more is sent. `code` CREDIT_BUDGET is our own limit, which ends a run cleanly."""

    family = Family.QUOTA


class TransientError(ZohoError):
    """Tried again in the run already, in vain; due again in the next one."""

    family = Family.TRANSIENT


class UnattributedFailure(TransientError):  # noqa: N818 - as above
    """Zoho refused a whole call and blames nothing in it, so that one of its records may be the cause.

    `plain` is the error that it is where no record is.
    """

    def __init__(self, plain: ZohoError) -> None:
        super().__init__(plain.code, plain.message, http_status=plain.http_status)
        self.plain = plain


class LostAnswer(TransientError):  # noqa: N818 - it is an event of the wire, and is spoken of so
    """The request may have had its effect: no answer came, or none that says."""


class AnswerError(TransientError):
    """An answer that does not fit its request. Nothing of it is believed."""


class Gone(TransientError):  # noqa: N818 - as above
    """The job or its result does not exist (any more): asking again does not help, sending its records does."""


class Stopped(TransientError):  # noqa: N818 - as above
    """The run was asked to stop while it waited."""


_CLASSES: dict[Family, type[ZohoError]] = {
    Family.TRANSIENT: TransientError,
    Family.CONFIGURATION: ConfigurationError,
    Family.QUOTA: QuotaError,
}
_MESSAGE_CHARACTERS = 200  # Zoho's own text, shortened so that the line stays one line


def request_error(
    code: str, *, where: str, said: str = "", http_status: int = HTTPStatus.BAD_REQUEST, field: str | None = None
) -> ZohoError:
    """The right error for a request that Zoho refused as a whole; `where` is "METHOD path", `said` Zoho's text."""
    family = family_of(code, http_status)
    info = CODES.get(code)
    parts = [f"{where}: {code} (HTTP {http_status})"]
    if field:
        parts.append(f"field {field}")
    said = " ".join(said.split())[:_MESSAGE_CHARACTERS]
    if info is not None and info.family is family:
        parts += [info.meaning, info.remedy]
    elif said:
        parts.append(f'Zoho says "{said}".')
        if family is Family.CONFIGURATION:
            parts.append(_REPORT)
    return _CLASSES[family](code, _sentence(parts), http_status=http_status, field=field)


def configuration_error(code: str, what: str, *, field: str | None = None) -> ConfigurationError:
    """A fault of the set-up that we found ourselves: what is wrong here, and the table's remedy."""
    return ConfigurationError(code, f"{what} {CODES[code].remedy}", field=field)


def close_names(name: str, names: Iterable[str]) -> str:
    """A hint like ' Did you mean Orders?', or nothing; compares without regard to case and underscores."""
    plain = {other.lower().replace("_", ""): other for other in names}
    found = difflib.get_close_matches(name.lower().replace("_", ""), plain, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(plain[each] for each in found)}?" if found else ""


def _sentence(parts: list[str]) -> str:
    head, *rest = parts
    return f"{head}: {' '.join(rest)}" if rest else head
