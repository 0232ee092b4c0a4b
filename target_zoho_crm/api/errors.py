"""What can go wrong with a call, a job or the set-up. What each code means stands in `codes.py`.

* ZohoError                 a request that failed as a whole
  + ConfigurationError      someone must change the set-up; the run stops
  + QuotaError              nothing more can be sent for now
  + TransientError          it passes by itself
    - NotSent               the request surely had no effect (`http_sessions.py`)
    - LostAnswer            it may have had its effect
    - AnswerError           the answer does not fit it
    - Gone                  the job, or its result, does not exist any more
    - UnattributedFailure   one of the call's records may be the cause
  + Stopped                 the run was asked to stop

`transport.py` keeps two signals to itself: a refused token, and a 429.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from http import HTTPStatus
from typing import ClassVar, TypeVar

from target_zoho_crm.api.code_kinds import REPORT, Family, Place
from target_zoho_crm.api.codes import CODES, OwnCode, family_of, find

_Kind = TypeVar("_Kind", bound="ZohoError")


class ZohoError(Exception):
    """A request that failed as a whole. `str()` is one clear line without secrets and record contents.

    `happened` is that line without what to do, which depends on what becomes of the orders.
    """

    family: ClassVar[Family] = Family.TRANSIENT

    def __init__(
        self, code: str, happened: str, *, remedy: str = "", http_status: int | None = None, field: str | None = None
    ) -> None:
        self.code = str(code)
        self.happened = happened
        self.remedy = remedy
        self.message = f"{happened} {remedy}".rstrip()
        self.http_status = http_status
        self.field = field
        super().__init__(self.message)

    def turned(self, kind: type[_Kind], further: str = "") -> _Kind:
        """The same failure as an error of another kind, with a `further` sentence."""
        happened = f"{self.happened} {further}".rstrip()
        return kind(self.code, happened, remedy=self.remedy, http_status=self.http_status, field=self.field)


class ConfigurationError(ZohoError):
    """The run stops once and says what to do."""

    family = Family.CONFIGURATION


class QuotaError(ZohoError):
    """Nothing more is sent. Code CREDIT_BUDGET is our own limit, which ends a run cleanly."""

    family = Family.QUOTA


class TransientError(ZohoError):
    """Tried again in the run already, in vain; due again in the next one."""

    family = Family.TRANSIENT


class UnattributedFailure(TransientError):  # noqa: N818 - as above
    """Zoho refused a whole call and blames nothing in it, so that one of its records may be the cause.

    `plain` is the error that it is where no record is.
    """

    def __init__(self, plain: ZohoError) -> None:
        super().__init__(plain.code, plain.happened, remedy=plain.remedy, http_status=plain.http_status)
        self.plain = plain


def blames_nobody(error: ZohoError) -> bool:
    """Whether an error of a call leaves open if one of its records is the cause: no answer, 5xx, or an unfit one.

    Not so where no connection was made, or Zoho asked for patience: those are about no record.
    """
    if isinstance(error, (UnattributedFailure, LostAnswer, AnswerError)):
        return True
    status = error.http_status or 0
    late = status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, TransientError) and late


class LostAnswer(TransientError):  # noqa: N818 - an event of the wire
    """The request may have had its effect: no answer came, or none that says."""


class AnswerError(TransientError):
    """An answer that does not fit its request. Nothing of it is believed."""


class Gone(TransientError):  # noqa: N818 - as above
    """The job or its result does not exist (any more): asking again does not help, sending its records does."""


class Stopped(ZohoError):  # noqa: N818 - as above
    """The run was asked to stop while it waited. No failure: it ends the run wherever it is raised."""


def stopped() -> Stopped:
    """The error of a wait that a stop cut short."""
    return Stopped(OwnCode.STOPPED, "The run was asked to stop; what was not confirmed is sent again by the next one.")


_CLASSES: dict[Family, type[ZohoError]] = {
    Family.TRANSIENT: TransientError,
    Family.CONFIGURATION: ConfigurationError,
    Family.QUOTA: QuotaError,
}
_MESSAGE_CHARACTERS = 200  # Zoho's own text, shortened so that the line stays one line


def request_error(
    code: str,
    *,
    where: str,
    said: str = "",
    http_status: int = HTTPStatus.BAD_REQUEST,
    field: str | None = None,
    place: Place = Place.CALL,
) -> ZohoError:
    """The right error for what Zoho refused; `where` is "METHOD path", or the job or row; `said` is Zoho's text."""
    family = family_of(code, http_status)
    info, plain = find(code, place), CODES.get(code)
    parts = [f"{where}: {code} (HTTP {http_status})" if place is Place.CALL else f"{where}: {code}"]
    if field:
        parts.append(f"field {field}")
    said, remedy = " ".join(said.split())[:_MESSAGE_CHARACTERS], ""
    if info is not None and info.family is family:
        parts.append(info.meaning)
        if said and info is not plain:
            parts.append(f'Zoho says "{said}".')
        remedy = info.remedy
    elif said:
        parts.append(f'Zoho says "{said}".')
        remedy = REPORT if family is Family.CONFIGURATION else ""
    return _CLASSES[family](code, _sentence(parts), remedy=remedy, http_status=http_status, field=field)


def configuration_error(code: str, what: str, *, field: str | None = None) -> ConfigurationError:
    """A fault of the set-up that we found ourselves: what is wrong here, and the table's remedy."""
    return ConfigurationError(code, what, remedy=CODES[code].remedy, field=field)


def close_names(name: str, names: Iterable[str]) -> str:
    """A hint like ' Did you mean Orders?', or nothing; compares without regard to case and underscores."""
    plain = {other.lower().replace("_", ""): other for other in names}
    found = difflib.get_close_matches(name.lower().replace("_", ""), plain, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(plain[each] for each in found)}?" if found else ""


def _sentence(parts: list[str]) -> str:
    head, *rest = parts
    return f"{head}: {' '.join(rest)}" if rest else head
