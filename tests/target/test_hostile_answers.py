"""What a server may send to harm us: answers that no reader takes whole, and texts made for our logs and our ledger."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from zoho_clients import MakeClient, credentials_of, mapping, upsert

from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.ledger import Ledger
from sync_ledger.tables import CODE_LENGTH, FIELD_LENGTH, MESSAGE_LENGTH, AckStatus
from target_zoho_crm.api.auth import TokenSource
from target_zoho_crm.api.errors import AnswerError, LostAnswer, TransientError, ZohoError
from target_zoho_crm.api.plain_text import NotJsonError, digits_of, json_of, one_line
from target_zoho_crm.confirmation.outcomes import Outcome, Status, upsert_outcomes
from target_zoho_crm.confirmation.problem_summary import Problems

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - the ledger's moments are naive UTC
DEEP = "[" * 100_000
SUCCESS = {"code": "SUCCESS", "status": "success", "action": "insert", "details": {"id": "1"}}
FORGED = "X\n2026-01-01 | ERROR | forged\x1b[31m"


def outcome(**item: Any) -> Outcome:
    return upsert_outcomes(["J", "K"], ["v", "v"], 207, {"data": [SUCCESS, item]})[1]


@pytest.mark.parametrize("content", [DEEP.encode(), b'{"a":' * 100_000, b'"\xff"', b'"\\ud800"', b"", b"9" * 5000])
def test_what_no_reader_takes_whole_is_no_json(content: bytes) -> None:
    with pytest.raises(NotJsonError):
        json_of(content)


def test_an_answer_nested_without_end_is_no_answer(zoho_emulator: EmulatorProcess, make_client: MakeClient) -> None:
    client = make_client(max_attempts=2)
    made = mapping(client)
    zoho_emulator.admin.add_fault("upsert", kind="answer", status=200, body=DEEP)
    with pytest.raises(AnswerError, match="not JSON"):
        upsert(client, 1, made)


@pytest.mark.parametrize("body", ["", "null", {}, [], {"data": None}, {"data": {}}, "OK"])
def test_an_answer_without_records_is_not_one_that_there_are_none(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, body: Any
) -> None:
    """What stands between us and Zoho may answer with nothing; Zoho itself says that there is nothing by 204."""
    client = make_client(max_attempts=1)
    fault = zoho_emulator.admin.add_fault("coql", kind="answer", status=200, body=body)
    with pytest.raises(AnswerError):
        client.query("select id from Orders where id is not null")
    zoho_emulator.admin.remove_fault(fault)
    assert client.query("select id from Orders where id is not null") == ([], False)


@pytest.mark.parametrize(
    "body",
    [
        {"access_token": "t\r\nX-Other: 1", "expires_in": 3600},
        {"access_token": "té", "expires_in": 3600},
        {"access_token": "t" * 100_000, "expires_in": 3600},
        DEEP,
        {"error": FORGED},
    ],
    ids=["two lines", "no ascii", "too long", "too deep", "forged line"],
)
def test_a_token_that_no_header_can_carry_is_none(zoho_emulator: EmulatorProcess, tmp_path: Path, body: Any) -> None:
    zoho_emulator.admin.add_fault("token", kind="answer", status=200, body=body)
    with pytest.raises(ZohoError) as caught:
        TokenSource(credentials_of(zoho_emulator), zoho_emulator.base_url, tmp_path, first_pause=0.001).token()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("seconds", [10**300, 1e300, -1, 0, None, "x", True])
def test_a_tokens_lifetime_is_at_most_an_hour(zoho_emulator: EmulatorProcess, tmp_path: Path, seconds: Any) -> None:
    body = {"access_token": "a-token", "expires_in": seconds}
    zoho_emulator.admin.add_fault("token", kind="answer", status=200, body=body)
    clock = 1000.0
    source = TokenSource(credentials_of(zoho_emulator), zoho_emulator.base_url, tmp_path, clock=lambda: clock)
    assert source._ask().expires_at <= clock + 3600  # noqa: SLF001 - a token of no seconds is not kept


@pytest.mark.parametrize("zoho_id", ["²", "١٢٣", "1" * 33, "1" * 5000, -5, 10**40, " 1", "1\n", 1.5, True])
def test_an_id_that_is_none_of_zohos_confirms_nothing(zoho_id: Any) -> None:
    made = outcome(code="SUCCESS", status="success", action="insert", details={"id": zoho_id})
    assert (made.status, made.code, made.zoho_id) == (Status.REJECTED, "UNCLEAR_ANSWER", None)


def test_digits_are_ascii_and_bounded() -> None:
    assert (digits_of("5725767000000524157", 32), digits_of(12, 32)) == ("5725767000000524157", "12")
    assert [digits_of(each, 2) for each in ("123", 100, "", None, "1.0", [])] == [None] * 6


@pytest.mark.parametrize("path", [f"$.data[{'9' * 5000}].A", "$.data[00000000000000000000000002].A"])
def test_a_result_that_speaks_of_a_record_far_away_is_believed_in_nothing(path: str) -> None:
    with pytest.raises(AnswerError) as caught:
        outcome(code="INVALID_DATA", status="error", details={"json_path": path})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("left", ["9" * 5000, "²", "-1", "1e9", "nan"])
def test_credits_left_that_are_no_number_are_not_heard(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, left: str
) -> None:
    headers = {"X-API-CREDITS-REMAINING": left.encode("latin-1", "replace").decode("latin-1")}
    zoho_emulator.admin.add_fault("org", kind="answer", status=200, body={"org": [{"zgid": "7"}]}, headers=headers)
    assert make_client().org() == {"zgid": "7"}


@pytest.mark.parametrize("job_id", ["", "1" * 65, "1/../../../settings", FORGED, True, [], -1, 1.5, "é"])
def test_an_id_of_a_job_that_is_none_is_a_lost_answer(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, job_id: Any
) -> None:
    body = {"code": "SUCCESS", "status": "success", "details": {"id": job_id}}
    zoho_emulator.admin.add_fault("bulk_create", kind="answer", status=201, body=body)
    with pytest.raises(LostAnswer):
        make_client().create_job(b"{}")


def test_what_a_server_says_makes_no_line_of_its_own(zoho_emulator: EmulatorProcess, make_client: MakeClient) -> None:
    refusal = outcome(code=FORGED, status="error", message=FORGED, details={"api_name": FORGED})
    problems = Problems()
    problems.note("orders", [refusal])
    zoho_emulator.admin.add_fault(
        "org", kind="answer", status=400, body={"code": FORGED, "status": "error", "message": FORGED}
    )
    with pytest.raises(ZohoError) as caught:
        make_client().org()
    job = {"status": "FAILED", "code": FORGED, "resource": [{"code": FORGED}]}
    zoho_emulator.admin.add_fault("bulk_poll", kind="answer", status=200, body=job)
    texts = [*problems.lines(), str(caught.value), caught.value.code, f"{make_client().job('1').code}"]
    texts += [f"{refusal.code}", f"{refusal.field}", f"{refusal.message}"]
    for text in texts:
        assert text.isprintable(), repr(text)
        assert "forged" in text


def test_a_link_in_an_answer_makes_no_line_either(make_client: MakeClient, tmp_path: Path) -> None:
    for link in ("https://evil.example/\nforged", f"https://{'e' * 4000}.example/"):
        with pytest.raises(ZohoError) as caught:
            make_client().download(link, tmp_path / "result.zip")
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 800


def test_one_line_is_short_and_keeps_what_is_fine() -> None:
    assert one_line("a  b", 10) == "a  b"
    assert one_line("a\n\0b\u202ec" + "d" * 100, 8) == "a ?b?cdd"


@pytest.mark.parametrize("letter", ["x", "\0", "😀", "\n"])
def test_what_the_ledger_keeps_of_an_answer_is_bounded_and_taken_by_every_engine(engine_url: str, letter: str) -> None:
    hostile = letter * 100_000
    details = {"api_name": hostile, "expected_data_type": hostile, "id": "1"}
    made = [
        outcome(code=f"A{hostile}", status="error", message=hostile, details=details),
        outcome(code="SUCCESS", status="success", action=f"insert{hostile}", details=details),
    ]
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    acks = [
        Ack("orders", f"K{n}", "v", AckStatus.REJECTED, NOON, zoho_id=each.zoho_id, action=each.action,
            error_code=each.code, error_field=each.field, error_message=each.message)
        for n, each in enumerate(made)
    ]  # fmt: skip
    table = ledger.tables.ack
    with ledger.begin() as connection:
        write_acks(connection, table, Acks.of(acks))
        refused, written = connection.execute(sa.select(table).order_by(table.c.record_key)).all()
    ledger.close()
    assert 0 < len(refused.error_code) <= CODE_LENGTH
    assert len(refused.error_field or "") <= FIELD_LENGTH
    assert len(refused.error_message or "") <= MESSAGE_LENGTH
    assert (written.zoho_id, written.action) == ("1", None)


def test_a_server_that_sends_tokens_without_end_is_not_read_to_its_end(
    zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    body = {"access_token": "t", "filler": "x" * 3_000_000}
    zoho_emulator.admin.add_fault("token", kind="answer", status=200, body=body)
    with pytest.raises(TransientError):
        TokenSource(credentials_of(zoho_emulator), zoho_emulator.base_url, tmp_path, first_pause=0.001).token()
