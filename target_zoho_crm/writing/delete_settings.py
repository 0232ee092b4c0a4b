"""What becomes in the CRM of orders that were deleted at their source: the settings, and the guard over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from singer_sdk import typing as th

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.api.metadata import Field, ModuleFields
from target_zoho_crm.setting_schema import Setting


class OnDelete(StrEnum):
    """What happens to the record of a deleted order."""

    IGNORE = "ignore"
    DELETE = "delete"
    MARK = "mark"


_ON_DELETE = th.StringType(allowed_values=[each.value for each in OnDelete])
MOST_PERCENT = 20

PROPERTIES = (
    Setting(
        "on_delete",
        _ON_DELETE,
        in_payload=False,
        default=OnDelete.IGNORE.value,
        description="What to do with records of orders that were deleted at the source (`_sdc_deleted_at`): leave "
        "them, delete them, or mark them by setting `delete_field`.",
    ),
    Setting(
        "max_delete_percent",
        th.NumberType(minimum=0, maximum=100),
        in_payload=False,
        default=MOST_PERCENT,
        description="Most of the stream's orders in the CRM that one run deletes or marks; if there are more, none is.",
    ),
    Setting(
        "delete_field",
        th.StringType,
        in_payload=False,
        description="API name of the field that marks an order as deleted.",
    ),
    Setting(
        "delete_value",
        th.StringType,
        in_payload=False,
        default="true",
        description="What `delete_field` is set to; cleared when the order comes back.",
    ),
)
STREAM_PROPERTIES = (
    Setting("on_delete", _ON_DELETE, in_payload=False, description="As `on_delete`."),
    Setting("max_delete_percent", th.NumberType, in_payload=False, description="As `max_delete_percent`."),
    Setting("delete_field", th.StringType, in_payload=False, description="As `delete_field`."),
    Setting("delete_value", th.StringType, in_payload=False, description="As `delete_value`."),
)


@dataclass(frozen=True, slots=True)
class SoftDelete:
    """The field that marks an order as deleted, its value then, and its value once the order is back."""

    api_name: str
    deleted: Any
    restored: Any


@dataclass(frozen=True, slots=True)
class DeleteSettings:
    """One stream's settings of this theme."""

    on_delete: OnDelete
    most_percent: float
    field: str | None
    value: str

    @classmethod
    def read(cls, setting: Callable[[str], Any]) -> DeleteSettings:
        """Read them by name, the stream's own before the common ones."""
        return cls(
            OnDelete(setting("on_delete")),
            float(setting("max_delete_percent")),
            setting("delete_field"),
            setting("delete_value"),
        )

    def soft_delete(self, fields: ModuleFields) -> SoftDelete | None:
        """How orders are marked as deleted; None where they are not.

        Raises:
            ConfigurationError: the field is not named, is not there, or cannot be written.
        """
        if self.on_delete is not OnDelete.MARK:
            return None
        if self.field is None:
            raise configuration_error(OwnCode.NO_DELETE_FIELD, "`on_delete` is mark, and no `delete_field` is named.")
        field = fields.named(self.field)
        if not field.writable_on_update:
            where = f"{field.api_name} of module {fields.module}"
            raise configuration_error(
                OwnCode.FIELD_NOT_WRITABLE, f"`delete_field` {where} cannot be written.", field=field.api_name
            )
        return _soft_delete(field, self.value)

    def refuses(self, deleted: int, in_crm: int) -> str | None:
        """Why so many deletions are none that anybody wants; None where they are within bounds.

        Args:
            deleted: orders to be deleted or marked.
            in_crm: orders of the stream that have a record in the CRM, with those.
        """
        if not deleted:
            return None
        what = f"{deleted:,} of {in_crm:,} orders in the CRM were deleted at the source"
        if deleted >= in_crm:
            return f"{what}: an emptied source is taken for a fault, whatever `max_delete_percent` says"
        if deleted * 100 > self.most_percent * in_crm:
            return f"{what}, {deleted * 100 / in_crm:.1f} %, and `max_delete_percent` is {self.most_percent:g}"
        return None


def _soft_delete(field: Field, value: str) -> SoftDelete:
    if field.data_type != "boolean":
        return SoftDelete(field.api_name, value, None)
    truth = value.lower() == "true"
    return SoftDelete(field.api_name, truth, not truth)
