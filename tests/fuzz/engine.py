"""Runs one parser on many inputs for so many seconds of CPU, and says what it found.

With atheris the inputs are led by the coverage of the product's own code; without it they are made at random, from the
kept corpus and from nothing.
"""

from __future__ import annotations

import importlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

PARSERS = ("result_csv", "upsert_answers", "job_answers", "singer_messages", "tap_inputs", "callback_bodies")
CORPUS = Path(__file__).parent / "corpus"
SLOW_SECONDS = 5.0
"""What takes longer is a hang: inputs have at most some kilobytes."""

MEMORY_BYTES = 3 << 30
MOST_BYTES = 2_000
PACKAGES = ("target_zoho_crm", "tap_legacy_orders", "sync_ledger", "sync_databases", "orders_sync")


class Hang(BaseException):
    """An input took too long; no Exception, so that nothing on the way takes it for one and goes on."""


@dataclass
class Findings:
    """What went wrong, each place once, with the shortest input that led there."""

    runs: int = 0
    by_place: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def note(self, error: BaseException, data: bytes) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if any(package in frame.filename for package in PACKAGES)]
        last = (own or frames)[-1]
        place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        if isinstance(error, AssertionError):
            place = f"{place} ({Path(frames[-1].filename).name}:{frames[-1].lineno})"
        known = self.by_place.get(place)
        if known is None or len(data) < len(known[0]):
            self.by_place[place] = data, "".join(traceback.format_exception(error))[-4000:]


def parser(name: str) -> Callable[[bytes], None]:
    run_one: Callable[[bytes], None] = importlib.import_module(f"fuzz.{name}").run_one
    return run_one


def corpus(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def guarded(run_one: Callable[[bytes], None], findings: Findings) -> Callable[[bytes], None]:
    """Runs one input; what goes wrong is noted, and the next input can follow."""

    def hang(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, hang)

    def run(data: bytes) -> None:
        findings.runs += 1
        began = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, SLOW_SECONDS * 4)
        try:
            run_one(data)
            if time.process_time() - began > SLOW_SECONDS:
                raise Hang  # noqa: TRY301 - noted as what a timer would have raised
        except (Exception, Hang) as error:  # noqa: BLE001 - every one of them is a finding
            findings.note(error, data)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return run


def inputs(name: str, seed: int) -> Iterator[bytes]:
    """The kept corpus, then random bytes and changed corpus entries without end."""
    kept = corpus(name)
    yield from kept
    chance = random.Random(seed)  # noqa: S311 - no secret
    while True:
        if kept and chance.random() < 0.3:
            data = bytearray(chance.choice(kept))
            for _ in range(chance.randint(1, 8)):
                data[chance.randrange(len(data) + 1) :][:1] = b""
                at = chance.randrange(len(data) + 1)
                data[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
            yield bytes(data[:MOST_BYTES])
        else:
            yield chance.randbytes(chance.randint(0, 300))


def fuzz(name: str, seconds: float, seed: int, report: Callable[[Findings, str], NoReturn]) -> NoReturn:
    """Fuzz one parser for so many seconds of CPU, and `report` the findings and which engine ran.

    `report` ends the process: atheris takes whatever else ends it for a crash.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        import atheris  # noqa: PLC0415 - where its wheel can be installed
    except ModuleNotFoundError:
        report(fuzz_at_random(name, seconds, seed), "random")
    with atheris.instrument_imports(include=[*PACKAGES, "fuzz"]):
        run_one = parser(name)
    findings = Findings()
    run = guarded(run_one, findings)

    def test_one(data: bytes) -> None:
        run(data)
        if findings.runs % 64 == 0 and time.process_time() > seconds:
            shutil.rmtree(fresh)
            report(findings, "atheris")

    fresh = tempfile.mkdtemp(prefix="fuzz-")
    kept = [str(CORPUS / name)] if (CORPUS / name).is_dir() else []
    options = [f"-max_len={MOST_BYTES}", f"-seed={seed}", "-rss_limit_mb=0", "-timeout=0", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, fresh, *kept], test_one)
    atheris.Fuzz()
    raise AssertionError("the fuzzer returns only by its report")


def fuzz_at_random(name: str, seconds: float, seed: int) -> Findings:
    findings = Findings()
    run = guarded(parser(name), findings)
    for data in inputs(name, seed):
        run(data)
        if time.process_time() > seconds:
            break
    return findings
