"""What threads wait for: locks, conditions, events, places, and pieces of work in a pool, all by the scheduler."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableSequence
from typing import Any, Self

from simulation.scheduler import Killed, Scheduler, Task


def _wait_among(waiters: MutableSequence[Task], scheduler: Scheduler, timeout: float | None = None) -> None:
    """Wait to be called, or so long. Whoever is woken by something else leaves: it would take another's turn later."""
    task = scheduler.current
    waiters.append(task)
    scheduler.block(timeout)
    if task in waiters:
        waiters.remove(task)


class Lock:
    """A mutex."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._held = False
        self._waiters: deque[Task] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as the real one
        """Take it, or wait."""
        del timeout
        if self._scheduler.current.process.dead:
            raise Killed
        while self._held:
            if not blocking:
                return False
            _wait_among(self._waiters, self._scheduler)
        self._held = True
        return True

    def release(self) -> None:
        """Let it go."""
        self._held = False
        if self._waiters:
            self._scheduler.wake(self._waiters.popleft())

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Condition:
    """A condition with a lock of its own, which its holder may take once more, as of a real one."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._lock = Lock(scheduler)
        self._holder: Task | None = None
        self._depth = 0
        self._waiters: list[Task] = []

    def __enter__(self) -> bool:
        if self._holder is not self._scheduler.current:
            self._lock.acquire()
            self._holder = self._scheduler.current
        self._depth += 1
        return True

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._holder = None
            self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait to be notified, or so long."""
        depth, self._depth, self._holder = self._depth, 0, None
        self._lock.release()
        self._waiters.append(self._scheduler.current)
        woken = self._scheduler.block(timeout)
        self._waiters = [each for each in self._waiters if each is not self._scheduler.current]
        self._lock.acquire()
        self._depth, self._holder = depth, self._scheduler.current
        return woken

    def notify_all(self) -> None:
        """Wake all."""
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            self._scheduler.wake(task)

    def notify(self, count: int = 1) -> None:
        """Wake some."""
        for task in self._waiters[:count]:
            self._scheduler.wake(task)
        self._waiters = self._waiters[count:]


class Event:
    """A flag to wait for."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._set = False
        self._waiters: list[Task] = []

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it."""
        self._set = True
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            self._scheduler.wake(task)

    def clear(self) -> None:
        """Unset it."""
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or so long."""
        if not self._set:
            _wait_among(self._waiters, self._scheduler, timeout)
        return self._set


class Semaphore:
    """Places."""

    def __init__(self, scheduler: Scheduler, value: int) -> None:
        self._scheduler = scheduler
        self._free = value
        self._waiters: deque[Task] = deque()

    def __enter__(self) -> bool:
        if self._scheduler.current.process.dead:
            raise Killed
        while not self._free:
            _wait_among(self._waiters, self._scheduler)
        self._free -= 1
        return True

    def __exit__(self, *_: object) -> None:
        self._free += 1
        if self._waiters:
            self._scheduler.wake(self._waiters.popleft())


class Future:
    """What became of a piece of work; its hash is a number, so that sets of them keep one order."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._number = scheduler.next_number()
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None
        self.waiters: list[Task] = []

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other

    def done(self) -> bool:
        """Whether it is over."""
        return self._done

    def finish(self, result: Any = None, error: BaseException | None = None) -> None:
        """Note its end."""
        self._done, self._result, self._error = True, result, error
        for task in self.waiters:
            self._scheduler.wake(task)

    def result(self) -> Any:
        """What it gave, or its error, once it is over."""
        while not self._done:
            _wait_among(self.waiters, self._scheduler)
        if self._error is not None:
            raise self._error
        return self._result


class Pool:
    """A pool of threads."""

    def __init__(self, scheduler: Scheduler, max_workers: int, thread_name_prefix: str) -> None:
        self._scheduler = scheduler
        self._most = max_workers
        self._name = thread_name_prefix
        self._queue: deque[tuple[Future, Callable[..., Any], tuple[Any, ...]]] = deque()
        self._threads: list[Task] = []
        self._idle: list[Task] = []
        self._closed = False

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future:
        """Begin a piece of work."""
        future = Future(self._scheduler)
        self._queue.append((future, work, arguments))
        if self._idle:
            self._scheduler.wake(self._idle.pop())
        elif len(self._threads) < self._most:
            process = self._scheduler.current.process
            self._threads.append(self._scheduler.spawn(process, self._work, f"{self._name}-{len(self._threads)}"))
        return future

    def map(self, work: Callable[..., Any], arguments: Iterable[Any]) -> Iterator[Any]:
        """Do a piece of work with each of these at once; the results in their order."""
        futures = [self.submit(work, each) for each in arguments]
        return (each.result() for each in futures)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as the real one
        """End the threads."""
        self._closed = True
        if cancel_futures:
            self._queue.clear()
        for task in self._idle:
            self._scheduler.wake(task)
        self._idle = []
        for task in self._threads if wait else ():
            self._scheduler.join(task)

    def _work(self) -> None:
        while True:
            while not self._queue:
                if self._closed:
                    return
                _wait_among(self._idle, self._scheduler)
            future, work, arguments = self._queue.popleft()
            try:
                result = work(*arguments)
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - as the real one does
                future.finish(error=error)
            else:
                future.finish(result)


def wait_for_futures(
    scheduler: Scheduler, futures: set[Future], timeout: float | None
) -> tuple[set[Future], set[Future]]:
    """Wait until one is over, or so long; those that are over, and the others."""
    if not any(future.done() for future in futures):
        task = scheduler.current
        for future in futures:
            future.waiters.append(task)
        scheduler.block(timeout)
        for future in futures:
            future.waiters = [each for each in future.waiters if each is not task]
    done = {future for future in futures if future.done()}
    return done, futures - done
