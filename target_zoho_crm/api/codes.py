"""Every code of a refusal: its family, what it means, and what to do about it by what becomes of the order.

The one home of codes: docs and messages are made from it, and nobody else spells one. A new code of ours is a line of
`OwnCode`, one of Zoho's a line of `ZohoCode`. Source of Zoho's: the Zoho CRM v8 API documentation and OpenAPI files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from sync_ledger.codes import LedgerCode
from target_zoho_crm.api.code_kinds import LOOK, USUAL, Code, CodeRow, Place
from target_zoho_crm.api.code_kinds import REPORT as REPORT  # noqa: PLC0414 - part of this module
from target_zoho_crm.api.code_kinds import Family as Family  # noqa: PLC0414
from target_zoho_crm.api.code_kinds import Standing as Standing  # noqa: PLC0414
from target_zoho_crm.api.costs import JOB_COLUMNS, JOB_ZIP_BYTES
from target_zoho_crm.api.scope_names import SCOPES_NEEDED

NEW_GRANT = "make a new one in the API console (Self Client, Generate Code) and enter it before its time is over."

_HTTP = "HTTP_"
_T, _D, _C, _Q = Family.TRANSIENT, Family.DATA, Family.CONFIGURATION, Family.QUOTA
_IF_IT_STAYS = "If it stays, check api_url, and the proxies between here and Zoho."
_TOO_LARGE = f"The zip is larger than {JOB_ZIP_BYTES // 1_000_000} MB."
_TOO_WIDE = f"The CSV has more than {JOB_COLUMNS} columns."
_TOKEN_REFUSED = (
    "Zoho refuses the access token, also after a renewal.",
    "Check data_center, and make a new refresh_token.",
)
_NO_AUTHENTICATION = (  # at times a renewal mends it
    "Zoho finds no valid authentication.",
    "Check api_url and data_center, and that no proxy drops headers.",
)


# fmt: off
class OwnCode(CodeRow):
    """What we find ourselves: most of it before anything is sent, or because nothing can be believed."""

    # A record is refused.
    KEY_CONFLICT = (LedgerCode.KEY_CONFLICT.value, _D,
        "The order's record is another order's too, or Zoho found it by another field than the key, and overwrote it.",
        "Correct the other unique field's value, or make that field not unique, then `orders-sync retry` the order.")
    NOT_IN_CRM = ("NOT_IN_CRM", _D, "The order is to be updated, and the CRM has no record of its key.",
        "Set `operation` to upsert, or create it.")
    TOTAL_DIFFERS = ("TOTAL_DIFFERS", _D, "The CRM computed another total of the order's lines than the order has.",
        "Compare its lines, taxes and discounts; or set `lines.on_total_mismatch` to warn.")
    UNDONE = (LedgerCode.UNDONE.value, _D, "What a run wrote of the order was taken back by `orders-sync undo`.",
        "`orders-sync release RUN` lets the next run write it again.")
    CHANGED_WHILE_HELD = (LedgerCode.CHANGED_WHILE_HELD.value, _D,
        "The order was undone and has come once more since; it is held and was not written.",
        "`orders-sync release RUN` lets the next run write it.")
    # It passes by itself.
    BREAKS_CALLS = (LedgerCode.BREAKS_CALLS.value, _T,
        "Each call that holds the order fails as a whole, and Zoho does not say why; the others of these calls went.",
        "Look at the order's values for what Zoho may not bear; it is tried alone, and parked after max_attempts.",
        "Look at the order's values for what Zoho may not bear.")
    CALL_FAILED = (LedgerCode.CALL_FAILED.value, _T, "A call of several orders failed as a whole, and blames none.",
        "Nothing; the next run goes on to look for the one that fails, and counts no attempt until it is alone.")
    UPLOAD_FAILED = (LedgerCode.UPLOAD_FAILED.value, _T, "A bulk job's file could not be uploaded; other calls went.",
        "Nothing; the next run sends its orders by upsert calls.")
    JOB_NEVER_CREATED = (LedgerCode.JOB_NEVER_CREATED.value, _T,
        "The order's bulk job never reached Zoho: its run died before.", "Nothing; the next run sends the order again.")
    NOT_COLLECTED = (LedgerCode.NOT_COLLECTED.value, _T,
        "A worker left it to the one that comes last, for a full job, and none sent it.",
        "Nothing; the next run sends it.")
    INSERT_UNCONFIRMED = (LedgerCode.INSERT_UNCONFIRMED.value, _T,
        "The order's insert call had no answer, or its run died before it came: it may have had its effect.",
        "Nothing; the next run looks whether the record is there and ours, and inserts it where it is not.",
        "Look whether the CRM has the order.")
    JOB_WITHOUT_RESULT = (LedgerCode.JOB_WITHOUT_RESULT.value, _T,
        "The bulk job ended and left no result that can be read, so nobody knows what became of its rows.",
        "Nothing; the orders are sent again: by one more job, then by calls. The run's log says how the job ended.",
        "Look in the run's log for how the job ended.")
    ALIKE_IN_DOUBT = (LedgerCode.ALIKE_IN_DOUBT.value, _T,
        "Zoho's unique field takes its key for that of another order, whose write had no answer and may land yet.",
        "Nothing; the order is sent once nothing can land any more, and counts no attempt until then.",
        "Change one of the two keys.")
    RECORD_NOT_AS_KNOWN = (LedgerCode.RECORD_NOT_AS_KNOWN.value, _T,
        "The CRM has a record of an order that was taken for new, and fields of it may belong to people.",
        "Nothing; the next run reads the record, and writes by a call what is ours.")
    IN_DOUBT = (LedgerCode.IN_DOUBT.value, _T,
        "The order was written, and another write of it that had no answer may have landed over it since.",
        "Nothing; the next run compares it with the CRM, and writes it once more where it differs.",
        "Look at the order in the CRM.")
    DIFFERS = (LedgerCode.DIFFERS.value, _T,
        "The order was in doubt, and the CRM holds something else, or does not show all of it.",
        "Nothing; the order is written once more.", "Look at the order in the CRM.")
    OVERWRITTEN_BY_TEST = (LedgerCode.OVERWRITTEN_BY_TEST.value, _T,
        "`meltano config test` of an earlier version wrote a made-up name over the order's record.",
        "Nothing; the next run writes the order again.", "Look at the order in the CRM.")
    RESEND_ASKED = (LedgerCode.RESEND_ASKED.value, _T,
        "Somebody asked by `orders-sync resend` for the order to be written once more.",
        "Nothing; the next run writes the order again.", "Look at the order in the CRM.")
    LINES_ASKED = (LedgerCode.LINES_ASKED.value, _T,
        "Somebody asked by `orders-sync audit --repair` for the order's lines to be brought right.",
        "Nothing; the next run writes order and lines by a call, and puts rows of a subform in order.",
        "Look at the order in the CRM.")
    RELEASED = (LedgerCode.RELEASED.value, _T, "The order was undone and held, and `orders-sync release` let it go.",
        "Nothing; the next run writes the order again.", "Look at the order in the CRM.")
    STOPPED_BY_ZOHO = ("STOPPED_BY_ZOHO", _T,
        "Zoho left out the order's row of a bulk job for what is no order's fault, a full storage for one.",
        "Do what the run's last line says; the next run sends the order again.")
    LOST_ANSWER = "LOST_ANSWER", _T, "The connection broke before the answer came."
    NO_CONNECTION = ("NO_CONNECTION", _T, "Zoho could not be reached.",
        "Check network, proxy and the data centre.", "Check network, proxy and the data centre.")
    BAD_ANSWER = "BAD_ANSWER", _T, "The answer does not fit the request, so nothing of it is believed."
    UNCLEAR_ANSWER = "UNCLEAR_ANSWER", _T, "Zoho neither confirmed nor refused the record clearly."
    NOT_IN_RESULT = "NOT_IN_RESULT", _T, "The bulk job's result does not name the order."
    LINES_NOT_WRITTEN = ("LINES_NOT_WRITTEN", _T, "The order is in the CRM; whether its lines are is not known.",
        "Nothing; the order is sent again with all its lines.")
    LINKS_NOT_WRITTEN = ("LINKS_NOT_WRITTEN", _T, "The order is in the CRM; whether its links are is not known.",
        "Nothing; the order is sent again with all its links.")
    CONFLICTING_RESULT = "CONFLICTING_RESULT", _T, "The bulk job's result names the order twice, differently."
    STOPPED = "STOPPED", _T, "The run was asked to stop.", "Start it again."
    # A record is refused.
    MISSING_PARENT = ("MISSING_PARENT", _D,
        "A record that the order names by a value, its customer for one, is not in the CRM.",
        "Create it in the CRM, then `orders-sync retry` the order; or see `on_missing_parent`.")
    # Nothing more goes for now.
    CREDITS_USED_UP = ("CREDITS_USED_UP", _Q, "The org's API credits are used up (rolling 24 hours).",
        "Wait, buy credits, or send fewer orders.")
    CREDIT_BUDGET = ("CREDIT_BUDGET", _Q, "The credits that this run may spend are spent.",
        "Nothing; the next run goes on. Or raise credit_budget, or lower credit_reserve.",
        "Raise credit_budget, or lower credit_reserve.")
    # Someone must change the set-up.
    ORG_NOT_FOUND = "ORG_NOT_FOUND", _C, "The token's user belongs to no CRM org.", "Check data_center and environment."
    INSECURE_URL = "INSECURE_URL", _C, "A URL is not https, and not loopback.", "Use https."
    INVALID_URL = "INVALID_URL", _C, "A configured URL is no URL.", "Write scheme and host: https://host."
    INVALID_TIMEZONE = ("INVALID_TIMEZONE", _C, "There is no such time zone.",
        "Name one as IANA does, e.g. Europe/Berlin.")
    UNKNOWN_DATA_CENTER = "UNKNOWN_DATA_CENTER", _C, "There is no such data centre.", "Check `data_center`."
    HOST_NOT_ALLOWED = ("HOST_NOT_ALLOWED", _C, "Zoho sent us to a host that is neither configured nor Zoho's.",
        "Check api_url and any proxy; where it is Zoho's and has a job's result, name it in `download_hosts`.")
    TLS_FAILED = "TLS_FAILED", _C, "The server's certificate was not accepted.", "Check the URL, proxy and CA bundle."
    KEY_NOT_UNIQUE = ("KEY_NOT_UNIQUE", _C, "The key field is not unique.",
        "In the module's layout editor tick `Do not allow duplicate values`.")
    KEY_NOT_TEXT = ("KEY_NOT_TEXT", _C, "The key field holds no text.",
        "Choose a single-line text field, so that 1 and 01 stay two keys.")
    ONE_MODULE_TWO_STREAMS = ("ONE_MODULE_TWO_STREAMS", _C, "Two streams would overwrite each other's records.",
        "Give each its own module with `streams`, or leave one out of the run.")
    NO_LINES = ("NO_LINES", _C, "The stream does not hold lines where `lines` says.",
        "Set `lines` in the tap's settings too, and the same property in both; `lines` can be set by stream.")
    NO_SETTINGS = ("NO_SETTINGS", _C, "There are no settings, or their file cannot be read.",
        "Set them in the environment or in .env, or name a config file.")
    BAD_PROFILE = ("BAD_PROFILE", _C, "The file that `profile` names is no profile that can be used.",
        "Make it anew by `orders-sync probe`, or leave `profile` away.")
    NO_KEY_FIELD = ("NO_KEY_FIELD", _C, "The module lacks the key field.",
        "`orders-sync init` makes it; or check `key_field`.")
    NO_REFRESH_TOKEN = ("NO_REFRESH_TOKEN", _C, "Zoho took the grant code and gave no refresh token.",
        "Make a new code; of a client that is no Self Client with access_type=offline and prompt=consent.")
    NO_ACK_URL = ("NO_ACK_URL", _C, "Tap and target must share one ledger.",
        "Set `ack_url` to the database where the tap has it: its own `ack_url`, or else the orders' database.")
    SYNC_FLAG_DIFFERS = ("SYNC_FLAG_DIFFERS", _C, "Tap and target must mean the same flag column.",
        "Set `sync_flag_column` of the target to the tap's, or the tap's `unsynced_by` to ack_table.")
    SYNC_FLAG_NOT_WRITABLE = ("SYNC_FLAG_NOT_WRITABLE", _C, "The flag column of the orders' table cannot be written.",
        "Set `orders_url` to the orders' database, as a user who may read the table and update that column.")
    SYNC_FLAG_UNDONE = ("SYNC_FLAG_UNDONE", _C,
        "A trigger answers the flag's update as if the order had changed, so it would be sent for ever.",
        "Let the trigger pass over updates of the flag alone, or set `unsynced_by` to ack_table.")
    UNMAPPED = ("UNMAPPED", _C, "No writable field of the module takes a column, and `on_unmapped` is `fail`.",
        "Map it by `fields`, or leave it out by the tap's `exclude`; `orders-sync init` proposes fields.")
    INSERT_WITH_LINES = ("INSERT_WITH_LINES", _C, "An order whose lines failed could not be inserted again.",
        "Set `operation` to upsert or update, or leave `lines` out.")
    NO_DELETE_FIELD = ("NO_DELETE_FIELD", _C, "No field marks an order as deleted.",
        "Name a field of the module in `delete_field`.")
    NOT_FOR_JOBS = ("NOT_FOR_JOBS", _C, "A bulk write job's request has no place for what is asked.",
        "Leave `channel` at auto, or say in `bulk_automations` what jobs run in your org.")
    KEY_NOT_WRITABLE = ("KEY_NOT_WRITABLE", _C, "The key field cannot be written.",
        "Choose a writable unique text field.")
    AMBIGUOUS_FIELD = "AMBIGUOUS_FIELD", _C, "A name fits two fields, or two names fit one.", "Say which with `fields`."
    REFERENCE_UNFIT = ("REFERENCE_UNFIT", _C, "A reference cannot be given in this way.",
        "Correct `find_by` and `on_missing_parent` in `fields`.")
    NOT_FOR_BULK_WRITE = ("NOT_FOR_BULK_WRITE", _C, "Bulk write cannot write what is mapped.",
        "Set `channel` to auto or upsert, or change `fields`.")
    INVALID_FIELD_OPTION = ("INVALID_FIELD_OPTION", _C, "An option of a field does not suit it.",
        "Check the entry in `fields`.")
    FIELD_NOT_WRITABLE = "FIELD_NOT_WRITABLE", _C, "The field cannot be written.", "Take it out of `fields`."
    # The HTTP status decides.
    GATEWAY_ERROR = ("GATEWAY_ERROR", None, "A gateway before Zoho's API refused the call, in words alone.",
        _IF_IT_STAYS, _IF_IT_STAYS)
    HTTP = ("HTTP_<status>", None, "Zoho, or a gateway before it, answered by this HTTP status alone.",
        _IF_IT_STAYS, _IF_IT_STAYS)
    UNREADABLE = "?", None, "Zoho refused, and gave no code that can be read.", LOOK


class ZohoCode(CodeRow):
    """What Zoho says."""

    # A record is refused.
    INVALID_DATA = "INVALID_DATA", _D, "A value does not fit its field (type, length, or picklist)."
    MANDATORY_NOT_FOUND = "MANDATORY_NOT_FOUND", _D, "A mandatory field has no value."
    DUPLICATE_DATA = ("DUPLICATE_DATA", _D, "Another record holds this value of a unique field.",
        "Merge the records, or correct the value.")
    MULTIPLE_OR_MULTI_ERRORS = "MULTIPLE_OR_MULTI_ERRORS", _D, "Several fields were refused."
    DEPENDENT_FIELD_MISSING = "DEPENDENT_FIELD_MISSING", _D, "A field that another one depends on has no value."
    DEPENDENT_MISMATCH = "DEPENDENT_MISMATCH", _D, "Two dependent fields do not fit each other."
    MAPPING_MISMATCH = "MAPPING_MISMATCH", _D, "A value does not go with that of the field it depends on."
    NOT_APPROVED = ("NOT_APPROVED", _D, "The record waits for an approval in the CRM.",
        "Approve it, then `orders-sync retry` the order.")
    RECORD_IN_BLUEPRINT = ("RECORD_IN_BLUEPRINT", _D, "The record is in a blueprint that forbids the change.",
        "Finish the transition, then `orders-sync retry` the order.")
    BLOCKED_RECORD = ("BLOCKED_RECORD", _D, "The record is blocked in the CRM.",
        "Unblock it, then `orders-sync retry` the order.")
    CANNOT_PROCESS = ("CANNOT_PROCESS", _D, "Zoho could not process the record; a validation rule may be against it.",
        "Look at the module's rules.")
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED", _D, "The record has more entries than Zoho takes."
    NO_PERMISSION = ("NO_PERMISSION", _D, "The API user may not do this.",
        "Give the user's profile the right, then `orders-sync retry` the order.")
    SKIPPED = "SKIPPED", _D, "The bulk job skipped the row and gave no reason.", "Look at the record in the CRM."
    # It passes by itself.
    RECORD_LOCKED = "RECORD_LOCKED", _T, "Someone else is changing the record."
    ALREADY_MODIFIED = ("ALREADY_MODIFIED", _T, "Somebody changed the record while it was to be written.",
        "Nothing; the next run reads the record again, and leaves what people wrote.")
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS", _T, "Too many calls, at once or in a short time."
    INTERNAL_ERROR = "INTERNAL_ERROR", _T, "Zoho failed inside."
    UNPROCESSED = "UNPROCESSED", _T, "The bulk job ended before it tried the row."
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND", _T, "Zoho does not know the job.", "Nothing; its orders are sent again."
    LINK_NOT_VALID = ("LINK_NOT_VALID", _T, "The job's result was deleted (Zoho keeps it for 7 days).",
        "Nothing; its orders are sent again.")
    # Nothing more goes for now.
    ACCESS_DENIED = ("ACCESS_DENIED", _Q, "Zoho gives no more access tokens for a while (at most 10 in 10 minutes).",
        "Run again in ten minutes; let processes share the token cache.")
    LICENSE_LIMIT_EXCEEDED = ("LICENSE_LIMIT_EXCEEDED", _Q, "The org's licence allows no more of this.",
        "Look at the org's licences, or wait until a limit of the day is over.")
    STORAGE_SPACE_EXCEEDED = "STORAGE_SPACE_EXCEEDED", _Q, "The CRM's storage is full.", "Free or buy storage."
    MAX_RECORDS_LIMIT_REACHED = ("MAX_RECORDS_LIMIT_REACHED", _Q, "The CRM holds as many records as it may.",
        "Free or buy storage.")
    # Someone must change the set-up.
    INVALID_TOKEN = "INVALID_TOKEN", _C, *_TOKEN_REFUSED
    INVALID_OAUTHTOKEN = "INVALID_OAUTHTOKEN", _C, *_TOKEN_REFUSED
    AUTHENTICATION_FAILURE = "AUTHENTICATION_FAILURE", _C, *_NO_AUTHENTICATION
    AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED", _C, *_NO_AUTHENTICATION
    OAUTH_SCOPE_MISMATCH = ("OAUTH_SCOPE_MISMATCH", _C, "The refresh token lacks a scope.",
        "Make a new refresh_token with the scopes " + ",".join(SCOPES_NEEDED) + ", by `orders-sync login`.")
    invalid_code = ("invalid_code", _C, "The refresh_token is wrong or was revoked.",
        "Make a new refresh_token by `orders-sync login`.")
    invalid_client = ("invalid_client", _C, "This accounts server does not know the client_id.",
        "Check client_id, and that data_center is where the client was registered.")
    invalid_client_secret = ("invalid_client_secret", _C, "The client_secret does not belong to the client_id.",
        "Copy client_secret again from the API console.")
    invalid_redirect_uri = ("invalid_redirect_uri", _C, "The client was registered with another redirect URI.",
        "Give `orders-sync login` the redirect URI of the client, or use a Self Client.")
    invalid_request = ("invalid_request", _C, "The accounts server misses something in the request.",
        "Check accounts_url.")
    unsupported_grant_type = ("unsupported_grant_type", _C, "The accounts server takes no such grant.",
        "Check accounts_url.")
    REQUIRED_PARAM_MISSING = "REQUIRED_PARAM_MISSING", _C, "The address lacks a parameter."
    INVALID_QUERY = ("INVALID_QUERY", _C, "A query names a module or field that is not there.",
        "Check `find_by` and the modules' names.")
    SYNTAX_ERROR = "SYNTAX_ERROR", _C, "Zoho could not read a query."
    TOKEN_BOUND_DATA_MISMATCH = ("TOKEN_BOUND_DATA_MISMATCH", _C, "A list was asked for with other parameters.",
        "Repeat the command.")
    DISCRETE_PAGINATION_LIMIT_EXCEEDED = ("DISCRETE_PAGINATION_LIMIT_EXCEEDED", _C,
        "Records were read too far by page number.")
    INVALID_MODULE = "INVALID_MODULE", _C, "The org has no such module.", "Check the setting `module`."
    MODULE_NOT_AVAILABLE = "MODULE_NOT_AVAILABLE", _C, "The org has no such module.", "Check the setting `module`."
    FEATURE_NOT_SUPPORTED = ("FEATURE_NOT_SUPPORTED", _C, "The org's edition does not have this feature.",
        "Use another edition, or `channel: upsert`.")
    NOT_SUPPORTED = "NOT_SUPPORTED", _C, "The module does not take part in this API.", "Choose another module."
    INVALID_FIELD = "INVALID_FIELD", _C, "The module has no such field.", "Check `fields` and `key_field`."
    INVALID_FIELD_NAME = "INVALID_FIELD_NAME", _C, "The module has no such field.", "Check `fields` and `key_field`."
    INVALID_FORMAT = "INVALID_FORMAT", _C, "A column's date format was refused."
    MANDATORY_FIELDS_NOT_MAPPED = ("MANDATORY_FIELDS_NOT_MAPPED", _C, "A mandatory field of the layout has no column.",
        "Map every mandatory field with `fields`.")
    MISSING_REQUIRED_KEY = "MISSING_REQUIRED_KEY", _C, "The request lacks a key."
    INVALID_FILE_ID = "INVALID_FILE_ID", _C, "Zoho does not know the uploaded file."
    INVALID_FILE_FORMAT = "INVALID_FILE_FORMAT", _C, "Zoho takes only a zip."
    FILE_NOT_SUPPORTED = "FILE_NOT_SUPPORTED", _C, "Zoho does not take the file."
    FILE_TOO_LARGE = "FILE_TOO_LARGE", _C, _TOO_LARGE, "Lower `bulk_rows`."
    HEADER_LIMIT_EXCEEDED = "HEADER_LIMIT_EXCEEDED", _C, _TOO_WIDE, "Map fewer fields."
    COLUMN_INDEX_NOT_FOUND = "COLUMN_INDEX_NOT_FOUND", _C, "A mapped column is not in the CSV."
    NOT_SUPPORTED_FEATURE = ("NOT_SUPPORTED_FEATURE", _C, "The upload host does not take bulk write files.",
        "Check upload_url.")
    INVALID_CALLBACK_URL = "INVALID_CALLBACK_URL", _C, "Zoho does not take the callback URL.", "Check `callback_url`."
    INVALID_CALLBACK_METHOD = "INVALID_CALLBACK_METHOD", _C, "Zoho does not take the callback method."
    COEXISTENCE_NOT_ALLOWED = "COEXISTENCE_NOT_ALLOWED", _C, "Two keys of the request exclude each other."
    INVALID_URL_PATTERN = "INVALID_URL_PATTERN", _C, "Zoho does not know the address.", "Check api_url and upload_url."
    INVALID_REQUEST_METHOD = ("INVALID_REQUEST_METHOD", _C, "Zoho does not take this method here.",
        "Check api_url and upload_url.")
    NO_RECORDS_FOUND = "NO_RECORDS_FOUND", _C, "No record meets the criteria of a mass update."
    EXPECTED_FIELD_MISSING = "EXPECTED_FIELD_MISSING", _C, "A mass update names no field."
    INVALID_REQUEST = "INVALID_REQUEST", _C, "The request of a bulk read job is not what it should be."
    QUERY_NOT_SUPPORTED = "QUERY_NOT_SUPPORTED", _C, "Bulk read does not take such a query."
    PAGE_NOT_SUPPORTED = "PAGE_NOT_SUPPORTED", _C, "Bulk read has no such page."
    FIELD_NOT_AVAILABLE = "FIELD_NOT_AVAILABLE", _C, "A bulk read job asks for a field that is not there."

NO_SUCH_MODULE = frozenset({ZohoCode.INVALID_MODULE, ZohoCode.MODULE_NOT_AVAILABLE, ZohoCode.NOT_SUPPORTED,
    ZohoCode.INVALID_DATA, ZohoCode.INVALID_URL_PATTERN})
"""What Zoho says to a question about a module's fields where there is no such module."""
JOB_OUTDATED = frozenset({ZohoCode.INVALID_FILE_ID, ZohoCode.INVALID_FIELD, ZohoCode.INVALID_FIELD_NAME,
    ZohoCode.INVALID_FORMAT, ZohoCode.MANDATORY_FIELDS_NOT_MAPPED})
