"""The setting `partition`: which share of the orders a pair takes, where several run side by side."""

from __future__ import annotations

from collections.abc import Mapping

from singer_sdk import typing as th

from sync_ledger.partitions import PARTITIONS_MOST, WHOLE, Partition
from tap_legacy_orders.tap_errors import TapConfigError

PROPERTY = th.Property(
    "partition",
    th.ObjectType(
        th.Property("index", th.IntegerType(minimum=1), required=True, description="Which one, counted from 1"),
        th.Property(
            "of", th.IntegerType(minimum=1, maximum=PARTITIONS_MOST), required=True, description="How many there are"
        ),
    ),
    title="Partition",
    description="The share of the orders that this pair takes: `index` of `of`; see docs/running.md",
)


def read_partition(setting: Mapping[str, int] | None) -> Partition:
    """Read the setting, which the schema has checked.

    Raises:
        TapConfigError: there is no such partition.
    """
    if not setting:
        return WHOLE
    index, of = setting["index"], setting["of"]
    if index > of:
        raise TapConfigError(f"partition: there is no number {index} among {of}; `index` goes from 1 to `of`")
    return Partition(index, of)
