"""What was under way while one was stopped, what is in doubt of it, and what is called synced and is not."""

from __future__ import annotations

import sqlalchemy as sa
from flag_shop import written
from pair_of_plugins import Shop, differences
from sleeping_pair import writes_in_doubt

from sync_ledger.job_journal import Manifest
from sync_ledger.ledger import Ledger


class Doubt:
    """Looks at a ledger by connections that change nothing and wait for nobody."""

    def __init__(self, shop: Shop, *, goes_on: bool) -> None:
        """With `goes_on` nobody of the pair is stopped, and further writes come to be under way."""
        self._shop, self._goes_on = shop, goes_on
        ledger = Ledger.open(shop.ack_url)
        self._tables = ledger.tables
        ledger.close()
        self._under_way: dict[str, set[str]] = {}
        self.is_noted = False
        """Whether the ledger could be read since one was stopped."""
        self.keys: set[str] = set()
        """Orders that were in doubt at some time."""

    def note_under_way(self) -> None:
        """Note the writes that are under way now; once, unless further ones come."""
        if self.is_noted and not self._goes_on:
            return
        found = self._writes()
        self.is_noted = found is not None
        self._under_way.update(found or {})

    def under_way(self) -> set[str]:
        """Orders of the writes that were under way while one was stopped."""
        return set().union(*self._under_way.values())

    def note(self) -> None:
        """Note what is in doubt now."""
        for write in writes_in_doubt(self._shop):
            self.keys |= set(write.manifest.texts())

    def is_over(self) -> bool:
        """Whether no write is in doubt any more."""
        return self._writes() == {}

    def was_taken_over(self) -> bool:
        """Whether a run was taken for dead, as sleepers are that have not ended."""
        run = self._tables.run
        engine = sa.create_engine(self._shop.ack_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            return connection.execute(sa.select(sa.exists().where(run.c.how_ended == "died"))).scalar_one() == 1

    def _writes(self) -> dict[str, set[str]] | None:
        """Keys of each write that is not settled, by the write; None where an SQLite file is locked."""
        arguments = {"timeout": 0.5} if self._shop.ack_url.startswith("sqlite") else {}
        engine = sa.create_engine(self._shop.ack_url, connect_args=arguments, poolclass=sa.NullPool)
        try:
            with engine.connect() as connection:
                rows = connection.execute(sa.select(self._tables.write)).all()
        except sa.exc.OperationalError:
            return None
        return {row.write_id: set(Manifest(row.manifest, row.row_count).texts()) for row in rows}


def called_synced_falsely(shop: Shop) -> set[str]:
    """Orders whose ack says that they are synced as they are now, and the CRM something else."""
    versions, orders, acks, crm = shop.versions(), shop.orders(), shop.acks(), shop.crm()
    synced = [key for key in orders if written(acks[key], versions[key])]
    return {key for key in synced if differences(orders[key], crm[key])}
