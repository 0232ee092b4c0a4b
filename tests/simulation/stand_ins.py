"""What the product asks the machine for, given by the simulation: time, threads, process ids, random ids, databases.

Nothing of the product is replaced: only the standard library's modules as its modules see them, the HTTP adapter under
`requests`, and the connection class under SQLAlchemy.
"""

from __future__ import annotations

import os
import pkgutil
import random
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED
from importlib import import_module
from typing import Any

import filelock
from simulation import threads as sim
from simulation.scheduler import Scheduler, Task

START = 1_767_254_400.0
"""2026-01-01 08:00 UTC, in seconds since the epoch: when histories begin."""

CRM = "crm"
"""The name of its clock."""

PACKAGES = (
    "sync_databases",
    "sync_processes",
    "sync_ledger",
    "target_zoho_crm",
    "tap_legacy_orders",
    "orders_sync.undoing",
)


class Stage:
    """The history that runs now; the stand-ins ask it."""

    scheduler: Scheduler
    ids: random.Random
    start: float
    """When the history begins, in seconds since the epoch."""
    clock_offset: float = 0.0
    """By how much the databases' clock is ahead of true time."""
    own_offsets: dict[str, float]
    """By how much further one clock is ahead: that of a database (its path), of a machine (`space`), of the CRM."""
    alive: Callable[[int], bool]
    """Tells whether the simulated process of an id lives."""
    file_locks: dict[str, sim.Lock]

    def begin(self, scheduler: Scheduler, seed: int, alive: Callable[[int], bool], start: float = START) -> None:
        """Put another history on."""
        self.scheduler = scheduler
        self.ids = random.Random(seed)
        self.clock_offset = 0.0
        self.start = start
        self.own_offsets = {}
        self.alive = alive
        self.file_locks = {}
        random.seed(seed)

    def true_time(self) -> float:
        """Seconds since the epoch."""
        return self.start + self.scheduler.now

    def database_time(self, path: str = "") -> float:
        """The same by the databases' clock, or by that of one of them."""
        return self.true_time() + self.clock_offset + self.own_offsets.get(path, 0.0)

    def machine_time(self) -> float:
        """The same by the clock of the machine on which the running process lives."""
        return self.true_time() + self.own_offsets.get(self.scheduler.current.process.space, 0.0)

    def crm_time(self) -> float:
        """The same by the CRM's clock."""
        return self.true_time() + self.own_offsets.get(CRM, 0.0)


STAGE = Stage()


class _Local:
    """`threading.local`."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        try:
            return STAGE.scheduler.current.locals[id(self)][name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        STAGE.scheduler.current.locals.setdefault(id(self), {})[name] = value


class _Thread:
    """`threading.Thread`."""

    def __init__(self, target: Callable[..., None], name: str = "thread", daemon: bool = False) -> None:  # noqa: FBT001, FBT002 - as the real one
        del daemon
        self._target = target
        self._name = name
        self._task: Task | None = None

    def start(self) -> None:
        """Start."""
        current = STAGE.scheduler.current
        self._task = STAGE.scheduler.spawn(current.process, self._target, self._name)

    def join(self) -> None:
        """Wait for its end."""
        if self._task is not None:
            STAGE.scheduler.join(self._task)


class _FileLock:
    """`filelock.FileLock`: one holder of a path among all simulated processes; those that die let go."""

    def __init__(self, path: Any, timeout: float, mode: int) -> None:
        del timeout, mode
        self._path = str(path)
        self._lock: sim.Lock | None = None

    def acquire(self) -> None:
        """Take it."""
        self._lock = STAGE.file_locks.setdefault(self._path, sim.Lock(STAGE.scheduler))
        self._lock.acquire()

    def release(self) -> None:
        """Let it go."""
        if self._lock is not None:
            self._lock.release()


class _Os:
    """`os`, where processes are simulated ones."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @staticmethod
    def getpid() -> int:
        """The simulated process's id."""
        return STAGE.scheduler.current.process.pid

    @staticmethod
    def kill(pid: int, signal: int) -> None:
        """Tell whether it lives."""
        if signal != 0:
            raise AssertionError("nobody kills here")
        if not STAGE.alive(pid):
            raise ProcessLookupError(pid)


