"""All questions, in the order in which they are asked: a later one may use what an earlier one has paid for."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from orders_sync.probing.bench import SETUP_CREDITS
from orders_sync.probing.bulk_questions import BULK_QUESTIONS, FIRST_JOB_QUESTIONS, LATER_BULK_QUESTIONS
from orders_sync.probing.child_questions import CHILD_QUESTIONS, LINE_QUESTIONS
from orders_sync.probing.questions import Calls, Question
from orders_sync.probing.record_questions import RECORD_QUESTIONS
from orders_sync.probing.request_questions import BURST_QUESTIONS, REQUEST_QUESTIONS
from orders_sync.probing.search_questions import SEARCH_QUESTIONS
from orders_sync.probing.value_questions import VALUE_QUESTIONS
from target_zoho_crm.api.costs import PAGE_ROWS, upsert_credits

QUESTIONS = (
    *REQUEST_QUESTIONS,
    *RECORD_QUESTIONS,
    *VALUE_QUESTIONS,
    *SEARCH_QUESTIONS,
    *BULK_QUESTIONS,
    *CHILD_QUESTIONS,
    *FIRST_JOB_QUESTIONS,
    *LATER_BULK_QUESTIONS,
    *BURST_QUESTIONS,
    *LINE_QUESTIONS,
)
OF_LINES = frozenset(each.switch for each in LINE_QUESTIONS)
"""What is asked in a module with line items alone."""
NOT_OBSERVABLE = {
    "bulk_automations": "which automations run for the rows of a job shows only by what they do",
    "zgid": "it is the org's own number; it is read, and no profile has it",
    "time_zone": "it is the org's own setting; it is read, and no profile has it",
}
"""Switches of the emulator that no question has, with the reason."""
_SMALL_RECORDS = 60
"""Made-up records beside those of jobs, at most."""


def chosen(only: Collection[str]) -> list[Question]:
    """The questions of these names; without names all but those for modules with line items."""
    if only:
        return [each for each in QUESTIONS if each.switch in only]
    return [each for each in QUESTIONS if each.switch not in OF_LINES]


def calls_of(questions: Iterable[Question], rows: int) -> list[Calls]:
    """What asking these takes, each shared call once; `rows` is the size of the job of made-up records."""
    asked = list(questions)
    shared = list(dict.fromkeys(calls for each in asked for calls in each.calls))
    makes_many = any(calls in each.calls for each in FIRST_JOB_QUESTIONS for calls in shared)
    records = _SMALL_RECORDS + (rows if makes_many else 0)
    deleting = upsert_credits(records) + -(-records // PAGE_ROWS) + 3
    return [
        Calls("the org, its user, the module with fields and layouts", SETUP_CREDITS),
        *shared,
        Calls(f"deleting up to {records:,} records", deleting),
    ]
