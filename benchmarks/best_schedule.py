"""The best possible schedule of a first load, from what Zoho and the host really took. Pure.

Nobody can load faster who has at most so many jobs at Zoho at a time, reads and writes files no faster than this host,
and meets the same uploads, calls and jobs in the same order: such a one knows of each job's end at once, never waits
without need, and all that it does beside the jobs costs it no time, up to the last job's result.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Taken:
    """What one job took, in seconds; `ready` is when its file could be there, counted from the start of the run."""

    ready: float
    upload: float
    create: float
    job: float
    download: float


def best_seconds(jobs: Sequence[Taken], *, at_once: int, rest: float) -> float:
    """How long the load of these jobs, in the order in which they were created, must take at least.

    A place at Zoho is taken from the call that creates a job, which must not be sent earlier, to the job's end. For
    jobs in a given order nothing is better than to begin each as soon as its file is there and a place is free.

    Args:
        jobs: in the order of their creation.
        at_once: how many jobs Zoho may have at a time.
        rest: what the host still has to do after the last download: acks, and the end of both processes.
    """
    places = [0.0] * at_once
    over = 0.0
    for each in jobs:
        begun = max(each.ready + each.upload, heapq.heappop(places))
        ended = begun + each.create + each.job
        heapq.heappush(places, ended)
        over = max(over, ended + each.download)
    return over + rest
