from __future__ import annotations

from typing import Any

import pytest

from target_zoho_crm.api.codes import Family
from target_zoho_crm.api.errors import AnswerError, ConfigurationError, QuotaError, TransientError
from target_zoho_crm.confirmation.outcomes import Outcome, Status, upsert_outcomes


def success(zoho_id: object = "5725767000000524157", action: str = "insert", **more: Any) -> dict[str, Any]:
    return {"code": "SUCCESS", "status": "success", "action": action, "details": {"id": zoho_id}, **more}


def error(code: str, **details: Any) -> dict[str, Any]:
    return {"code": code, "status": "error", "message": "no", "details": details}


def outcomes(*items: object, status: int = 207) -> list[Outcome]:
    keys = [f"K{n}" for n in range(len(items))]
    return upsert_outcomes(keys, [f"v{n}" for n in range(len(items))], status, {"data": list(items)})


def test_every_record_gets_its_own_outcome_in_its_place() -> None:
    made = outcomes(
        success(),
        error("INVALID_DATA", api_name="Status", json_path="$.data[1].Status", maximum_length=120),
        success(5725767000000524158, "update"),
    )
    assert [each.key for each in made] == ["K0", "K1", "K2"]
    assert [each.version for each in made] == ["v0", "v1", "v2"]
    assert [each.status for each in made] == [Status.SYNCED, Status.REJECTED, Status.SYNCED]
    assert [each.zoho_id for each in made] == ["5725767000000524157", None, "5725767000000524158"]
    assert [each.action for each in made] == ["insert", None, "update"]
    assert (made[1].code, made[1].field, made[1].family) == ("INVALID_DATA", "Status", Family.DATA)
    assert "maximum_length 120" in (made[1].message or "")


def test_a_400_with_results_is_read_record_by_record() -> None:
    made = outcomes(error("MANDATORY_NOT_FOUND", api_name="Name"), error("RECORD_LOCKED"), status=400)
    assert [each.family for each in made] == [Family.DATA, Family.TRANSIENT]
    assert all(each.status is Status.REJECTED for each in made)


@pytest.mark.parametrize(
    "item",
    [
        success(None),
        success(""),
        success(zoho_id=True),
        success("not an id"),
        {"code": "SUCCESS", "status": "success"},
        {"code": "SUCCESS", "status": "success", "details": []},
        success(status="error"),
        {**success(), "code": "DUPLICATE_DATA"},
        {"status": "success", "details": {"id": "1"}},
        {},
        None,
        "SUCCESS",
    ],
)
def test_a_success_that_is_not_beyond_doubt_is_none(item: object) -> None:
    made = outcomes(success(), item, status=200)[1]
    assert made.status is Status.REJECTED
    assert made.family is Family.TRANSIENT
    assert made.zoho_id is None


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_answer_with_another_count_is_believed_in_nothing(count: int) -> None:
    with pytest.raises(AnswerError):
        upsert_outcomes(["A", "B"], ["1", "1"], 200, {"data": [success()] * count})


@pytest.mark.parametrize("body", [None, "OK", [], {}, {"data": {}}, {"data": "x"}, {"code": "SUCCESS"}])
def test_a_2xx_without_results_is_no_success(body: object) -> None:
    with pytest.raises(TransientError):
        upsert_outcomes(["A", "B"], ["1", "1"], 200, body)


def test_a_result_that_speaks_of_another_record_is_believed_in_nothing() -> None:
    with pytest.raises(AnswerError):
        outcomes(success(), error("INVALID_DATA", json_path="$.data[0].Status"))


FLAT = error("INVALID_MODULE", api_name="Ordrs")


@pytest.mark.parametrize("body", [FLAT, {"data": FLAT}, {"data": [FLAT]}, [FLAT]])
def test_a_refused_call_raises_and_blames_no_record(body: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        upsert_outcomes(["A", "B"], ["1", "1"], 400, body)
    assert caught.value.code == "INVALID_MODULE"


def test_a_refused_call_with_one_record_blames_it_no_more_than_with_two() -> None:
    with pytest.raises(ConfigurationError):
        upsert_outcomes(["A"], ["1"], 400, {"data": [FLAT]})
    with pytest.raises(QuotaError):
        upsert_outcomes(["A"], ["1"], 400, error("MAX_RECORDS_LIMIT_REACHED"))
    with pytest.raises(ConfigurationError):
        upsert_outcomes(["A"], ["1"], 400, error("INVALID_DATA", maximum_length=100, json_path="$.data"))


def test_records_beyond_the_storage_stay_unsynced_beside_those_that_were_written() -> None:
    made = outcomes(success(), error("STORAGE_SPACE_EXCEEDED"))
    assert [each.status for each in made] == [Status.SYNCED, Status.UNSYNCED]
    assert made[1].family is Family.QUOTA


def test_several_errors_of_one_record_are_joined() -> None:
    same = [error("INVALID_DATA", api_name="A"), error("INVALID_DATA", api_name="B")]
    mixed = [error("INVALID_DATA", api_name="A"), error("RECORD_LOCKED", api_name="B")]
    locked = [error("RECORD_LOCKED")]
    made = outcomes(*(error("MULTIPLE_OR_MULTI_ERRORS", errors=each) for each in (same, mixed, locked)))
    assert [(each.code, each.field) for each in made] == [
        ("INVALID_DATA", "A,B"),
        ("MULTIPLE_OR_MULTI_ERRORS", "A,B"),
        ("RECORD_LOCKED", None),
    ]
    assert [each.family for each in made] == [Family.DATA, Family.DATA, Family.TRANSIENT]


def test_the_field_is_found_in_the_path_too() -> None:
    made = outcomes(error("INVALID_DATA", json_path="$.data[0].Ship_To.City"))
    assert made[0].field == "Ship_To.City"


def found_by(name: object, action: str = "update") -> Outcome:
    """The outcome of an order whose answer names this field as the one by which it was found."""
    body = {"data": [{**success(), "action": action, "duplicate_field": name}]}
    (outcome,) = upsert_outcomes(["A"], ["1"], 200, body, key_field="parent_id")
    return outcome


@pytest.mark.parametrize("name", [None, "", "parent_id", "Parent_Id", 7, ["Email"]])
def test_a_record_found_by_the_key_or_by_no_named_field_is_a_success(name: object) -> None:
    assert found_by(name).status is Status.SYNCED


def test_a_record_found_by_another_field_is_a_conflict_and_names_it() -> None:
    outcome = found_by("Email")
    assert (outcome.status, outcome.code, outcome.field) == (Status.REJECTED, "KEY_CONFLICT", "Email")
    assert (outcome.zoho_id, outcome.family) == (None, Family.DATA)
    assert outcome.conflict_id is not None
    assert outcome.conflict_id in (outcome.message or "")


def test_a_new_record_is_its_own_whatever_field_is_named() -> None:
    assert found_by("Email", action="insert").status is Status.SYNCED
