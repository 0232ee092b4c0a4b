"""Does one run by its plan, and holds what came of it to the law."""

from __future__ import annotations

import copy
import random
import re
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from flag_shop import FlagShop
from following_pair import FOLLOW
from pair_of_plugins import PROCESS_SECONDS, Finished, differences
from shop_with_lines import ShopWithLines
from sleeping_pair import OWN_SPACE, Pair, begin, begin_forked
from writes_in_doubt import time_passes

from sleeps.doubt import Doubt, called_synced_falsely
from sleeps.plan import Plan
from sleeps.steps import TAP, TARGET
from sleeps.world import World, world
from zoho_crm_emulator.control import EmulatorError

HOUR_SECONDS = 3_600
TOKEN_HOURS = 1.1
"""After which no access token of then lives any more."""
JOB_HOURS = 25
"""After which a job without an answer lands no more."""
RUNS_MOST = 6
COMPARED = re.compile(r"in doubt: ([\d,]+) compared")
NUMBERS = re.compile(r"[\d.:-]*\d")
WORDS_MOST = 200
QUIET_LOOKS = 20
"""Two seconds."""
MAY_END = {0, 1, 3}
"""1: the lease was lost, or something did not answer for too long; 3: another run is live."""
ASKED_TO_END = {143, -15}
"""Of a pair that follows, was asked to end, and stood still until its time for that was over, or lost its lease."""


@dataclass
class Seen:
    """What came of a run."""

    first: list[int] = field(default_factory=list)
    """Exit codes of the tap and the target that were disturbed."""
    second: list[int] = field(default_factory=list)
    """Those of the runs beside it, in turn."""
    why: list[str] = field(default_factory=list)
    """What those said that did not go through; once, where several said the same."""
    reached: int = 0
    """The number of the step at which it was stopped in the end: a run may have fewer than were drawn."""
    under_way: int = 0
    """Orders of calls and jobs that were under way while one was stopped."""
    in_doubt: int = 0
    verified: int = 0
    sent_again: int = 0
    landed_late: int = 0
    """Orders whose old version lay over a newer one until what was in doubt was verified."""
    taken_over: bool = False
    seconds: float = 0.0


def carried_out(plan: Plan, folder: Path) -> Seen:
    """Do it.

    Raises:
        AssertionError: the law is broken.
    """
    began = time.monotonic()
    with world(plan, folder) as made:
        seen = _Run(plan, made).carry_out()
    seen.seconds = round(time.monotonic() - began, 1)
    return seen


