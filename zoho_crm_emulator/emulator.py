"""One emulator: its parts, its settings, and the way back to a fresh state."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec

from zoho_crm_emulator import oauth, standard
from zoho_crm_emulator.accepted_values import World
from zoho_crm_emulator.clock import Clock, ClockMode
from zoho_crm_emulator.credits import CallsAtOnce, Credits, Edition
from zoho_crm_emulator.faults import Faults
from zoho_crm_emulator.grant_codes import GrantCodes
from zoho_crm_emulator.journal import Journal
from zoho_crm_emulator.oauth import OAuth
from zoho_crm_emulator.schema import Catalog
from zoho_crm_emulator.store import Store
from zoho_crm_emulator.switches import Switches
from zoho_crm_emulator.unique_keys import holders_by_value

Seconds = tuple[float, float]  # from, to

COMPANY = "Emulator Shop"
ORG_ID = 4_876_876_000_000_000_201
USERS: dict[int, dict[str, str]] = {
    4_876_876_000_000_000_301: {"first": "Emulator", "last": "Admin", "email": "emuladmin@shops.com"},
    4_876_876_000_000_000_302: {"first": "Emulator", "last": "Clerk", "email": "emulclerk@shops.com"},
}
INACTIVE_USERS: dict[int, dict[str, str]] = {
    4_876_876_000_000_000_303: {"first": "Former", "last": "Clerk", "email": "formerclerk@shops.com"},
}
CURRENT_USER = 4_876_876_000_000_000_301


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How an emulator is started; a reset returns to these."""

    data: str
    edition: Edition = "enterprise"
    users: int = 5
    job_seconds: Seconds = (0, 0)
    upload_seconds: Seconds = (0, 0)
    call_seconds: Seconds = (0, 0)
    seed: int | None = None
    clock: ClockMode = "real"
    switches: Switches = Switches()


def user_reference(user: int) -> dict[str, str]:
    """A user as records and answers name him: name and id."""
    person = USERS.get(user)
    name = f"{person['first']} {person['last']}" if person else "deleted user"
    return {"name": name, "id": str(user)}


class Emulator:
    """Everything one running emulator holds."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.base_url = ""
        self.store = Store(Path(settings.data))
        self.clock = Clock(settings.clock, self.store.meta("clock"))
        self.catalog = Catalog(self.store)
        self.oauth = OAuth(self.store, self.clock)
        self.grant_codes = GrantCodes(self.store, self.clock, self.oauth)
        self.credits = Credits(self.store, self.clock, settings.edition, settings.users)
        self.calls = CallsAtOnce(self.credits)
        self.faults = Faults()
        self.journal = Journal()
        self.switches = settings.switches
        self.seed = settings.seed
        self._draws: dict[str, random.Random] = {}
        self.job_seconds = settings.job_seconds
        self.upload_seconds = settings.upload_seconds
        self.call_seconds: dict[str, Seconds] = {"*": settings.call_seconds}
        self.epoch = 0  # grows with each reset, so that work begun before it can tell
        self._install()

    @property
    def results_url(self) -> str | None:
        """Where results of jobs lie: another name of this host, as Zoho's lie on a host of their own.

        None where this host is known by a name that has no other.
        """
        first, own, rest = self.base_url.partition("//127.0.0.1:")
        return f"{first}//localhost:{rest}" if own else None

    def _install(self) -> None:
        if not self.catalog.load():
            standard.install(self.catalog)
        if not self.oauth.has_grants():
            self.oauth.grant(refresh_token=oauth.DEMO_REFRESH_TOKEN)

    def reset(self) -> None:
        """Forget records, jobs, tokens, faults and settings; the job worker must be idle. Event loop only."""
        self.epoch += 1
        self.faults.clear()
        self.store.clear()
        self.clock.reset(self.settings.clock)
        self.credits.reset()
        self.credits.set_edition(self.settings.edition, self.settings.users)
        self.calls.reset()
        self.journal.clear()
        self.switches = self.settings.switches
        self.seed = self.settings.seed
        self._draws.clear()
        self.job_seconds = self.settings.job_seconds
        self.upload_seconds = self.settings.upload_seconds
        self.call_seconds = {"*": self.settings.call_seconds}
        self._install()

    def draw(self, kind: str, seconds: Seconds) -> float:
        """A duration from a range. Each kind has a seeded generator of its own.

        So the tenth job takes as long in every run, however many calls came before it.
        """
        if seconds[0] == seconds[1]:
            return seconds[0]
        if kind not in self._draws:
            seed = None if self.seed is None else f"{self.seed} {kind}"
            self._draws[kind] = random.Random(seed)  # noqa: S311 - latency, not secrets
        return self._draws[kind].uniform(*seconds)

    def world(self, switches: Switches) -> World:
        """What value checks read."""
        return World(switches, self.record_exists, self.record_named, USERS)

    def record_exists(self, module: str, record: int) -> bool:
        """Whether a module holds a record."""
        view = self.catalog.get(module)
        if view is None:
            return False
        row = self.store.read().execute("SELECT 1 FROM records WHERE id = ? AND +module = ?", (record, view.id))
        return row.fetchone() is not None

    def record_named(self, module: str, name: str) -> int | None:
        """The oldest record of a module whose own field says so, in any case of its letters."""
        view = self.catalog.get(module)
        if view is None:
            return None
        found = holders_by_value(self.store.read(), view.id, view.module.own_field, {name.strip().lower()})
        return next(iter(found.values()), None)

    def save_state(self) -> None:
        """Write what is only in memory: unsaved credits and the clock."""
        with self.store.write() as connection:
            self.store.set_meta(connection, "clock", self.clock.now())

    def close(self) -> None:
        """Save and close the file."""
        self.save_state()
        self.store.close()

    def describe(self) -> dict[str, Any]:
        """Settings as they are now, for the admin API."""
        return {
            "base_url": self.base_url,
            "edition": self.credits.edition,
            "users": self.credits.users,
            "clock": {"mode": self.clock.mode, "now": self.clock.now()},
            "latency": {
                "job_seconds": self.job_seconds,
                "upload_seconds": self.upload_seconds,
                "call_seconds": self.call_seconds,
            },
            "switches": msgspec.structs.asdict(self.switches),
        }
