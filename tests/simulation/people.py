"""People in the CRM, and what they do to records: they edit, delete and make them, take their keys, give others.

With them comes a world in which a second field is unique, and orders have keys that some folding takes for one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from simulation.chance import Chance, Injection
from simulation.legacy import Shop
from simulation.network import Zoho
from simulation.scheduler import Scheduler

from zoho_crm_emulator.child_batch import batch_for
from zoho_crm_emulator.record_writing import Row, Rules
from zoho_crm_emulator.subforms import delete_rows

PERSON = 4_876_876_000_000_000_302
TWINS = (
    ("so-0", "SO-0"),
    ("\u21261", "\u03c91"),
    ("\u212a2", "k2"),
    ("\u1e9e3", "ss3"),
    ("\uff214", "a4"),
    ("e\u03015", "\u00e95"),
    ("\ufb016", "fi6"),
    ("so-7\u00a0", "so-7"),
)
"""Keys that a unique field may take for one: Ohm sign and omega, Kelvin sign, capital sharp s, full width and so on."""
ACTS = {
    "edited": 2.0,
    "overwritten_by_automation": 1.0,
    "deleted_by_person": 2.0,
    "key_emptied": 1.5,
    "key_given_to_another": 0.7,
    "made_by_person": 1.0,
    "made_with_a_key": 0.7,
    "renumbered": 0.7,
}


@dataclass(frozen=True)
class PeoplePlan:
    """Drawn once a history."""

    acts: int = 0
    second_unique: bool = False
    jobs_match_all: bool = False
    """Jobs find records by the second unique field too, and overwrite them."""
    names: tuple[str, ...] = ()
    """The keys of the shop's orders, where they are not the usual ones."""

    @classmethod
    def of(cls, chance: Chance, keys: int) -> PeoplePlan:
        """Draw it."""
        draw = chance.at("people", 0)
        second_unique = draw.random() < 0.4
        names: tuple[str, ...] = ()
        if draw.random() < 0.25:
            names = tuple(name for twins in draw.sample(TWINS, max(1, keys // 2)) for name in twins)
        acts = draw.randint(1, 8) if draw.random() < 0.5 else 0
        return cls(acts, second_unique, second_unique and draw.random() < 0.3, names)


@dataclass(frozen=True)
class Foreign:
    """A record that a person made: key, notes and invoice number."""

    key: str | None
    notes: str | None
    invoice: str | None


class People:
    """Those who work in the CRM of one history."""

    def __init__(
        self,
        plan: PeoplePlan,
        zoho: Zoho,
        shop: Shop,
        chance: Chance,
        scheduler: Scheduler,
        *,
        tick: Callable[[], int],
    ) -> None:
        """Begin with an empty CRM whose fields are as the plan says."""
        self.plan = plan
        self._zoho = zoho
        self._shop = shop
        self._chance = chance
        self._scheduler = scheduler
        self._tick = tick
        self.touched: dict[str, int] = {}
        """When a person last changed a record, by its id."""
        self.touches: list[tuple[str, int]] = []
        """All of these, in their order."""
        self.foreign: dict[str, Foreign] = {}
        self.invoices: set[str] = set()
        """Those that people's records have had."""
        self.rekeyed: set[str] = set()
        """Orders whose record lost its key, which still has their invoice number, and those who were given one so."""
        catalog = zoho.emulator.catalog
        if plan.second_unique:
            catalog.alter_field("Orders", "Invoice_No", {"unique": True})
            shop.invoice_of = self._invoice
        if plan.names:
            catalog.alter_field("Orders", "parent_id", {"folding": "compatible"})
            shop.names = plan.names
        if plan.jobs_match_all:
            zoho.turn(bulk_duplicate_checks="all")

    def _invoice(self, name: str, number: int) -> str:
        draw = self._chance.at("invoice", number)
        return f"inv-{draw.randrange(3)}" if draw.random() < 0.3 else f"inv-{name}"

    def work(self, until: float) -> None:
        """Do what people do, within the first `until` seconds."""
        moments = sorted(self._chance.at("person moment", n).uniform(0.0, until) for n in range(self.plan.acts))
        for number, moment in enumerate(moments):
            if moment > self._scheduler.now:
                self._scheduler.sleep(moment - self._scheduler.now)
            if ("person", number) not in self._chance.dropped:
                self._act(number)

    def _act(self, number: int) -> None:
        draw = self._chance.at("person", number)
        kind = draw.choices(list(ACTS), list(ACTS.values()))[0]
        if getattr(self, f"_{kind}")(draw):
            self._chance.injected.append(Injection("person", number, kind))

    # What they do: each tells whether it was done

    def _edited(self, draw: random.Random) -> bool:
        return self._change(self._any(draw), Notes="a person's#0")

    def _overwritten_by_automation(self, _draw: random.Random) -> bool:
        records = self._zoho.records()
        latest = self._zoho.writes[-1].key if self._zoho.writes else None
        return self._change(next((record for key, _, record in records if key == latest), None), Notes="automation#0")

    def _deleted_by_person(self, draw: random.Random) -> bool:
        record = self._any(draw)
        if record is None:
            return False
        self._change(record, parent_id=None, Invoice_No=None)  # which frees the values of its unique fields
        with self._zoho.by_others() as connection:
            delete_rows(connection, [int(record)])
        self.foreign.pop(record, None)
        return True

    def _key_emptied(self, draw: random.Random) -> bool:
        return self._rekey(self._any(draw), None)

    def _key_given_to_another(self, draw: random.Random) -> bool:
        return self._rekey(self._any(draw), draw.choice(self._shop.all_names))

    def _made_by_person(self, draw: random.Random) -> bool:
        return self._make(Foreign(None, "a person's#0", f"inv-{draw.randrange(3)}"))

    def _made_with_a_key(self, draw: random.Random) -> bool:
        return self._make(Foreign(draw.choice(self._shop.all_names), "a person's#0", None))

    def _renumbered(self, draw: random.Random) -> bool:
        """In the shop: the order goes on under another key."""
        there = sorted(self._shop.orders())
        free = [name for name in self._shop.all_names if name not in there and name not in self._shop.busy]
        there = [name for name in there if name not in self._shop.busy]
        if not (there and free):
            return False
        self._shop.renumber(draw.choice(there), draw.choice(free))
        return True

    def _rekey(self, record: str | None, name: str | None) -> bool:
        before = next((key for key, _, each in self._zoho.records() if each == record), None)
        if not self._change(record, parent_id=name):
            return False
        self.rekeyed |= set(filter(None, [before, name]))
        return True

    def _any(self, draw: random.Random) -> str | None:
        records = self._zoho.records()
        return draw.choice(records)[2] if records else None

    def _make(self, made: Foreign) -> bool:
        values = {"Name": "A person's", "parent_id": made.key, "Notes": made.notes, "Invoice_No": made.invoice}
        record = self._put({name: value for name, value in values.items() if value is not None}, None)
        if record is None:
            return False
        if made.key is None:
            self.foreign[record] = made
        self.invoices |= {made.invoice} if made.invoice else set()
        return True

    def _change(self, record: str | None, **values: str | None) -> bool:
        if record is None or self._put(values, int(record)) is None:
            return False
        if record in self.foreign:
            now = {each: Foreign(key, notes, invoice) for each, key, notes, invoice in self._zoho.documents()}
            self.foreign[record] = now[record]
        return True

    def _put(self, values: dict[str, str | None], record: int | None) -> str | None:
        """Write a record as a person; None where it is refused."""
        emulator = self._zoho.emulator
        with self._zoho.by_others() as connection:
            batch = batch_for(
                emulator.store,
                connection,
                emulator.catalog.modules["Orders"],
                Rules("insert" if record is None else "update", []),
                user=PERSON,
                now=emulator.clock.now(),
            )
            (outcome,) = batch.write([Row(values, id=record)])
        if outcome.refused is not None:
            return None
        self.touched[str(outcome.id)] = self._tick()
        self.touches.append((str(outcome.id), self.touched[str(outcome.id)]))
        return str(outcome.id)
