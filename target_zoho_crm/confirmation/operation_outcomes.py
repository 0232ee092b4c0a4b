"""What an operation makes of an outcome: a key that is not in the CRM, or one that is there already. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from target_zoho_crm.api.codes import NO_SUCH_KEY, Family, OwnCode, ZohoCode
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.write_settings import Operation


def not_in_crm(key: str, version: str) -> Outcome:
    """The refusal of an order that is to be updated and that the CRM does not have."""
    message = "No record has this key, and `operation` is update."
    return Outcome(key, version, Status.REJECTED, code=OwnCode.NOT_IN_CRM, message=message, family=Family.DATA)


def by_operation(outcomes: Sequence[Outcome], operation: Operation) -> list[Outcome]:
    """Read refusals as this operation means them, and note what an answer leaves unsaid."""
    if operation is Operation.UPDATE:
        return [_updated(outcome) for outcome in outcomes]
    if operation is Operation.INSERT:
        return [_inserted(outcome) for outcome in outcomes]
    return list(outcomes)


def _updated(outcome: Outcome) -> Outcome:
    if outcome.status is Status.SYNCED:
        return structs.replace(outcome, action=Operation.UPDATE.value)
    return not_in_crm(outcome.key, outcome.version) if outcome.code == NO_SUCH_KEY else outcome


def _inserted(outcome: Outcome) -> Outcome:
    if outcome.status is Status.SYNCED:
        return structs.replace(outcome, action=Operation.INSERT.value)
    if outcome.code == ZohoCode.SKIPPED:  # an insert skips rows whose key is there
        return structs.replace(outcome, code=ZohoCode.DUPLICATE_DATA)
    return outcome
