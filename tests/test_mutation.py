"""`make mutate` on a tiny made-up project: which mutants there are, which are drawn, and what notices each."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from copied_project import ROOT, project
from mutation import parts, results, survivors, trial
from mutation.mutants import Mutant, change, mutants_of, sample
from mutation.results import Result
from mutation.survivors import Survivor
from mutation.tests_of_lines import TestsOfLines, collect, quickest, what_shows

SHOP = '''"""A made-up shop."""

from __future__ import annotations

from dataclasses import dataclass

LIMIT: int | None = 3


@dataclass(frozen=True)
class Order:
    """One."""

    lines: int


def is_large(order: Order, most: int | None = None) -> bool:
    """Whether it has more lines than it may."""
    return order.lines > (most or LIMIT)


def refuse(order: Order) -> None:
    """Refuse it if it is."""
    if is_large(order):
        raise ValueError(order)


def unused(order: Order) -> int:
    """No test comes here."""
    return order.lines + 1
'''
TESTS = """
import os
import subprocess
import sys
import pytest
from shop import LIMIT, Order, is_large, refuse


@pytest.mark.parametrize("lines", [4, LIMIT + 6])
def test_a_large_order_is_refused(lines):
    with pytest.raises(ValueError):
        refuse(Order(lines))


def test_a_small_order_is_not_large():
    assert not is_large(Order(1))


def test_that_fails():
    assert is_large(Order(1))


def test_a_process_of_its_own():
    subprocess.run([sys.executable, "-c", "import shop; shop.refuse(shop.Order(1))"], check=True)
"""
SIMULATION = """
import sys
from shop import Order, is_large
first, seeds = (int(sys.argv[sys.argv.index(name) + 1]) for name in ("--first", "--seeds"))
if first <= 150 < first + seeds and is_large(Order(3)):
    sys.exit(print("seed 150: an order was lost") or 1)
