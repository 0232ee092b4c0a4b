"""Runs target-zoho-crm with the comparison taken out: it sets the flag whatever version an order has by now."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from sync_databases.flag_statements import FlagStatements

_set = FlagStatements.set


def _set_any(self: FlagStatements, connection: sa.Connection, versions: Mapping[str, str]) -> None:
    now = {key: connection.execute(self.state_of(key)).first() for key in versions}
    _set(self, connection, {key: row[0] for key, row in now.items() if row is not None})


if __name__ == "__main__":
    FlagStatements.set = _set_any  # type: ignore[method-assign]
    from target_zoho_crm.target import TargetZohoCRM

    TargetZohoCRM.cli()
