"""What is asked of Zoho with every write besides the values: automations, features, and what an empty value means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from singer_sdk import typing as th

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.batch import Channel
from target_zoho_crm.setting_schema import Setting

TRIGGERS = ("workflow", "approval", "blueprint", "pathfinder", "orchestration")
_TRIGGER = th.ArrayType(th.StringType(allowed_values=list(TRIGGERS)))


class Operation(StrEnum):
    """What a write does with an order whose key the CRM has, and with one whose key it has not."""

    UPSERT = "upsert"
    UPDATE = "update"
    INSERT = "insert"


_OPERATION = th.StringType(allowed_values=[each.value for each in Operation])


class JobAutomations(StrEnum):
    """Which automations a bulk write job runs; its request cannot say, and Zoho's documents do not."""

    UNKNOWN = "unknown"
    NONE = "none"
    ALL = "all"


PROPERTIES = (
    Setting(
        "operation",
        _OPERATION,
        in_payload=True,
        default=Operation.UPSERT.value,
        description="`update` refuses orders that are not in the CRM, `insert` those that are.",
    ),
    Setting("trigger", _TRIGGER, in_payload=False, description="Automations that writes run: absent all, `[]` none."),
    Setting(
        "first_load_trigger",
        _TRIGGER,
        in_payload=False,
        description="As `trigger`, while the stream's first load lasts; absent: `trigger` holds for it too.",
    ),
    Setting(
        "skip_feature_execution",
        th.ArrayType(th.StringType),
        in_payload=False,
        description="Features that writes do not run although they would, such as cadences.",
    ),
    Setting(
        "apply_feature_execution",
        th.ArrayType(th.StringType),
        in_payload=False,
        description="Features that writes run although they would not, such as layout_rules.",
    ),
    Setting(
        "bulk_automations",
        th.StringType,
        in_payload=False,
        default=JobAutomations.UNKNOWN.value,
        allowed_values=[each.value for each in JobAutomations],
        description="Which automations bulk write jobs run in your org, as you found out; with `unknown` none of the "
        "settings above is left to a job.",
    ),
    Setting(
        "ignore_empty",
        th.BooleanType,
        in_payload=True,
        default=False,
        description="Whether an empty value leaves the field as it is; else it clears the field.",
    ),
)

STREAM_PROPERTIES = (
    Setting("operation", _OPERATION, in_payload=True, description="As `operation`."),
    Setting("trigger", _TRIGGER, in_payload=False, description="As `trigger`."),
    Setting("first_load_trigger", _TRIGGER, in_payload=False, description="As `first_load_trigger`."),
)


@dataclass(frozen=True, slots=True)
class Automations:
    """What a write may set off in the CRM. `trigger` None: everything, (): nothing."""

    trigger: tuple[str, ...] | None = None
    skipped: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()

    def body(self) -> dict[str, Any]:
        """The keys of a write call's body that say so."""
        body: dict[str, Any] = {}
        if self.trigger is not None:
            body["trigger"] = list(self.trigger)
        if self.skipped:
            body["skip_feature_execution"] = [{"name": name} for name in self.skipped]
        if self.applied:
            body["apply_feature_execution"] = [{"name": name} for name in self.applied]
        return body

    def kept_by(self, jobs: JobAutomations) -> bool:
        """Whether a bulk write job does just this."""
        if self.applied:
            return False
        if jobs is JobAutomations.NONE:
            return self.trigger == ()
        return not self.skipped and (self.trigger is None or (jobs is JobAutomations.ALL and self._all))

    @property
    def _all(self) -> bool:
        return self.trigger is not None and set(self.trigger) == set(TRIGGERS)

    def __str__(self) -> str:
        """For a log line: "no automation", or their names."""
        every = self.trigger is None or self._all
        said = "all automations" if every else ", ".join(self.trigger or ()) or "no automation"
        if self.skipped:
            said += f", without {', '.join(self.skipped)}"
        return said + (f", with {', '.join(self.applied)}" if self.applied else "")


@dataclass(frozen=True, slots=True)
class WriteSettings:
    """One stream's settings of this theme."""

    operation: Operation
    first_load: Automations
    later: Automations
    jobs_run: JobAutomations
    ignore_empty: bool

    @classmethod
    def read(cls, setting: Callable[[str], Any]) -> WriteSettings:
        """Read them by name, the stream's own before the common ones."""
        trigger, first = setting("trigger"), setting("first_load_trigger")
        features = [tuple(setting(f"{word}_feature_execution") or ()) for word in ("skip", "apply")]
        later = None if trigger is None else tuple(trigger)
        return cls(
            operation=Operation(setting("operation")),
            first_load=Automations(later if first is None else tuple(first), *features),
            later=Automations(later, *features),
            jobs_run=JobAutomations(setting("bulk_automations")),
            ignore_empty=setting("ignore_empty"),
        )

    def channel(self, wanted: Channel, automations: Automations) -> Channel:
        """The channel of a run with these automations: upsert calls where a job cannot do what is asked.

        Raises:
            ConfigurationError: jobs are demanded, and now or later they could not do what is asked.
        """
        if wanted is Channel.BULK_WRITE:
            for asked in (self.first_load, self.later):
                if not asked.kept_by(self.jobs_run):
                    raise configuration_error(
                        OwnCode.NOT_FOR_JOBS,
                        f"`channel` is bulk_write, and a bulk write job cannot be asked to run {asked}.",
                    )
        return wanted if automations.kept_by(self.jobs_run) else Channel.UPSERT