"""Refusals of a dead run's job that no later attempt changes: Zoho forgot its file, or the module is another by now."""
OF_A_GRANT: Mapping[str, str] = {
    ZohoCode.invalid_code: "the grant code is wrong, was used before, or is too old (it lives 3 to 10 minutes); "
        + NEW_GRANT,
    ZohoCode.invalid_client: "no such client_id there; copy it again from the API console, and look at the console's "
        "address: its ending (.com, .eu, .in ...) is the data centre.",
    ZohoCode.invalid_client_secret:
        "the client_secret does not belong to the client_id; copy it again from the API console.",
    ZohoCode.invalid_redirect_uri:
        "the client is none of the kind Self Client; give the redirect URI it was registered with.",
}
"""What these say, and what to do, where a grant code was to become a refresh token: nothing else was tried by then."""

OF_EVERY_CALL = frozenset({ZohoCode.INVALID_TOKEN, ZohoCode.INVALID_OAUTHTOKEN, ZohoCode.AUTHENTICATION_FAILURE,
    ZohoCode.AUTHENTICATION_FAILED, ZohoCode.OAUTH_SCOPE_MISMATCH, ZohoCode.invalid_code, ZohoCode.invalid_client,
    ZohoCode.invalid_client_secret, ZohoCode.invalid_request, ZohoCode.unsupported_grant_type, OwnCode.TLS_FAILED,
    OwnCode.INSECURE_URL, OwnCode.INVALID_URL})
