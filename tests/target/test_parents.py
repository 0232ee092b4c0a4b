"""Parents found by a value: asked for once, whoever wants them; what is found, missing, doubled or made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from zoho_clients import MakeClient, asked

from sync_ledger.retry_schedules import MISSING_PARENT_SECONDS
from sync_ledger.sent_writes import SentWrite
from sync_ledger.writes_under_way import WriteKind
from target_zoho_crm.api.calls import Fence
from target_zoho_crm.api.errors import TransientError
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.confirmation.outcomes import Outcome
from target_zoho_crm.mapping.references import ParentKind
from target_zoho_crm.writing import lookup_directory
from target_zoho_crm.writing.lookup_directory import Begin, LookupDirectory, NotOne

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

BY_LEGACY_ID = ParentKind("Accounts", Field("Legacy_Id", "text", unique=True), named_alike=("Account_Name",))
BY_NAME = ParentKind("Accounts", Field("Account_Name", "text"))


class Clock:
    """A clock that stands until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Four threads for the questions."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(make_client: MakeClient, clock: Clock) -> LookupDirectory:
    return LookupDirectory(make_client(), BY_LEGACY_ID, clock)


def put(emulator: EmulatorProcess, *legacy_ids: str) -> dict[str, str]:
    """Put accounts into the CRM; their ids by legacy id."""
    emulator.admin.put_records("Accounts", [{"Account_Name": "Some", "Legacy_Id": each} for each in legacy_ids])
    return {record["Legacy_Id"]: record["id"] for record in emulator.admin.records("Accounts")}


def test_threads_that_want_the_same_parents_ask_once(
    zoho_emulator: EmulatorProcess, directory: LookupDirectory, begin: Begin
) -> None:
    ids = put(zoho_emulator, *(f"C-{n}" for n in range(200)))
    zoho_emulator.admin.settings(call_seconds={"coql": 0.2})
    together = threading.Barrier(8)

    def want(_: int) -> object:
        together.wait()
        return directory.look_up(list(ids), begin)

    with ThreadPoolExecutor(8) as others:
        assert list(others.map(want, range(8))) == [ids] * 8
    assert asked(zoho_emulator, "coql") == 4


def test_spellings_that_zoho_takes_for_one_are_one_parent(
    zoho_emulator: EmulatorProcess, directory: LookupDirectory, begin: Begin
) -> None:
    ids = put(zoho_emulator, "Straße 7")
    assert directory.look_up(["straße 7", "STRASSE 7"], begin) == dict.fromkeys(
        ["straße 7", "STRASSE 7"], ids["Straße 7"]
    )


def test_a_missing_parent_is_believed_for_a_minute_and_looked_for_again_before_it_is_made(
    zoho_emulator: EmulatorProcess, directory: LookupDirectory, begin: Begin, clock: Clock
) -> None:
    assert directory.look_up(["New"], begin) == {"New": NotOne.NONE}
    ids = put(zoho_emulator, "New")
    assert directory.look_up(["new"], begin) == {"new": NotOne.NONE}
    assert asked(zoho_emulator, "coql") == 1
    assert directory.look_up(["New"], begin, misses_count=False) == ids

    assert directory.look_up(["Later"], begin) == {"Later": NotOne.NONE}
    ids = put(zoho_emulator, "Later")
    clock.now += MISSING_PARENT_SECONDS + 1
    assert directory.look_up(["New", "Later"], begin) == ids
    assert asked(zoho_emulator, "coql") == 4


def test_a_question_that_fails_spoils_no_other_one_and_is_asked_again(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, begin: Begin
) -> None:
    ids = put(zoho_emulator, *(f"C-{n:03}" for n in range(100)))
    directory = LookupDirectory(make_client(max_attempts=1), BY_LEGACY_ID)
    zoho_emulator.admin.add_fault("coql", kind="answer", canned="bad_gateway", times=1)
    found = directory.look_up(list(ids), begin)
    failed = [value for value, answer in found.items() if isinstance(answer, TransientError)]
    assert len(failed) == 50
    assert {value: found[value] for value in ids if value not in failed} == {
        value: ids[value] for value in ids if value not in failed
    }
    assert directory.look_up(list(ids), begin) == ids
    assert asked(zoho_emulator, "coql") == 3


