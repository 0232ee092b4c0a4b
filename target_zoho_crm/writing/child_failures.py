"""Lines and links that were not written, and what that makes of their orders: synced only when all of it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from target_zoho_crm.api.codes import Family, OwnCode, ZohoCode
from target_zoho_crm.api.errors import QuotaError, TransientError, blames_nobody
from target_zoho_crm.confirmation.outcomes import Outcome, Status

MESSAGE_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class ChildKind:
    """What of an order is written beside its own fields.

    `unwritten` is our own code of an order that is in the CRM while nobody knows whether these are. `row` is what one
    of them is called, where it has a key that a person knows.
    """

    name: str
    unwritten: str
    row: str | None = None


LINES = ChildKind("its lines", OwnCode.LINES_NOT_WRITTEN, row="line")
LINKS = ChildKind("its links and tags", OwnCode.LINKS_NOT_WRITTEN)


@dataclass(frozen=True, slots=True)
class ChildFailure:
    """Why a line or link was not written; without a row's key it is about all of that kind."""

    code: str
    family: Family
    field: str | None = None
    message: str | None = None
    key: str | None = None
    kind: ChildKind = LINES

    @property
    def text(self) -> str:
        """One phrase that names the row, or what else."""
        what = self.kind.name if self.key is None else f"{self.kind.row} {self.key!r}"
        return f"{what}: {self.message or self.code}"


class ChildFailures(dict[str, list[ChildFailure]]):
    """Failures by the key of the order that they are of."""

    def add(self, failure: ChildFailure, *orders: str) -> None:
        """Note a failure of some orders."""
        for order in orders:
            self.setdefault(order, []).append(failure)

    def of_error(self, error: TransientError | QuotaError, orders: Iterable[str], kind: ChildKind) -> None:
        """Note a call that failed as a whole, or that our own budget has no credits for.

        Where the answer blames nobody, the orders are searched by calls, each with what belongs to it.
        """
        code = OwnCode.CALL_FAILED if blames_nobody(error) else error.code
        self.add(ChildFailure(code, Family.TRANSIENT, message=error.happened, kind=kind), *orders)


def of_outcome(outcome: Outcome, kind: ChildKind, field: str | None = None) -> ChildFailure:
    """The failure of a row that has an outcome of its own; `field` where it is known which field of the order it is of.

    A row without a key of its own is named by nothing.
    """
    return ChildFailure(
        outcome.code or kind.unwritten,
        outcome.family or Family.TRANSIENT,
        field or outcome.field,
        outcome.message,
        outcome.key if kind.row is not None else None,
        kind,
    )


def unknown(why: str, kind: ChildKind) -> ChildFailure:
    """The failure of what nobody knows of: the order is due again, with all of it."""
    return ChildFailure(kind.unwritten, Family.TRANSIENT, message=why, kind=kind)


def with_failures(outcomes: Sequence[Outcome], failures: Mapping[str, Sequence[ChildFailure]]) -> list[Outcome]:
    """The orders' outcomes once their lines, or links, have theirs."""
    if not failures:
        return list(outcomes)
    return [
        _refused(outcome, failures[outcome.key])
        if outcome.status is Status.SYNCED and failures.get(outcome.key)
        else outcome
        for outcome in outcomes
    ]


def _refused(outcome: Outcome, failures: Sequence[ChildFailure]) -> Outcome:
    codes = dict.fromkeys(failure.code for failure in failures)
    family = Family.deciding(failure.family for failure in failures)
    fields = dict.fromkeys(failure.field for failure in failures if failure.field)
    return Outcome(
        key=outcome.key,
        version=outcome.version,
        status=Status.REJECTED if family.blames_order else Status.UNSYNCED,
        zoho_id=outcome.zoho_id,
        code=next(iter(codes)) if len(codes) == 1 else ZohoCode.MULTIPLE_OR_MULTI_ERRORS,
        field=",".join(fields) or None,
        message="; ".join(dict.fromkeys(failure.text for failure in failures))[:MESSAGE_CHARACTERS],
        family=family,
    )