"""Faults of the set-up that no call gets past; another one that is met at one job may be of that job alone."""
# fmt: on

JOB_GONE = frozenset({ZohoCode.RESOURCE_NOT_FOUND, ZohoCode.LINK_NOT_VALID})
"""The job or its result does not come into being by asking again."""
NO_SUCH_RECORD = ZohoCode.INVALID_DATA
"""What Zoho says of an id that leads to no record (any more)."""
NO_SUCH_KEY = ZohoCode.RESOURCE_NOT_FOUND
"""What a bulk update says of a key without a record; elsewhere the code speaks of jobs."""
SUCCESS = "SUCCESS"
"""What Zoho says in place of a code of a refusal."""
# fmt: off
ELSEWHERE: Mapping[tuple[str, Place | None], Code] = {(row.name, place): row for place, row in (
    (Place.ROW, Code(ZohoCode.RESOURCE_NOT_FOUND.value, _D,
        "A record that the order's row names, as itself or in a lookup, is not in the CRM.",
        "Look in the CRM for the records that the order's lookups name, then `orders-sync retry` the order.")),
    (Place.CALL, Code(ZohoCode.RESOURCE_NOT_FOUND.value, _T, "Zoho does not know what the address names.",
        "Nothing; it is tried again. If it stays, check `module` and api_url.", "Check `module` and api_url.")),
    (Place.CALL, Code(ZohoCode.NO_PERMISSION.value, _C, "The API user may not do this.",
        "Give the user's profile the right.")),
    (Place.CALL, Code(ZohoCode.LIMIT_EXCEEDED.value, _C, "The request holds more than Zoho takes at once.", REPORT)),
    (Place.CALL, Code(ZohoCode.INVALID_DATA.value, _C, "Zoho does not take the request as it is built.", REPORT)),
    (Place.CALL, Code(ZohoCode.MANDATORY_NOT_FOUND.value, _C, "The request lacks what Zoho demands.", REPORT)),
    (Place.JOB, Code(ZohoCode.INTERNAL_ERROR.value, _T, "The bulk job failed inside Zoho.", USUAL[_T])),
)}
"""Codes that mean another thing at this place than their own line says."""
_BY_STATUS: Mapping[str, tuple[str, str]] = {
    f"{_HTTP}403": ("Zoho, or a gateway before it, forbids the call.", "Check the API user's profile, and api_url."),
    f"{_HTTP}404": ("Nothing lies at this address.", "Check api_url, and the names of modules in the settings."),
    f"{_HTTP}407": ("A proxy asks for a login.", "Give it to the proxy's address, in HTTPS_PROXY."),
    f"{_HTTP}413": ("A gateway takes no request of this size.", "Raise its limit, or lower `bulk_rows`."),
    f"{_HTTP}429": ("Too many calls, at once or in a short time.", "Nothing; it is tried again."),
}
# fmt: on
CODES: Mapping[str, Code] = {row.value: row.code for rows in (OwnCode, ZohoCode) for row in rows}
"""Every code that is known by its whole name."""


