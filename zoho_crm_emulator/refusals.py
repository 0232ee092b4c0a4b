"""What the API says when it will not take something: record errors and request errors, in Zoho's shape."""

from __future__ import annotations

from typing import Any

MESSAGES = {
    "INVALID_DATA": "invalid data",
    "MANDATORY_NOT_FOUND": "required field not found",
    "DUPLICATE_DATA": "duplicate data",
    "MULTIPLE_OR_MULTI_ERRORS": "multiple errors in the record",
    "DEPENDENT_FIELD_MISSING": "Dependent Fields missing",
    "DEPENDENT_MISMATCH": "dependent mismatch",
    "MAPPING_MISMATCH": "dependent mismatch",
    "NOT_APPROVED": "record not approved",
    "ALREADY_MODIFIED": "the record has been modified",
    "RECORD_LOCKED": "The record under merge is locked",
    "RECORD_IN_BLUEPRINT": "The record is in blue print",
    "CANNOT_PROCESS": "Field cannot be updated as it is associated with a validation rule.",
    "LIMIT_EXCEEDED": "Record count exceeded",
    "STORAGE_SPACE_EXCEEDED": "storage space exceeded",
    "INVALID_MODULE": "The module name given seems to be invalid",
    "INVALID_TOKEN": "invalid oauth token",
    "AUTHENTICATION_FAILURE": "Authentication failed",
    "INVALID_OAUTHTOKEN": "invalid oauth token",
    "AUTHENTICATION_FAILED": "Authentication failed",
    "OAUTH_SCOPE_MISMATCH": "invalid oauth scope to access this URL",
    "INVALID_URL_PATTERN": "Please check if the URL trying to access is a correct one",
    "INVALID_REQUEST_METHOD": "The http request method type is not a valid one",
    "REQUIRED_PARAM_MISSING": "One of the expected parameter is missing",
    "TOO_MANY_REQUESTS": "too many requests",
    "INTERNAL_ERROR": "Internal server error occurred.",
    "RESOURCE_NOT_FOUND": "The requested resource doesn't exist.",
    "INVALID_FILE_FORMAT": "invalid file format. only zip format is supported",
    "FILE_TOO_LARGE": "File size too large to process",
    "FILE_NOT_SUPPORTED": "File not supported for bulk write",
    "INVALID_FILE_ID": "improper file id",
    "MANDATORY_FIELDS_NOT_MAPPED": "All mandatory fields are not mapped for the layout",
    "MAX_RECORDS_LIMIT_REACHED": "maximum number of records reached",
    "INVALID_CALLBACK_URL": "the callback url is invalid",
    "INVALID_CALLBACK_METHOD": "the callback method is invalid",
    "HEADER_LIMIT_EXCEEDED": "the number of headers exceeds the limit",
    "COLUMN_INDEX_NOT_FOUND": "the column index is not found in the file",
    "MISSING_REQUIRED_KEY": "a required key is not found in request body.",
    "MODULE_NOT_AVAILABLE": "the requested module is not available.",
    "INVALID_FIELD": "invalid mapping. invalid api_name.",
    "INVALID_FORMAT": "invalid format",
    "NOT_SUPPORTED_FEATURE": "the feature is not supported",
    "INVALID_QUERY": "invalid query formed",
    "SYNTAX_ERROR": "error occurred while parsing the query",
    "NOT_SUPPORTED": "not supported",
    "NO_RECORDS_FOUND": "no record found to update",
    "EXPECTED_FIELD_MISSING": "Specify Atleast one field",
    "INVALID_REQUEST": "the request is invalid",
    "QUERY_NOT_SUPPORTED": "the query is not supported",
    "PAGE_NOT_SUPPORTED": "the page is not supported",
    "FIELD_NOT_AVAILABLE": "the field is not available",
    "LICENSE_LIMIT_EXCEEDED": "license limit exceeded",
    "FEATURE_NOT_SUPPORTED": "the feature is not supported in the edition",
    "NO_PERMISSION": "permission denied",
    "TOKEN_BOUND_DATA_MISMATCH": "the page token belongs to other parameters",
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED": "only the first 2000 records can be read by page",
}
# What the token endpoint says in `error`, nearly always under status 200.
TOKEN_ERRORS = ("invalid_code", "invalid_client", "invalid_client_secret", "invalid_request", "unsupported_grant_type")
# What is said in other words than a code: by a token endpoint asked too often, and for a deleted result.
SPOKEN = {"ACCESS_DENIED": "Access Denied", "LINK_NOT_VALID": "Link not valid"}
# STATUS of a row of a job's result that says neither added nor updated; `skipped` nearly always comes with a code.
ROW_STATUSES = {"SKIPPED": "skipped", "UNPROCESSED": "unprocessed"}


def every_code() -> frozenset[str]:
    """Every code that the emulator can give by itself; a fault gives whatever code it is asked to."""
    return frozenset({*MESSAGES, *TOKEN_ERRORS, *SPOKEN, *ROW_STATUSES})


def problem(code: str, message: str | None = None, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """One error object: `{code, details, message, status}`."""
    return {
        "code": code,
        "details": details if details is not None else {},
        "message": message if message is not None else MESSAGES.get(code, code.lower().replace("_", " ")),
        "status": "error",
    }


class Refused(Exception):  # noqa: N818 - the noun of this API: a value or record it refused
    """A value, a record or a whole request is not taken; carries what the answer will say."""

    def __init__(
        self, code: str, details: dict[str, Any] | None = None, message: str | None = None, status: int = 400
    ) -> None:
        super().__init__(code)
        self.code = code
        self.details = details or {}
        self.message = message
        self.status = status

    def as_problem(self, **details: Any) -> dict[str, Any]:
        """The error object, with more details put to it."""
        return problem(self.code, self.message, {**self.details, **details})


def together(wrong: list[Refused]) -> Refused:
    """Several refusals of one record as one."""
    if len(wrong) == 1:
        return wrong[0]
    return Refused("MULTIPLE_OR_MULTI_ERRORS", {"errors": [refusal.as_problem() for refusal in wrong]})


def by_code(refusal: Refused) -> dict[str, list[str]]:
    """The fields of a refusal under each of its codes, as a bulk write result lists them."""
    told: dict[str, list[str]] = {}
    errors = refusal.details.get("errors")
    parts = [(one["code"], one["details"]) for one in errors] if errors else [(refusal.code, refusal.details)]
    for code, details in parts:
        names = told.setdefault(code, [])
        if details.get("api_name"):
            names.append(details["api_name"])
    return told
