"""Switches: where nobody has proved how the live service behaves, the emulator offers each way.

A client has to survive every position. The defaults follow the current documentation; a fault of kind `switch`
turns one for a single request, the admin API for all of them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Switches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every open question, with the position it is in."""

    # Every call
    module_names: Literal["exact", "any_case"] = "exact"  # in addresses; v2 takes any case
    insert_status: Literal[200, 201] = 200  # of plain inserts; the files differ, v2 was seen with 201
    # Upsert
    too_many_records: Literal["INVALID_DATA", "LIMIT_EXCEEDED"] = "INVALID_DATA"
    request_errors: Literal["flat", "in_data"] = "flat"
    all_failed_status: Literal[200, 202, 400] = 400
    same_key_twice: Literal["update", "refuse"] = "update"
    repeated_links: Literal["once", "again"] = "once"  # what a link that is there already becomes, by calls and jobs
    unknown_keys: Literal["ignore", "refuse"] = "ignore"
    duplicate_checks: Literal["all", "named"] = "all"  # unique fields behind those of `duplicate_check_fields`
    duplicate_named: Literal["first", "last", "all"] = "first"  # of several unique fields whose values others hold
    duplicate_field_on_insert: Literal["null", "absent", "name"] = "null"
    duplicate_field_on_update: Literal["name", "null", "absent"] = "name"
    details_spelling: Literal["title", "lower"] = "title"  # Created_Time of a success's details; v2 wrote created_time
    ids: Literal["text", "number"] = "text"  # of records, jobs and files in answers to writes; 19 digits fit no float
    bigint_numbers: Literal["accept", "refuse"] = "accept"  # the official SDK sends numbers, the documents strings
    numbers_as_text: Literal["refuse", "accept"] = "refuse"
    datetime_without_offset: Literal["org_zone", "utc", "refuse"] = "org_zone"  # taken; in whose zone nobody says
    lookup_by_name: Literal["refuse", "take"] = "refuse"  # {"name": ..} for a lookup, seen for accounts
    unknown_id: Literal["flat", "in_data"] = "flat"  # of a PUT to one record: an error of the request, or of the record
    limits_as: Literal["number", "text"] = "number"  # `maximum_length` in details; the files differ
    datetime_z: Literal["accept", "refuse"] = "accept"  # `Z` for an offset; Zoho's TypeScript SDK sends only that
    excess_decimals: Literal["refuse", "round", "keep"] = "refuse"
    line_discount: Literal["amount", "percent_too"] = "amount"  # of a line item: whether "5%" is taken
    last_line_item: Literal["keep", "delete"] = "keep"  # whether an update may take away all line items
    owner_by_email: Literal["refuse", "accept"] = "refuse"  # {"email": ..} for a user, in place of his id
    validation_rule_code: Literal["CANNOT_PROCESS", "INVALID_DATA"] = "CANNOT_PROCESS"
    dependency_code: Literal["DEPENDENT_MISMATCH", "MAPPING_MISMATCH"] = "DEPENDENT_MISMATCH"
    # Searching and counting
    search_lag_seconds: int = 5  # how long a search does not see a change; nobody says how long it takes
    search_equals: Literal["contains", "exact"] = "contains"  # of text
    counts: Literal["text", "number"] = "text"  # the OpenAPI files type a count as text, the samples show a number
    # Limits
    retry_after: int | None = None  # seconds in a Retry-After header of a 429; None sends no such header
    too_many_requests_body: Literal["flat", "in_data", "empty"] = "flat"
    credits_header: Literal["past_half", "always", "never"] = "past_half"
    cost_upload: int = 0
    cost_bulk_poll: int = 0
    cost_bulk_result: int = 0
    wrong_method_status: Literal[400, 405] = 400  # the pages of the endpoints say 400, the list of statuses 405
    # OAuth and metadata
    unauthorized_code: Literal[
        "INVALID_TOKEN", "AUTHENTICATION_FAILURE", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILED"
    ] = "INVALID_TOKEN"  # what an unknown, ended or revoked access token is called
    answers_scope: Literal["present", "absent"] = "absent"
    unique_spelling: Literal["case_sensitive", "casesensitive"] = "case_sensitive"
    zgid: str = "60012345678"  # the org's number: another one is another org
    time_zone: str = "UTC"  # an IANA name; date-times are answered in it, and bulk cells without offset read in it
    # Upload and bulk write
    upload_errors: Literal["code", "gateway"] = "code"
    upload_details: Literal["full", "short"] = "full"
    file_error_status: Literal[400, 200] = 400  # of INVALID_FILE_FORMAT
    file_too_large: Literal[413, 400] = 413
    ignore_empty_at: Literal["both", "request", "resource"] = "both"  # where a bulk request's `ignore_empty` counts
    bulk_duplicate_checks: Literal["named", "all"] = "named"  # unique fields behind `find_by`
    bulk_checks_at: Literal["create", "job"] = "create"
    max_rows: int = 25_000
    child_rows: int = 200  # rows of a subform, by Zoho's page on limits
    child_rows_per: Literal["file", "parent", "zip"] = "file"  # or of each record, or in a zip with the parent alone
    line_items_in_job: Literal["demand", "later"] = "demand"  # of new records of a job, in its own zip
    line_tax_cells: Literal["refuse", "names"] = "refuse"  # taxes of line items in a CSV
    rows_of_skipped: Literal["refuse", "add"] = "refuse"  # rows in the zip of a record that is there, by an insert
    child_results: Literal["own_csv", "none"] = "own_csv"  # whether a result has a CSV for the rows in the zip too
    max_read_rows: int = 200_000  # of a bulk read job's file
    default_date_format: str = "yyyy-MM-dd"
    default_datetime_format: str = "yyyy-MM-dd'T'HH:mm:ssXXX"
    bulk_unknown_fields: Literal["refuse", "ignore"] = "refuse"
    job_not_found: Literal[400, 404] = 400
    job_status_word: Literal["INPROGRESS", "IN PROGRESS"] = "INPROGRESS"  # of the job; a resource says "IN PROGRESS"
    job_counts: Literal["present", "late", "missing"] = "late"
    bulk_automations: Literal["none", "all"] = "none"  # a job has no `trigger`; nobody documents what runs
    all_rows_skipped: Literal["COMPLETED", "SKIPPED"] = "COMPLETED"
    download_url: Literal["elsewhere", "relative", "absolute", "double_slash"] = "elsewhere"  # on which host, and how
    result_columns: Literal["index", "mapping"] = "index"
    result_names: Literal["header", "api_name"] = "header"
    result_status: Literal["lower", "upper", "title"] = "lower"


def changed(switches: Switches, changes: dict[str, Any]) -> Switches:
    """The switches with some turned; raises msgspec.ValidationError for an unknown switch or position."""
    return msgspec.convert({**msgspec.structs.asdict(switches), **changes}, Switches)


def rendered_id(given: int, switches: Switches) -> str | int:
    """An id as the answer to a write shows it."""
    return given if switches.ids == "number" else str(given)