def http_code(status: int) -> str:
    """The code of an answer that has none of its own."""
    return f"{_HTTP}{status}"


def find(code: str | None, place: Place | None = None) -> Code | None:
    """What is known of a code at a place; None where it is none of those that we know."""
    if code is not None and code.startswith(_HTTP):
        meaning, remedy = _BY_STATUS.get(code, (OwnCode.HTTP.code.meaning, OwnCode.HTTP.code.remedy))
        return replace(OwnCode.HTTP.code, name=code, meaning=meaning, remedy=remedy, once_parked=remedy)
    return ELSEWHERE.get((code or "", place)) or CODES.get(code or "")


def place_of(code: str | None, family: Family | None) -> Place:
    """Where an order's code was met, by the family that its ack has: what a whole call or job says blames no order."""
    row = ELSEWHERE.get((code or "", Place.ROW)) or CODES.get(code or "")
    return Place.CALL if row is not None and row.family is _D and family not in (None, _D) else Place.ROW


def advice(code: str | None, standing: Standing, family: Family | None) -> str:
    """What to do about orders of this standing; `family` is that of their acks."""
    return _known(code, standing, family).advice(standing)


def advice_by_hand(code: str | None, standing: Standing, family: Family | None) -> str:
    """The same for orders that came from a file and that no tap sends."""
    return _known(code, standing, family).advice_by_hand(standing)


def _known(code: str | None, standing: Standing, family: Family | None) -> Code:
    known = find(code, place_of(code, family))
    return known or Code("", family, "", USUAL[_T] if standing is Standing.DUE else LOOK)


def family_of(code: str, http_status: int | None = None) -> Family:
    """The family of a code.

    Without a status the code is about one record (or CSV row): an unknown one is DATA. With a status it is about a
    whole request or job: DATA codes then speak of how the request was built, which no record can be blamed for, so
    they are CONFIGURATION; unknown codes go by the status.
    """
    info = CODES.get(code) if http_status is not None else find(code, Place.ROW)
    if info is not None and info.family is not None:
        blames_record = info.family is Family.DATA
        return Family.CONFIGURATION if blames_record and http_status is not None else info.family
    if http_status is None:
        return Family.DATA
    retriable = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
    if http_status in retriable or http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Family.TRANSIENT
    return Family.CONFIGURATION if http_status >= HTTPStatus.BAD_REQUEST else Family.TRANSIENT
