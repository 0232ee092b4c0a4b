"""An emulated org with all that the probe can ask about, and what it is to find in each position of the switches."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args, get_type_hints

import msgspec

from orders_sync.probing.all_questions import NOT_OBSERVABLE, OF_LINES, QUESTIONS, calls_of, chosen
from orders_sync.probing.bench import Bench
from orders_sync.probing.fields import FIELDS, KEY, KIND, KINDS, PART, PARTS, REFUSED_TEXT, TEXT
from orders_sync.probing.job_steps import DATES, TIMES
from orders_sync.probing.job_values import ENDS
from orders_sync.probing.journal import Journal
from orders_sync.probing.probe import Found, ask_all
from orders_sync.probing.verdicts import Position, Sureness, Verdict
from orders_sync.probing.wire import Purse
from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.api.data_centers import endpoints
from zoho_crm_emulator.switches import Switches

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

ZONE = "Asia/Kolkata"
"""Of the org: far from UTC, so that a date-time without offset can be told."""
SIZES = (1, 40, 600)
"""Rows of the jobs: less than in life, and still more rows of a subform than one file may have."""
OTHER_POSITIONS: dict[str, tuple[Position, ...]] = {
    "search_lag_seconds": (0, 3),
    "retry_after": (None, 30),
    "cost_upload": (0, 2),
    "cost_bulk_poll": (0, 1),
    "cost_bulk_result": (0, 5),
    "max_rows": (25_000, 10_000),
    "child_rows": (200, 100),
    "max_read_rows": (200_000, 100_000),
    "default_date_format": tuple(DATES),
    "default_datetime_format": tuple(TIMES),
}
"""Those of switches that take any number or text."""


def positions_of(switch: str) -> tuple[Position, ...]:
    """All positions of a switch, its default first."""
    if switch in OTHER_POSITIONS:
        return OTHER_POSITIONS[switch]
    default = getattr(Switches(), switch)
    return tuple(dict.fromkeys((default, *get_args(get_type_hints(Switches)[switch]))))


ASKED = [each.switch for each in QUESTIONS]
PAIRS = [(switch, position) for switch in ASKED for position in positions_of(switch)]


@dataclass
class EmulatorPace:
    """Time that passes only where the probe waits: the emulator's clock is moved on, and what is due is done."""

    emulator: EmulatorProcess
    elapsed: float = 0.0

    def now(self) -> float:
        return self.elapsed

    def wait(self, seconds: float) -> None:
        self.elapsed += seconds
        now = self.emulator.admin.advance_clock(seconds)
        while any(job["due"] <= now and job["status"] not in ENDS for job in self.emulator.admin.jobs(5)):
            time.sleep(0.002)


