"""The threads of a run: everything that waits for Zoho waits here, so that reading goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from sync_ledger.retry_schedules import WORKER_STOP_CHECK_SECONDS
from target_zoho_crm.api.places import Places


class Workers:
    """A pool that takes no more work than it has threads, and raises the first failure for whoever asks next."""

    def __init__(self, name: str, threads: int, stop: threading.Event) -> None:
        """Make a pool of so many threads; once `stop` is set, work that has not begun is dropped."""
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        self._threads = threads
        self._stop = stop
        self._running: set[Future[None]] = set()

    def submit(self, work: Callable[..., None], *arguments: Any) -> None:
        """Begin a piece of work, waiting until a thread is free.

        Raises:
            Exception: what an earlier piece of work failed with.
        """
        while len(self._running) >= self._threads:
            self.wait_for_one()
        self._running.add(self._pool.submit(work, *arguments))

    def wait_for_one(self) -> None:
        """Wait until a piece of work is over; returns at once where none is under way. Raises its failure."""
        while self._running:
            done, _ = wait(self._running, timeout=WORKER_STOP_CHECK_SECONDS, return_when=FIRST_COMPLETED)
            if done:
                self._collect(done)
                return

    def check(self) -> None:
        """Raise the failure of work that is over, without waiting."""
        self._collect({future for future in self._running if future.done()})

    def wait(self) -> None:
        """Wait for all work. Raises the first failure."""
        while self._running:
            self.wait_for_one()

    def close(self) -> None:
        """Let the threads end; failures that nobody asked for are dropped, as the run is over."""
        self._pool.shutdown(wait=True, cancel_futures=self._stop.is_set())

    @property
    def free(self) -> int:
        """How many threads are free. Raises the failure of work that is over."""
        self.check()
        return self._threads - len(self._running)

    @property
    def busy(self) -> bool:
        """Whether any work is under way."""
        return bool(self._running)

    def _collect(self, done: set[Future[None]]) -> None:
        self._running -= done
        for future in done:
            future.result()


class JobWorkers(Workers):
    """Threads for bulk write jobs: while some are at Zoho, others are made ready, so that none has to be waited for.

    One thread more settles what has ended.
    """

    READY_MOST = 4
    """Each takes half a megabyte, and no more than these end before the next one is ready."""

    def __init__(self, most_jobs: int, stop: threading.Event) -> None:
        """`most_jobs` is how many jobs Zoho may have at a time."""
        super().__init__("bulk-write", most_jobs + min(most_jobs, self.READY_MOST) + 1, stop)
        self._most_jobs = most_jobs
        self.at_zoho = Places(most_jobs, stop)
        """Held from a job's creation to its end."""

    @property
    def free(self) -> int:
        """How many more jobs are worth while to begin: what must wait for others had better gather more orders."""
        self.check()
        return max(0, self._most_jobs + 1 - len(self._running))


class RunWorkers:
    """All threads of a run: those for calls and those for bulk write jobs."""

    def __init__(self, *, calls: int, jobs: int, stop: threading.Event) -> None:
        """Make threads for so many calls at a time, and for so many jobs at Zoho."""
        self.calls = Workers("upsert", calls, stop)
        self.jobs = JobWorkers(jobs, stop)

    def check(self) -> None:
        """Raise the failure of work that is over, without waiting."""
        self.calls.check()
        self.jobs.check()

    def wait(self) -> None:
        """Wait for all work. Raises the first failure."""
        self.calls.wait()
        self.jobs.wait()

    def wait_for_one(self) -> bool:
        """Wait until a call, or else a job, is over; False where none is under way. Raises its failure."""
        workers = self.calls if self.calls.busy else self.jobs
        busy = workers.busy
        workers.wait_for_one()
        return busy

    def close(self) -> None:
        """Let the threads end."""
        self.calls.close()
        self.jobs.close()


def at_once(questions: Sequence[Callable[[], object]], stop: threading.Event) -> None:
    """Ask several questions at the same time, and wait until all are answered; the answers stay where they come in.

    Raises:
        Exception: what one of them failed with.
    """
    workers = Workers("asking", len(questions), stop)
    try:
        for question in questions:
            workers.submit(_ask, question)
        workers.wait()
    finally:
        workers.close()


def _ask(question: Callable[[], object]) -> None:
    question()