class _Run:
    def __init__(self, plan: Plan, made: World) -> None:
        self.plan, self.made, self.shop = plan, made, made.shop
        self.admin = made.emulator.admin
        self.keys = sorted(self.shop.orders())
        self.seen = Seen(reached=plan.number)
        self.later = plan.later
        self.through = threading.Event()
        self.chance = random.Random(plan.seed)
        self.second = copy.copy(self.shop)
        self.second.folder = self.shop.folder / "second"
        self.second.folder.mkdir()
        self.second.tap_config = dict(self.shop.tap_config)

    def carry_out(self) -> Seen:
        self._clean()
        self.doubt = Doubt(self.shop, goes_on=self.plan.who == "emulator")
        if self.plan.follow:
            self.shop.tap_config |= FOLLOW
            self.shop.target_config["max_age_seconds"] = 0.2
        pair, hold = self._reach_step()
        while not self._stop():  # it has ended since the step
            self.later = 0.0
            assert pair.finish().code == 0
            pair, hold = self._reach_step()
        woken = threading.Event()
        waking = threading.Thread(target=self._wake_in_time, args=(woken, hold))
        waking.start()
        try:
            if self.plan.who != "database":  # by a legacy application that waits for its database
                self._change_again()
            self._runs_beside(woken)
        finally:
            waking.join()
        self._end_first(pair)
        if 0 not in self.seen.second:
            self.doubt.note()
            self._beside_until_done()
        self._judge_doubt()
        self._verify()
        return self.seen

    # Before

    def _clean(self) -> None:
        ended = self.shop.run()
        assert ended.code == 0, ended.err

    def _change_again(self) -> None:
        some = sorted(self.chance.sample(self.keys, max(1, round(len(self.keys) * self.plan.changed_again))))
        self._change(some, "new")

    def _change(self, keys: list[str], notes: str) -> None:
        ends = time.monotonic() + PROCESS_SECONDS
        while True:
            try:
                if isinstance(self.shop, ShopWithLines):
                    self.shop.change_lines(keys[::3])
                self.shop.change(keys, notes=notes)
            except sa.exc.OperationalError:  # locked by who is stopped
                assert time.monotonic() < ends
                if self.plan.who == "database":  # or by who waits at its step to see it stopped
                    (self.made.folder / "go").touch()
                time.sleep(0.5)
            else:
                return

    def _reach_step(self) -> tuple[Pair, int | None]:
        """Begin runs until one has the step; each has half as many as the one before was asked for."""
        while True:
            self._change(self.keys, "old")
            pair, hold = self._begin()
            if self._reaches(pair, hold):
                return pair, hold
            assert self.seen.reached > 1, f"no run has a step {self.plan.step.value!r}"
            self.seen.reached //= 2
            self._let_go(hold)
            ended = pair.finish()
            assert ended.code == 0, ended.err

    def _begin(self) -> tuple[Pair, int | None]:
        plan, number = self.plan, self.seen.reached
        for name in ("reached", "go"):
            (self.made.folder / name).unlink(missing_ok=True)
        hold, step = None, plan.step.value
        if plan.held:
            endpoint = {"upsert": "upsert", "bulk_write": "bulk_create"}[plan.channel]
            hold = self.admin.add_fault(endpoint, kind="hold_before", after=number - 1, times=1)
            step = "held"
        steps = {
            program: f"{step if program == plan.program else 'nowhere'}:{number}:{self.made.folder}"
            for program in (TAP, TARGET)
        }
        return begin_forked(self.shop, plan.minute, stops=steps[TARGET], tap_stops=steps[TAP]), hold

    def _reaches(self, pair: Pair, hold: int | None) -> bool:
        quiet = 0
        while pair.target.poll() is None:
            if hold is not None:
                try:
                    self.admin.wait_held(hold, timeout=0.1)
                except EmulatorError:
                    pass
                else:
                    return True
            elif (self.made.folder / "reached").exists():
                return True
            # One that follows does not end; it is through once everything is synced, and stays so.
            quiet = quiet + 1 if self.plan.follow and self._all_synced() else 0
            if quiet == QUIET_LOOKS:
                pair.ask_to_end()
            time.sleep(0.1)
        return False

    def _all_synced(self) -> bool:
        orders, acks = self.shop.orders(), self.shop.acks()
        if any(acks[key].status != "synced" for key in orders):
            return False
        crm = self.shop.crm()
        return not any(differences(order, crm[key]) for key, order in orders.items())

    # Asleep

    def _stop(self) -> bool:
        """Stop whom the plan says; before it stops, orders change that are in a database which is."""
        stops_database = self.plan.who == "database"
        if stops_database:
            self._change_again()
        if self.later:
            (self.made.folder / "go").touch()
            time.sleep(self.later)
        if stops_database:
            self.doubt.note_under_way()
        is_stopped = self.made.stop()
        self.doubt.note_under_way()
        (self.made.folder / "go").touch()
        return is_stopped

    def _wake_in_time(self, woken: threading.Event, hold: int | None) -> None:
        plan, token_ends = self.plan, self.plan.token_ends
        asleep = plan.who not in {"emulator", "database"}  # else nobody can be told before
        ends = time.monotonic() + plan.seconds
        try:
            if token_ends is not None and asleep:
                time.sleep(plan.seconds * token_ends)
                self._hour_passes()
            self.through.wait(max(0.0, ends - time.monotonic()))
            self.doubt.note_under_way()
        finally:
            self.made.wake()
            self._let_go(hold)
            woken.set()
        if token_ends is not None and not asleep:
            self._hour_passes()

    def _hour_passes(self) -> None:
        self.admin.advance_clock(TOKEN_HOURS * HOUR_SECONDS)
        time_passes(self.shop, hours=TOKEN_HOURS)

    def _let_go(self, hold: int | None) -> None:
        if hold is not None:
            self.admin.release(hold)
            self.admin.remove_fault(hold)

    def _runs_beside(self, woken: threading.Event) -> None:
        """Begin a second run again and again until one goes through, or the first one goes on in its place."""
        while True:
            was_awake = woken.is_set()
            if not was_awake:
                self.doubt.note_under_way()
            code = self._run_beside()
            if code == 0:
                self.doubt.note()
                self._believe_nothing_false(woken)
                if self.plan.until_through:
                    self.through.set()
                break
            if was_awake:
                break
            woken.wait(max(1.0, self.plan.minute / 3))
        woken.wait()

    def _run_beside(self) -> int:
        plan = self.plan
        pair = (
            begin(self.second, plan.minute, space=OWN_SPACE)
            if plan.own_space
            else begin_forked(self.second, plan.minute)
        )
        ended = pair.finish()
        # The tap is refused first; without a SCHEMA, the target has nothing to do.
        code = ended.code or pair.tap.returncode
        self._must_end_well(ended, {code, pair.tap.returncode})
        self.seen.second.append(code)
        if code:
            words = NUMBERS.sub("..", ended.errors[-1].rpartition("| ")[2])[:WORDS_MOST]
            self.seen.why = list(dict.fromkeys([*self.seen.why, words]))
        return code

    def _beside_until_done(self) -> None:
        for _ in range(RUNS_MOST):
            if self._run_beside() == 0:
                return
            time.sleep(self.plan.minute)
        raise AssertionError(f"no run goes through: {self.seen.second}")

    def _must_end_well(self, ended: Finished, codes: Collection[int]) -> None:
        assert set(codes) <= MAY_END, (codes, ended.err)
        assert "Traceback" not in ended.err, ended.err

    def _end_first(self, pair: Pair) -> None:
        if self.plan.follow:
            ends = time.monotonic() + PROCESS_SECONDS
            while pair.target.poll() is None and not self._all_synced():
                assert time.monotonic() < ends
                time.sleep(0.2)
            pair.ask_to_end()
        ended = pair.finish()
        self.seen.first = [pair.tap.returncode, ended.code]
        self.seen.taken_over = self.doubt.was_taken_over()
        self._must_end_well(ended, set(self.seen.first) - (ASKED_TO_END if self.plan.follow else set()))

    # What came of it

    def _believe_nothing_false(self, woken: threading.Event) -> None:
        """While the sleeper sleeps, what an ack calls synced is in the CRM, unless it is in doubt."""
        if woken.is_set() or self.plan.who in {"emulator", "database"}:
            return
        false = called_synced_falsely(self.shop) - self.doubt.keys
        assert not false or woken.is_set(), f"called synced falsely: {sorted(false)[:5]}"

    def _judge_doubt(self) -> None:
        doubt, seen = self.doubt, self.seen
        doubt.note()
        seen.in_doubt, seen.under_way = len(doubt.keys), len(doubt.under_way())
        more = doubt.keys - doubt.under_way() if doubt.is_noted else set()
        assert not more, f"in doubt, and not under way: {sorted(more)[:5]}"
        late = called_synced_falsely(self.shop)
        seen.landed_late = len(late)
        assert late <= doubt.keys, f"an old version, and not in doubt: {sorted(late - doubt.keys)[:5]}"

    # Afterwards

    def _verify(self) -> None:
        """Let all times pass, and run until there is nothing left to do."""
        self.shop.tap_config = dict(self.second.tap_config)
        self._hour_passes()
        self.admin.wait_jobs()
        self._later_run()
        self.admin.advance_clock(JOB_HOURS * HOUR_SECONDS)
        time_passes(self.shop, hours=JOB_HOURS)
        self.admin.wait_jobs()
        for _ in range(RUNS_MOST):
            ended = self._later_run()
            if ended.summary["read"] == 0 and self._is_quiet():
                break
            self.admin.wait_jobs()
        else:
            raise AssertionError(f"{RUNS_MOST} runs did not come to an end: {ended.err}")
        if isinstance(self.shop, ShopWithLines):
            self.shop.assert_whole()
        elif isinstance(self.shop, FlagShop):
            self.shop.assert_all_flagged()
        else:
            self.shop.assert_all_synced()

    def _is_quiet(self) -> bool:
        acks = self.shop.acks().values()
        return self.doubt.is_over() and all(ack.status == "synced" for ack in acks)

    def _later_run(self) -> Finished:
        pair = begin_forked(self.shop, self.plan.minute)
        ended = pair.finish()
        assert (pair.tap.returncode, ended.code) == (0, 0), ended.err
        assert "Traceback" not in ended.err, ended.err
        self.seen.verified += sum(int(found.replace(",", "")) for found in COMPARED.findall(ended.err))
        self.seen.sent_again += ended.summary["synced"]
        return ended
