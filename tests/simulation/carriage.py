"""Bodies on their way to the CRM: each lands by itself, whether or not its sender still waits, lives or is awake."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import requests
from simulation.http_messages import Answer, aborted, kind_of_call
from simulation.kinds import Kind
from simulation.scheduler import Process, Scheduler, Task

READ_SECONDS = 60.0
"""So long the HTTP client waits for an answer."""
LATE_SECONDS = 15.0
"""A body that lands so long after its run was seen to hold the lease is in doubt."""


@dataclass(frozen=True)
class Loss:
    """An answer that never comes."""

    gives_up_after: float
    """Seconds after which its connection breaks."""
    lands_after: float | None
    """Seconds after which the body lands all the same; None: never."""


@dataclass(eq=False)
class Parcel:
    """One request on its way."""

    keys: AbstractSet[str]
    """The orders that it writes; those of a job are known once it is created."""
    waiter: Task
    checked: float
    """When its run was last seen to hold the lease."""
    answer: Answer | None = None
    garbled: bool = False
    """The answer will not be understood."""
    lost: bool = False
    """The sender does not wait for the answer any more."""

    @property
    def is_late(self) -> bool:
        """Whether what it writes now may be overtaken already."""
        since = self.waiter.scheduler.now - self.checked
        return self.lost or self.garbled or self.waiter.process.dead or since > LATE_SECONDS


@dataclass
class Carriage:
    """Carries them."""

    scheduler: Scheduler
    world: Process
    wait_for: Callable[[Kind], None]
    """Waits until the CRM wakes."""
    in_doubt: set[str] = field(default_factory=set)
    """The orders of which an old version may have landed late: what of it stays is judged at the end."""
    under_way: int = 0

    def carry(
        self,
        request: requests.PreparedRequest,
        content: bytes,
        seconds: tuple[float, float],
        land: Callable[[Parcel], Answer],
        loss: Loss | None = None,
        *,
        checked: float,
        garbled: bool,
    ) -> Answer:
        """Send a body and wait for its answer; `seconds` there and back, `land` has the effect.

        Its run was seen to hold the lease when it was `checked`.

        Raises:
            ReadTimeout, ConnectionError: no answer came in time, or with a `loss` ever.
        """
        parcel = Parcel(_keys_of(request, content), self.scheduler.current, checked, garbled=garbled)

        def travel() -> None:
            try:
                self.scheduler.sleep(seconds[0] if loss is None else loss.lands_after or 0.0)
                self.wait_for(Kind.FROZEN_CRM)
                self.carries(parcel, parcel.keys)
                answer = land(parcel)
            finally:
                self.under_way -= 1
            self.scheduler.sleep(seconds[1])
            parcel.answer = answer
            if not parcel.lost:
                self.scheduler.wake(parcel.waiter)

        if loss is None or loss.lands_after is not None:
            self.under_way += 1
            self.scheduler.spawn(self.world, travel, "body")
        try:
            return self._awaited(parcel) if loss is None else self._lose(parcel, loss)
        except BaseException:
            parcel.lost = True
            self.in_doubt.update(parcel.keys)
            raise

    def _awaited(self, parcel: Parcel) -> Answer:
        until = self.scheduler.now + READ_SECONDS
        while parcel.answer is None:
            if not self.scheduler.block(max(0.0, until - self.scheduler.now)) and parcel.answer is None:
                raise requests.exceptions.ReadTimeout("no answer")
        return parcel.answer

    def _lose(self, parcel: Parcel, loss: Loss) -> Answer:
        parcel.lost = True
        self.scheduler.sleep(loss.gives_up_after)
        raise aborted()

    def carries(self, parcel: Parcel, keys: AbstractSet[str]) -> None:
        """Note which orders a body writes."""
        parcel.keys = keys
        if parcel.is_late:
            self.in_doubt.update(keys)


def _keys_of(request: requests.PreparedRequest, content: bytes) -> frozenset[str]:
    if kind_of_call(request) != "upsert" or not content:
        return frozenset()
    return frozenset(str(row.get("parent_id")) for row in json.loads(content)["data"])
