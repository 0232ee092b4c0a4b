"""The short form of fuzzing: the kept inputs, and so many made from a fixed seed. The long form: `make fuzz`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from depth import examples
from fuzz.engine import PARSERS, Findings, corpus, guarded, inputs, parser

RUNS = {"singer_messages": examples(250, 500), "tap_inputs": examples(60, 120), "callback_bodies": examples(200, 400)}
"""Whole runs of a plugin, and commits, take longer than single answers."""

OTHER_RUNS = examples(1_250, 2_500)
CORPUS_BYTES_MOST = 20_000


@pytest.fixture
def _as_it_was() -> Iterator[None]:
    """Parsers switch logging off, and move to a folder of their own."""
    folder, level = Path.cwd(), logging.root.manager.disable
    yield
    logging.disable(level)
    os.chdir(folder)


@pytest.mark.usefixtures("_as_it_was")
@pytest.mark.parametrize("name", PARSERS)
def test_whatever_comes_gives_a_clear_error_or_a_right_answer(name: str) -> None:
    findings = Findings()
    run = guarded(parser(name), findings)
    for data in islice(inputs(name, seed=20261122), len(corpus(name)) + RUNS.get(name, OTHER_RUNS)):
        run(data)
    assert findings.runs >= RUNS.get(name, OTHER_RUNS)
    assert not findings.by_place, "\n".join(f"{data!r}: {text}" for data, text in findings.by_place.values())


@pytest.mark.parametrize("name", PARSERS)
def test_the_kept_inputs_are_few_and_small(name: str) -> None:
    kept = corpus(name)
    assert kept
    assert sum(map(len, kept)) <= CORPUS_BYTES_MOST


def test_a_parser_that_fails_hangs_or_lies_is_found() -> None:
    """The harness itself: an exception, an assertion and a hang are findings, each place once."""

    def run_one(data: bytes) -> None:
        if data == b"hang":
            raise KeyboardInterrupt
        assert data != b"lie", "wrong"
        if data.startswith(b"x"):
            raise ValueError(data)

    findings = Findings()
    run = guarded(run_one, findings)
    for data in (b"fine", b"lie", b"xyz", b"x"):
        run(data)
    with pytest.raises(KeyboardInterrupt):
        run(b"hang")
    assert findings.runs == 5
    assert sorted(data for data, _ in findings.by_place.values()) == [b"lie", b"x"]
