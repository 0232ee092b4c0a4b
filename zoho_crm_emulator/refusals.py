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
    "NOT_APPROVED": "record not approved",
    "RECORD_LOCKED": "The record under merge is locked",
    "RECORD_IN_BLUEPRINT": "The record is in blue print",
    "CANNOT_PROCESS": "Field cannot be updated as it is associated with a validation rule.",
    "LIMIT_EXCEEDED": "Record count exceeded",
    "STORAGE_SPACE_EXCEEDED": "storage space exceeded",
    "INVALID_MODULE": "The module name given seems to be invalid",
    "INVALID_TOKEN": "invalid oauth token",
    "AUTHENTICATION_FAILURE": "Authentication failed",
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
}


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
