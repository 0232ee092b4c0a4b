from __future__ import annotations

import pytest

from target_zoho_crm.api.codes import CODES, Family, family_of
from target_zoho_crm.api.errors import (
    ConfigurationError,
    QuotaError,
    Stopped,
    TransientError,
    ZohoError,
    close_names,
    request_error,
)

# Every code that Zoho's pages name, so that none goes without a meaning.
CONTRACT_CODES = [
    "invalid_code",
    "invalid_client",
    "invalid_client_secret",
    "INVALID_TOKEN",
    "AUTHENTICATION_FAILURE",
    "INVALID_OAUTHTOKEN",
    "AUTHENTICATION_FAILED",
    "OAUTH_SCOPE_MISMATCH",
    "INVALID_DATA",
    "MANDATORY_NOT_FOUND",
    "DUPLICATE_DATA",
    "MULTIPLE_OR_MULTI_ERRORS",
    "DEPENDENT_FIELD_MISSING",
    "DEPENDENT_MISMATCH",
    "NOT_APPROVED",
    "RECORD_LOCKED",
    "RECORD_IN_BLUEPRINT",
    "CANNOT_PROCESS",
    "LIMIT_EXCEEDED",
    "STORAGE_SPACE_EXCEEDED",
    "MAX_RECORDS_LIMIT_REACHED",
    "NOT_SUPPORTED_FEATURE",
    "INVALID_FILE_FORMAT",
    "FILE_TOO_LARGE",
    "MANDATORY_FIELDS_NOT_MAPPED",
    "MISSING_REQUIRED_KEY",
    "INVALID_FIELD",
    "INVALID_FORMAT",
    "INVALID_FILE_ID",
    "FILE_NOT_SUPPORTED",
    "HEADER_LIMIT_EXCEEDED",
    "COLUMN_INDEX_NOT_FOUND",
    "MODULE_NOT_AVAILABLE",
    "INVALID_CALLBACK_URL",
    "INVALID_CALLBACK_METHOD",
    "RESOURCE_NOT_FOUND",
    "TOO_MANY_REQUESTS",
    "INTERNAL_ERROR",
    "INVALID_MODULE",
]


@pytest.mark.parametrize("code", CONTRACT_CODES)
def test_every_code_of_the_contract_has_a_meaning_and_a_remedy(code: str) -> None:
    info = CODES[code]
    assert info.meaning.endswith(".")
    assert info.remedy.endswith(".")


@pytest.mark.parametrize(
    ("code", "record", "request_"),
    [
        ("INVALID_DATA", Family.DATA, Family.CONFIGURATION),
        ("RECORD_LOCKED", Family.TRANSIENT, Family.TRANSIENT),
        ("STORAGE_SPACE_EXCEEDED", Family.QUOTA, Family.QUOTA),
        ("INVALID_MODULE", Family.CONFIGURATION, Family.CONFIGURATION),
        ("NEVER_HEARD_OF", Family.DATA, Family.CONFIGURATION),
    ],
)
def test_a_whole_request_that_is_refused_never_blames_a_record(code: str, record: Family, request_: Family) -> None:
    assert family_of(code) is record
    assert family_of(code, 400) is request_


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (408, Family.TRANSIENT),
        (429, Family.TRANSIENT),
        (500, Family.TRANSIENT),
        (503, Family.TRANSIENT),
        (200, Family.TRANSIENT),
        (400, Family.CONFIGURATION),
        (403, Family.CONFIGURATION),
    ],
)
def test_an_unknown_request_error_goes_by_its_status(status: int, family: Family) -> None:
    assert family_of("NEVER_HEARD_OF", status) is family


def test_an_error_is_one_line_that_says_what_and_where_and_what_to_do() -> None:
    error = request_error("OAUTH_SCOPE_MISMATCH", where="POST /crm/v8/upload", said="invalid\nscope", http_status=401)
    assert isinstance(error, ConfigurationError)
    assert "\n" not in str(error)
    assert "POST /crm/v8/upload" in str(error)
    assert "ZohoFiles.files.ALL" in str(error)
    assert isinstance(request_error("MAX_RECORDS_LIMIT_REACHED", where="x"), QuotaError)
    assert isinstance(request_error("HTTP_502", where="x", http_status=502), TransientError)


def test_a_stop_is_no_failure_that_is_tried_again() -> None:
    assert issubclass(Stopped, ZohoError)
    assert not issubclass(Stopped, (TransientError, QuotaError, ConfigurationError))


def test_a_misspelt_name_is_answered_with_close_ones() -> None:
    assert "Orders" in close_names("orders_", ["Accounts", "Orders", "Contacts"])
    assert close_names("zzz", ["Accounts"]) == ""
