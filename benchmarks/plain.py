"""The baseline: the tap and the target that singer-sdk makes of a few lines, as a user would write them.

The tap reads SQL tables; the target collects batches and throws them away. `python plain.py tap ...`, in an environment
that has singer-sdk and a database driver only.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from singer_sdk import Target
from singer_sdk import typing as th
from singer_sdk.sinks import BatchSink
from singer_sdk.sql import SQLConnector, SQLStream, SQLTap


class PlainStream(SQLStream):
    """A table."""

    connector_class = SQLConnector


class PlainTap(SQLTap):
    """Every row of every table."""

    name = "tap-plain"
    default_stream_class = PlainStream
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("sqlalchemy_url", th.StringType, required=True, secret=True, description="Database URL"),
    ).to_dict()


class PlainSink(BatchSink):
    """Batches that go nowhere."""

    max_size = 25_000

    def process_batch(self, context: dict[str, Any]) -> None:
        """Throw the batch away."""


class PlainTarget(Target):
    """Takes everything, keeps nothing."""

    name = "target-plain"
    default_sink_class = PlainSink


if __name__ == "__main__":
    if sys.argv.pop(1) == "tap":
        PlainTap.cli()
    else:
        PlainTarget.cli()