"""


def made(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"shop.py": SHOP, "tests/shop/test_shop.py": TESTS, "tests/simulation/__main__.py": SIMULATION}
    return made(tmp_path_factory.mktemp("shop"), files)


def mutant(operator: str, was: str, nth: int = 0) -> tuple[Mutant, str]:
    """The nth mutant by this operator on the line that holds `was`, and the text with it."""
    line = next(number for number, text in enumerate(SHOP.splitlines(), 1) if was in text)
    found = [each for each in mutants_of("shop.py", SHOP) if (each.operator, each.line) == (operator, line)][nth]
    text = found.applied(SHOP)
    assert text is not None
    return found, text


def judged(shop: Path, text: str, tests: list[str]) -> trial.Verdict:
    before = (shop / "shop.py").read_bytes()
    verdict = trial.judged(shop, "shop.py", text, tests)
    assert (shop / "shop.py").read_bytes() == before
    return verdict


def test_annotations_and_what_dataclasses_forbid_have_no_mutants() -> None:
    places = {(each.line, each.operator) for each in mutants_of("shop.py", SHOP)}
    lines = SHOP.splitlines()
    assert {lines[line - 1] for line, _ in places} == {
        "LIMIT: int | None = 3",
        "    return order.lines > (most or LIMIT)",
        "    if is_large(order):",
        "        raise ValueError(order)",
        "    return order.lines + 1",
    }
    assert {operator for line, operator in places if line == lines.index("LIMIT: int | None = 3") + 1} == {
        "NumberReplacer"
    }


def test_a_mutant_says_what_it_changes() -> None:
    _, text = mutant("ReplaceComparisonOperator_Gt_GtE", "order.lines >")
    assert change(SHOP, text) == ("return order.lines > (most or LIMIT)  ->  return order.lines >= (most or LIMIT)")
    _, text = mutant("RemoveStatement", "raise")
    assert change(SHOP, text) == "raise ValueError(order)  ->  pass"
    _, text = mutant("NumberReplacer", "LIMIT: int", 1)
    assert change(SHOP, text) == "LIMIT: int | None = 3  ->  LIMIT: int | None = 2"


def test_an_id_stays_while_other_lines_come_and_go() -> None:
    later = SHOP.replace("LIMIT: int", "OTHER = 1 + 2\n\n\nLIMIT: int")
    ids = {each.id for each in mutants_of("shop.py", SHOP)}
    assert len(ids) == len(mutants_of("shop.py", SHOP))
    assert ids < {each.id for each in mutants_of("shop.py", later)}


def test_log_lines_stay() -> None:
    text = "def f():\n    self.log.warning(1)\n    logger.info(2)\n    self.call(3)\n    login(4)\n"
    removed = [each.line for each in mutants_of("f.py", text) if each.operator == "RemoveStatement"]
    assert removed == [4, 5]


def test_a_sample_has_one_mutant_a_place_and_the_seed_decides() -> None:
    every = mutants_of("shop.py", SHOP)
    drawn = sample(every, 1)
    assert len(drawn) == len({(each.line, each.column) for each in every})
    assert drawn == sample(reversed(every), 1)
    assert drawn != sample(every, 2)


def test_what_was_drawn_stays_in_its_order_when_mutants_come() -> None:
    more = mutants_of("other.py", SHOP)
    both = [each for each in sample([*mutants_of("shop.py", SHOP), *more], 1) if each.file == "shop.py"]
    assert both == sample(mutants_of("shop.py", SHOP), 1)


@pytest.mark.nightly
def test_the_tests_of_a_line_are_those_that_passed_and_ran_it_in_a_process_of_their_own_too(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(shop, {"tests/mutation/coverage.ini": (ROOT / "tests/mutation/coverage.ini").read_text() + "    shop\n"})
    made(shop, {"tests/mutation/timing.py": (ROOT / "tests/mutation/timing.py").read_text()})
    monkeypatch.setattr("mutation.tests_of_lines.COLLECTED", ("shop",))
    collect(shop, tmp_path, 1)
    (tmp_path / "shop" / "coverage.of.a.killed.child").write_bytes(b"half a file")
    lines = TestsOfLines(shop, tmp_path)

    def functions(was: str) -> set[str]:
        line = next(number for number, text in enumerate(SHOP.splitlines(), 1) if was in text)
        return {each.partition("::")[2] for each in lines.chosen("shop.py", SHOP, line)}

    refused = {"test_a_large_order_is_refused[4]", "test_a_large_order_is_refused[9]"}
    every = {*refused, "test_a_small_order_is_not_large", "test_a_process_of_its_own"}
    assert functions("raise ValueError") == refused
    assert functions("order.lines >") == functions("LIMIT: int") == functions("def is_large") == every
    assert functions("if is_large") == {*refused, "test_a_process_of_its_own"}
    assert functions("order.lines + 1") == set()


def test_the_quickest_tests_come_first_and_one_of_each_function_before_a_second() -> None:
    seconds = {f"t.py::test_a[{number}]": number / 100 for number in range(30)}
    chosen = quickest({**seconds, "t.py::test_b": 5.0, "t.py::test_c": 2.0, "t.py::test_d": 90.0})
    assert chosen == ["t.py::test_a[0]", "t.py::test_c", "t.py::test_b"]
    assert quickest({"t.py::test_d": 90.0}) == ["t.py::test_d"]
    assert len(quickest(seconds)) == 20


def test_a_mutant_on_an_except_line_is_shown_by_who_comes_there() -> None:

    text = "def f():\n    try:\n        g()\n    except (\n        OSError,\n    ):\n        pass\n"
    assert what_shows(ast.parse(text), 4) == ({2, 4}, [])


TEST = "tests/shop/test_shop.py::test_a_large_order_is_refused[4]"


def test_a_test_that_fails_kills_and_is_named(shop: Path) -> None:
    _, text = mutant("RemoveStatement", "raise")
    verdict = judged(shop, text, ["tests/shop/test_shop.py::test_a_small_order_is_not_large", TEST])
    assert (verdict.fate, verdict.by) == ("killed", TEST)


@pytest.mark.nightly
def test_what_cannot_be_imported_is_dead(shop: Path) -> None:
    verdict = judged(shop, SHOP.replace("= 3", '= 3 % "x"'), [TEST])
    assert (verdict.fate, verdict.by) == ("killed", "tests/shop/test_shop.py")


@pytest.mark.nightly
def test_a_mutant_that_changes_the_names_of_tests_is_dead(shop: Path) -> None:
    _, text = mutant("NumberReplacer", "LIMIT: int")
    verdict = judged(shop, text, [TEST.replace("[4]", "[9]")])
    assert (verdict.fate, verdict.by) == ("killed", "pytest ended 4")


def test_what_the_tests_let_pass_a_history_may_kill(shop: Path) -> None:
    _, text = mutant("ReplaceComparisonOperator_Gt_GtE", "order.lines >")
    verdict = judged(shop, text, [TEST])
    assert (verdict.fate, verdict.by, verdict.tests) == ("killed", "seed 150: an order was lost", 1)


def test_what_nothing_notices_survives(shop: Path) -> None:
    _, text = mutant("NumberReplacer", "order.lines + 1")
    assert judged(shop, text, [TEST]).fate == "survived"


def test_what_hangs_is_ended_and_not_called_killed(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS_MOST", 1)
    verdict = judged(shop, SHOP.replace("    if is_large", "    while True: pass\n    if is_large"), [TEST])
    assert verdict.fate == "out of time"


@pytest.mark.nightly
def test_a_test_that_is_not_there_is_an_error_and_kills_nothing(shop: Path) -> None:
    with pytest.raises(trial.TrialError):
        judged(shop, SHOP, ["tests/shop/test_shop.py::test_of_yesterday"])


def result_of(key: str, fate: str, by: str = "") -> Result:
    facts = {"file": "shop.py", "definition": "f", "operator": "AddNot", "change": "a  ->  not a", "commit": "c1"}
    return Result(id=key, line=1, fate=fate, by=by, tests=2, seconds=1.0, file_hash="h1", **facts)


def test_a_second_call_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "new" / "mutation.json"
    every = [result_of("1", "killed", "t"), result_of("2", "survived"), result_of("3", "out of time")]
    assert results.read(file) == {}
    results.write(file, 1, "c1", every)
    known = results.read(file)
    assert list(known.values()) == every
    assert [known[each].holds("c1", "h1") for each in "123"] == [True, True, False]
    assert [known[each].holds("c2", "h1") for each in "123"] == [True, False, False]
    assert [known[each].holds("c1", "h2") for each in "123"] == [False, False, False]


def test_the_table_says_what_nobody_has_judged() -> None:
    every = [result_of(str(number), "killed", "seed 3: lost" if number == 9 else "t.py::t") for number in range(10)]
    every += [result_of("x", "survived"), result_of("y", "out of time")]
    judgements = {"x": Survivor("x", "equivalent", "shop.py:f", "no order has 0 lines")}
    lines = results.table(every, {"shop.py": "selection"}, judgements)
    assert lines[1].split() == ["selection", "12", "9", "1", "1", "1", "1", "90.9%"]
    assert "equivalent: no order has 0 lines" in lines[4]
    assert "NOT JUDGED (out of time, 2 tests)" in lines[5]
    assert lines[-1] == "12 mutants by a tool, 10 killed, 1 equivalent, 1 not judged"
    assert not results.enough(every, judgements)
    accepted = {**judgements, "y": Survivor("y", "accepted", "shop.py:f", "a log line")}
    assert not results.enough(every, accepted), "1 equivalent of 12 is too many"
    assert results.enough([*every, *(result_of(f"k{number}", "killed", "t") for number in range(20))], accepted)


def test_a_judgement_that_does_not_fit_the_code_any_more_is_named(tmp_path: Path) -> None:
    made(tmp_path, {"shop.py": SHOP})
    found, _ = mutant("RemoveStatement", "raise")
    fits = f"{found.id} accepted shop.py:refuse said elsewhere\n"
    assert survivors.complaints(survivors.read(f"# judged\n\n{fits}"), tmp_path) == []
    wrong = f"{fits}{fits}0123456789 accepted shop.py:refuse x\n{found.id} lucky no.py:refuse x\n"
    complaints = survivors.complaints(survivors.read(wrong), tmp_path)
    assert [each.partition(" ")[2] for each in complaints] == [
        "stands twice",
        "is no mutant of shop.py:refuse any more: look at it again, or take it out",
        "'lucky' is neither equivalent nor accepted",
        "stands twice",
        "is no mutant of no.py:refuse any more: look at it again, or take it out",
    ]


def test_judged_survivors_fit_the_code() -> None:
    assert survivors.complaints(survivors.read(survivors.LIST.read_text(encoding="utf-8")), ROOT) == []


def test_every_part_has_files() -> None:
    missing = {pattern for patterns in parts.PARTS.values() for pattern in patterns if not list(ROOT.glob(pattern))}
    assert missing <= {"target_zoho_crm/compare/*.py"}, "that room has no file yet"


def test_mutants_are_made_in_a_copy(tmp_path: Path) -> None:
    made(tmp_path, {"shop.py": SHOP, "notes.txt": "not tracked"})
    for words in (["init", "-q"], ["add", "shop.py"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    with project(tmp_path) as copy:
        assert [each.name for each in copy.iterdir()] == ["shop.py"]
        assert (copy / "shop.py").read_text() == SHOP
    assert not copy.exists()