@dataclass
class ProbedOrg:
    """An org at an emulator whose clock stands still: fields, links, rules and a subform for every question."""

    emulator: EmulatorProcess
    folder: Path
    base_url: str = ""
    module: str = "Orders"

    def make_ready(self, *, as_started: bool = False) -> None:
        """The fields as `init --probe` makes them, and what people make by hand; switches `as_started`, or turned."""
        admin = self.emulator.admin
        for each in FIELDS:
            more = dict(each.more)
            if "unique" in more:
                more |= {"unique": True, "case_sensitive": True}
            if choices := more.pop("pick_list_values", None):
                more["pick_list"] = [one["display_value"] for one in choices]
            if each.data_type == "lookup":
                more["lookup"] = "Orders"
            admin.add_field("Orders", each.api_name, each.data_type, **more)
        admin.add_field("Quotes", KEY, "text", unique=True)
        admin.add_subform("Orders", "Linked_Orders", data_type="multiselectlookup", lookup="Orders")
        rule = {"field": {"api_name": TEXT}, "comparator": "equal", "value": REFUSED_TEXT}
        admin.set_validations("Orders", {"field": TEXT, "criteria": rule, "message": "not this text"})
        pairs = {kind: [part] for kind, part in zip(KINDS, PARTS, strict=True)}
        admin.set_dependencies("Orders", {"parent": KIND, "child": PART, "values": pairs})
        admin.settings(call_seconds={"coql": 0.05}, calls_at_once=1)  # so that some of many queries are refused
        if not as_started:
            self.turn({})

    def turn(self, switches: Mapping[str, Position]) -> None:
        """Put every switch into its default, but for these."""
        whole = msgspec.structs.asdict(Switches()) | {"time_zone": ZONE, "search_lag_seconds": 0} | dict(switches)
        self.emulator.admin.switch(**whole)

    def bench(self, *only: str, sizes: tuple[int, int, int] = SIZES, budget: int | None = None) -> Bench:
        """A bench on the emulator's clock: a day after the last, for credits and access tokens, at a whole second."""
        now = self.emulator.admin.advance_clock(86_400)
        self.emulator.admin.advance_clock((-now % 1000) / 1000)
        url = self.base_url or self.emulator.base_url
        places = endpoints("us", overrides={"accounts_url": url, "api_url": url, "upload_url": url})
        credentials = Credentials(self.emulator.client_id, self.emulator.client_secret, self.emulator.refresh_token)
        most = budget or sum(each.credits for each in calls_of(chosen(only), sizes[1])) + 2_000
        journal = Journal(self.folder / "probe.jobs")
        return Bench(
            self.module, places, credentials, Purse(most), EmulatorPace(self.emulator), sizes=sizes, journal=journal
        )

    def probe(self, *only: str, sizes: tuple[int, int, int] = SIZES) -> Found:
        """Ask these questions, or all but the one that uploads 25 MB."""
        questions = [each for each in chosen(only) if only or each.switch != "file_too_large"]
        return ask_all(self.bench(*only, sizes=sizes), questions, lambda _: None)


def verdicts(found: Found) -> dict[str, Verdict]:
    """The verdicts by question."""
    return {each.question.switch: each.verdict for each in found.findings}


def expected(switches: Mapping[str, Position], sizes: tuple[int, int, int] = SIZES) -> dict[str, set[Position] | None]:
    """By question the positions that are to be found; None where it cannot be asked, as things stand."""
    at = msgspec.structs.asdict(Switches()) | {"search_lag_seconds": 0} | dict(switches)
    found: dict[str, set[Position] | None] = {name: {at[name]} for name in ASKED if name not in OF_LINES}
    if at["credits_header"] != "always":
        found["credits_header"] = {"past_half", "never"}
        found |= dict.fromkeys(("cost_upload", "cost_bulk_poll", "cost_bulk_result"))
    if at["bulk_checks_at"] == "job":
        found["child_rows"] = set()  # a job that failed names no number
    if sizes[2] < at["max_rows"]:
        found["max_rows"] = None
    return found


def as_expected(verdict: Verdict, positions: set[Position] | None) -> bool:
    """Whether a verdict is that these positions are possible."""
    if positions is None:
        return verdict.sureness is Sureness.NOT_ASKED
    sureness = Sureness.SEEN if len(positions) == 1 else Sureness.UNDECIDED
    return verdict.sureness is sureness and set(verdict.positions) == positions


def combination(seed: int) -> dict[str, Position]:
    """A position for every switch that is asked, drawn."""
    drawn = random.Random(seed)  # noqa: S311 - a choice of tests
    found = {switch: drawn.choice(positions_of(switch)) for switch in ASKED}
    return found | {"max_rows": 25_000}


def differences(found: Found, switches: Mapping[str, Position]) -> dict[str, tuple[Verdict, set[Position] | None]]:
    """The questions whose verdict is another than it is to be."""
    meant = expected(switches)
    return {
        name: (verdict, meant[name])
        for name, verdict in verdicts(found).items()
        if name in meant and not as_expected(verdict, meant[name])
    }


__all__ = ["NOT_OBSERVABLE", "PAIRS", "ProbedOrg", "combination", "differences", "expected", "verdicts"]
