"""The links of a job's orders, kept on the disk until the orders are in the CRM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from target_zoho_crm.batch import Batch
from target_zoho_crm.writing.spool import spooling


class SpooledLinks(msgspec.Struct):
    """What a job could not write: fields by their API names, and the links of each order that has any."""

    fields: Sequence[str]
    links: dict[str, dict[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class LinkSpool:
    """A file that holds it as JSON."""

    path: Path

    @classmethod
    @spooling()
    def write(cls, path: Path, batch: Batch) -> LinkSpool:
        """Write the links of a batch.

        Raises:
            SpoolError: the disk does not take them.
        """
        names = [column.field.api_name for column in batch.mapping.second_step.values()]
        links = {key: dict(batch.links[key]) for key in batch.entries if key in batch.links}
        path.write_bytes(msgspec.json.encode(SpooledLinks(names, links)))
        return cls(path)

    def read(self) -> SpooledLinks:
        """Read it back."""
        return msgspec.json.decode(self.path.read_bytes(), type=SpooledLinks)

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
