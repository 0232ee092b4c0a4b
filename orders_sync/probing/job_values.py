"""A bulk write job as values: the sheets that go into it, and all that was seen of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orders_sync.probing.wire import Exchange
from target_zoho_crm.api.codes import ZohoCode

ENDS = frozenset({"COMPLETED", "FAILED", "SKIPPED"})
"""The words of a job that has ended."""


@dataclass(frozen=True)
class Sheet:
    """A CSV with the mapping of its columns: (API name, header, further keys of the mapping), by position."""

    module: str
    columns: Sequence[tuple[str, str, Mapping[str, Any]]]
    rows: Sequence[Sequence[str]]
    find_by: str | None = None
    order: Sequence[int] | None = None
    """The order in which the columns are mapped; else as they stand."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of the resource."""
    beyond: bool = False
    """Whether the last column is mapped to a place that the file has not."""

    @property
    def text(self) -> str:
        """The CSV."""
        buffer = io.StringIO()
        csv.writer(buffer).writerows([[header for _, header, _ in self.columns], *self.rows])
        return buffer.getvalue()

    def resource(self, file_id: Any, file_name: str) -> dict[str, Any]:
        """The resource of the job's request."""
        mappings = [
            {"api_name": self.columns[index][0], "index": index, **self.columns[index][2]}
            for index in self.order or range(len(self.columns))
        ]
        if self.beyond:
            mappings[-1]["index"] = len(self.columns)
        found = {"find_by": self.find_by} if self.find_by else {}
        module = {"api_name": self.module}
        base = {"type": "data", "module": module, "file_id": file_id, "file_names": [file_name]}
        return {**base, **found, "field_mappings": mappings, **self.more}


@dataclass
class Job:
    """A job as it was seen: how its creation was answered, how it stood, and its result."""

    created: Exchange
    id: str | None = None
    looks: list[Exchange] = field(default_factory=list)
    """Each that showed another status than the one before."""
    seconds: float = 0.0
    result: Exchange | None = None
    tables: list[list[list[str]]] = field(default_factory=list)
    """The result's CSVs, with their headers."""

    @property
    def document(self) -> dict[str, Any]:
        """The job at its end, or as it was last seen."""
        return self.looks[-1].flat if self.looks else {}

    @property
    def refusal(self) -> tuple[str, str, dict[str, Any]] | None:
        """Where it was refused (`create` or `job`), with which code and details; None where it ran."""
        if self.id is None:
            error = self.created.flat if "code" in self.created.flat else self.created.item
            details = error.get("details")
            return "create", str(error.get("code")), details if isinstance(details, dict) else {}
        if self.document.get("status") != "FAILED":
            return None
        resources = self.document.get("resource")
        codes = [each.get("code") for each in resources or () if isinstance(each, dict)]
        return "job", str(codes[0] if codes else None), {}

    @property
    def limit(self) -> int | None:
        """The number of rows that its refusal names."""
        limit = self.refusal[2].get("limit") if self.refusal and self.refusal[1] == ZohoCode.LIMIT_EXCEEDED else None
        return int(limit) if isinstance(limit, (int, str)) and str(limit).isdecimal() else None

    @property
    def ran(self) -> bool:
        """Whether it came to its end with its rows tried."""
        return self.document.get("status") in {"COMPLETED", "SKIPPED"}

    def counts(self, resource: int = 0) -> dict[str, Any]:
        """The counts of one resource, at the end."""
        resources = self.document.get("resource")
        if not isinstance(resources, list) or resource >= len(resources) or not isinstance(resources[resource], dict):
            return {}
        file = resources[resource].get("file")
        return file if isinstance(file, dict) else {}