def test_memory_is_bounded_and_what_is_forgotten_is_asked_again(
    zoho_emulator: EmulatorProcess, directory: LookupDirectory, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_directory, "KNOWN_MOST", 60)
    ids = put(zoho_emulator, *(f"C-{n}" for n in range(200)))
    assert directory.look_up(list(ids), begin) == ids
    assert directory.look_up(list(ids), begin) == ids
    assert asked(zoho_emulator, "coql") == 4 + 3  # 140 were forgotten


def test_all_pages_are_read_where_many_parents_share_a_name(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, begin: Begin
) -> None:
    names = [f"Twin {n:02}" for n in range(49)]
    accounts = [{"Account_Name": name} for _ in range(5) for name in names] + [{"Account_Name": "Last"}]
    zoho_emulator.admin.put_records("Accounts", accounts)
    found = LookupDirectory(make_client(), BY_NAME).look_up([*names, "Last"], begin)
    last = next(each["id"] for each in zoho_emulator.admin.records("Accounts") if each["Account_Name"] == "Last")
    assert found == {**dict.fromkeys(names, NotOne.SEVERAL), "Last": last}
    assert asked(zoho_emulator, "coql") == 2


def no_fence() -> Fence:
    """The one of a run that nobody takes over."""
    return SentWrite(WriteKind.UPSERT, {}, None, lambda _write, _again: None)


def test_parents_are_made_a_hundred_a_call_and_one_that_is_there_is_taken(
    zoho_emulator: EmulatorProcess, directory: LookupDirectory, begin: Begin
) -> None:
    there = put(zoho_emulator, "C-7")
    names = [f"C-{n}" for n in range(250)]
    made = directory.create([*names, "c-8"], begin, further={"trigger": []}, fence=no_fence())
    ids = {record["Legacy_Id"]: record["id"] for record in zoho_emulator.admin.records("Accounts")}
    assert sorted(ids) == sorted(names)
    assert ids["C-7"] == there["C-7"]
    found = {name: outcome.zoho_id for name, outcome in made.items() if isinstance(outcome, Outcome)}
    assert found == {**ids, "c-8": ids["C-8"]}
    assert asked(zoho_emulator, "upsert") == 3
    assert directory.look_up(names, begin) == ids
    assert asked(zoho_emulator, "coql") == 0


def test_a_parent_that_zoho_refuses_to_make_is_told(
    zoho_emulator: EmulatorProcess, directory: LookupDirectory, begin: Begin
) -> None:
    too_long = "x" * 65
    made = directory.create(["Fine", too_long], begin, further={}, fence=no_fence())
    outcome = made[too_long]
    assert isinstance(outcome, Outcome)
    assert (outcome.zoho_id, outcome.code, outcome.field) == (None, "INVALID_DATA", "Legacy_Id")
    assert [record["Legacy_Id"] for record in zoho_emulator.admin.records("Accounts")] == ["Fine"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@example(names=["''"])
@given(
    names=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40).filter(
            lambda text: text == text.strip()
        ),
        max_size=60,
        unique_by=lambda text: (text.casefold(), text.upper()),
    )
)
def test_whatever_a_parent_is_called_it_is_found(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, names: list[str]
) -> None:
    zoho_emulator.admin.reset()
    distinct = list({name.casefold(): name for name in {name.upper(): name for name in names}.values()}.values())
    ids = put(zoho_emulator, *distinct)
    directory = LookupDirectory(make_client(), BY_LEGACY_ID)
    assert directory.look_up(distinct, lambda work: work()) == ids
