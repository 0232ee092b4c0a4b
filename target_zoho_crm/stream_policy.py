"""The rules of one stream, fixed before its first record: where its orders go, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.write_settings import Automations, Operation


class OnRejection(StrEnum):
    """What a refused record does to the run."""

    SKIP = "skip"
    FAIL = "fail"
    FAIL_FAST = "fail_fast"


class ContactMode(StrEnum):
    """Whether the first orders of a stream are read back and compared before the others go."""

    CAREFUL = "careful"
    OFF = "off"


class OnUnmapped(StrEnum):
    """What a column that no field takes does to the run."""

    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class StreamPolicy:
    """One stream's rules. Only values: whoever is handed it can do nothing with it."""

    stream: str
    module: str
    folding: KeyFolding
    """How the module's key field compares keys."""
    operation: Operation
    automations: Automations
    ignore_empty: bool
    on_rejection: OnRejection
    continuous: bool = False
    """Whether the run lasts, so that no next run is to be waited for: what was left is taken up again by this one."""
    due_by_ledger: bool = True
    """Whether the tap sends again what the ledger holds as due; another one sends again what STATE has not passed."""
    content_form: str | None = None
    """The form of the contents that our tap's records carry."""
    mapping_number: int | None = None
    """By which of the mappings that the ledger counts orders are written."""
    callback_url: str | None = field(default=None, repr=False)
    """Where Zoho says that a job has ended; it holds a secret."""