_THREADING = types.SimpleNamespace(
    Event=lambda: sim.Event(STAGE.scheduler),
    Lock=lambda: sim.Lock(STAGE.scheduler),
    Condition=lambda: sim.Condition(STAGE.scheduler),
    BoundedSemaphore=lambda value: sim.Semaphore(STAGE.scheduler, value),
    Thread=_Thread,
    local=_Local,
)
_TIME = types.SimpleNamespace(
    monotonic=lambda: STAGE.scheduler.now,
    time=lambda: STAGE.machine_time(),  # noqa: PLW0108 - the stage changes
    sleep=lambda seconds: STAGE.scheduler.sleep(seconds),  # noqa: PLW0108 - as above
    clock_gettime=lambda _clock: STAGE.scheduler.now,
    CLOCK_BOOTTIME=7,
    perf_counter=time.perf_counter,
)
_TIME_OF_CRM = types.SimpleNamespace(time_ns=lambda: int(STAGE.crm_time() * 1_000_000_000))
_UUID = types.SimpleNamespace(uuid4=lambda: uuid.UUID(int=STAGE.ids.getrandbits(128)), UUID=uuid.UUID)
_MODULES: dict[Any, Any] = {
    threading: _THREADING,
    time: _TIME,
    os: _Os(),
    uuid: _UUID,
    filelock: types.SimpleNamespace(FileLock=_FileLock, Timeout=filelock.Timeout),
}


def _space() -> str:
    return STAGE.scheduler.current.process.space


def _functions(value: Any) -> list[types.FunctionType]:
    """A function, or those of a class."""
    if isinstance(value, types.FunctionType):
        return [value]
    return (
        [each for each in vars(value).values() if isinstance(each, types.FunctionType)]
        if isinstance(value, type)
        else []
    )


def _give_defaults(function: types.FunctionType) -> None:
    """A clock that stands as a default was taken from the real module."""
    clocks = {time.monotonic: _TIME.monotonic, time.time: _TIME.time}

    def given(value: Any) -> Any:
        return clocks.get(value, value) if isinstance(value, types.BuiltinFunctionType) else value

    function.__defaults__ = function.__defaults__ and tuple(map(given, function.__defaults__))
    if function.__kwdefaults__:
        function.__kwdefaults__ = {name: given(value) for name, value in function.__kwdefaults__.items()}


def _give_pools() -> None:
    workers = import_module("target_zoho_crm.writing.workers")
    for module in (workers, import_module("orders_sync.undoing.setting_back")):
        vars(module)["ThreadPoolExecutor"] = lambda max_workers, thread_name_prefix="pool": sim.Pool(
            STAGE.scheduler, max_workers, thread_name_prefix
        )

    def wait(futures: set[sim.Future], timeout: float | None, return_when: str) -> Any:
        assert return_when == FIRST_COMPLETED
        return sim.wait_for_futures(STAGE.scheduler, futures, timeout)

    workers.wait = wait  # type: ignore[attr-defined]


def install() -> None:
    """Give every module of the product the stand-ins. For the whole life of this (real) process."""
    for package in PACKAGES:
        module = import_module(package)
        for found in pkgutil.walk_packages(module.__path__, f"{package}."):
            import_module(found.name)
    for name, module in sorted(sys.modules.items()):
        if f"{name}.".startswith(tuple(f"{package}." for package in PACKAGES)):
            for attribute, value in list(vars(module).items()):
                if isinstance(value, types.ModuleType) and value in _MODULES:
                    setattr(module, attribute, _MODULES[value])
                if attribute == "process_space":
                    setattr(module, attribute, _space)
                for function in _functions(value):
                    _give_defaults(function)
    vars(import_module("sync_processes.process_identity"))["_stat"] = lambda _pid: []
    _give_pools()
    import_module("zoho_crm_emulator.clock").time = _TIME_OF_CRM  # type: ignore[attr-defined]
