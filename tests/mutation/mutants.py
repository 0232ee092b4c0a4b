"""The mutants of the code: small changes by cosmic-ray's operators, one of which never says whether a test sees it.

A mutant's id depends on what stands where it changes something, not on line numbers or on other mutants.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import parso.python.tree
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

SAME_BY_DESIGN = re.compile(r"Comparison.*(_Is_Eq|_Eq_Is|_IsNot_NotEq|_NotEq_IsNot)$")
"""`is` for `==` and back: enumerations, None and short texts know no difference."""

LOG_CALL = re.compile(r"(\w+\.)*_?log(ger)?\.")


class RemoveStatement(Operator):
    """A call whose value nobody takes, or a raise, is left out; cosmic-ray has none for that. Log lines are kept."""

    def mutation_positions(self, node: parso.python.tree.PythonNode) -> Iterator[tuple[object, object]]:
        """The statement, if it is one of these."""
        if node.type == "simple_stmt":
            first = node.children[0]
            call = first.type == "atom_expr" and first.children[-1].get_code().strip().endswith(")")
            if (call or first.type == "raise_stmt") and not LOG_CALL.match(first.get_code().strip()):
                yield first.start_pos, first.end_pos

    def mutate(self, node: parso.python.tree.PythonNode, index: int) -> parso.python.tree.PythonNode:
        """Put `pass` in its place."""
        del index
        node.children[0] = parso.parse(node.children[0].get_first_leaf().prefix + "pass")
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        """None; test_mutation.py has some."""
        return ()


@dataclass(frozen=True)
class Mutant:
    """`operator` applied to its `occurrence`-th place in `file`; `line` and `column` count from 1 and 0."""

    id: str
    file: str
    line: int
    column: int
    definition: str
    operator: str
    occurrence: int

    def applied(self, text: str) -> str | None:
        """The file's text with the mutation; None where that is no Python, or no change."""
        mutated = mutate_code(text, _operators()[self.operator], self.occurrence)
        try:
            same = mutated is None or ast.dump(ast.parse(mutated)) == ast.dump(ast.parse(text))
        except SyntaxError:
            return None
        return None if same else mutated


def change(text: str, mutated: str) -> str:
    """The first line that differs, before and after."""
    lines = zip(text.splitlines(), mutated.splitlines(), strict=False)
    before, after = next((pair for pair in lines if pair[0] != pair[1]), ("", "the end is missing"))
    return f"{before.strip()}  ->  {after.strip()}"


@cache
def _operators() -> dict[str, Operator]:
    found = {name.removeprefix("core/"): get_operator(name) for name in operator_names()}
    # Those with arguments replace variables of names that one must list.
    usable = {name: each() for name, each in found.items() if not each.arguments() and not SAME_BY_DESIGN.search(name)}
    return {**usable, "RemoveStatement": RemoveStatement()}


def mutants_of(file: str, text: str) -> list[Mutant]:
    """All mutants of a file."""
    tree, lines, seen = ast.parse(text), text.splitlines(), Counter[str]()
    left_out, definitions = list(_left_out(tree)), list(_definitions(tree))
    nodes = list(ast_nodes(get_ast(text)))
    found = []
    for name, operator in _operators().items():
        positions = (position for node in nodes for position in operator.mutation_positions(node))
        for occurrence, (start, _) in enumerate(positions):
            if any(first <= start < end for first, end in left_out):
                continue
            line, column = start
            definition = max((each for each in definitions if each[0] <= line <= each[1]), default=(0, 0, ""))[2]
            stands = lines[line - 1]
            place = column - (len(stands) - len(stands.lstrip()))
            digest = "\0".join([file, definition, stands.strip(), str(place), name])
            seen[digest] += 1  # one place has two mutants of one operator, and one line may stand twice
            key = hashlib.sha256(f"{digest}\0{seen[digest]}".encode()).hexdigest()[:10]
            found.append(Mutant(key, file, line, column, definition, name, occurrence))
    return found


def sample(mutants: Iterable[Mutant], seed: int) -> list[Mutant]:
    """The mutants in the order that the seed gives them, one a place: a sum with eleven operators counts once.

    The order of two of them is the same whatever else is in the list, so that a change in one file changes little.
    """

    def drawn(mutant: Mutant) -> str:
        return hashlib.sha256(f"{seed} {mutant.id}".encode()).hexdigest()

    places: dict[tuple[str, int, int], Mutant] = {}
    for mutant in sorted(mutants, key=drawn):
        places.setdefault((mutant.file, mutant.line, mutant.column), mutant)
    return list(places.values())


Position = tuple[int, int]


def _left_out(tree: ast.Module) -> Iterator[tuple[Position, Position]]:
    """What does nothing when the code runs: annotations, and the settings of dataclasses, which only forbid."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = (
                *node.args.posonlyargs,
                *node.args.args,
                *node.args.kwonlyargs,
                node.args.vararg,
                node.args.kwarg,
            )
            yield from _ranges([node.returns, *(each.annotation for each in arguments if each)])
        elif isinstance(node, ast.AnnAssign):
            yield from _ranges([node.annotation])
        elif isinstance(node, ast.ClassDef):
            yield from _ranges([each for each in node.decorator_list if "dataclass" in ast.unparse(each)])
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _ranges([node])


def _ranges(nodes: Sequence[ast.expr | ast.stmt | None]) -> Iterator[tuple[Position, Position]]:
    for node in nodes:
        if node is not None and node.end_lineno is not None and node.end_col_offset is not None:
            # parso's decorator begins at its @
            yield (node.lineno, max(0, node.col_offset - 1)), (node.end_lineno, node.end_col_offset)


def _definitions(node: ast.AST, within: str = "") -> Iterator[tuple[int, int, str]]:
    """First and last line, and name, of each class and function; the inner ones begin later."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{within}.{child.name}" if within else child.name
            first = min([child.lineno, *(each.lineno for each in child.decorator_list)])
            yield first, child.end_lineno or first, name
            yield from _definitions(child, name)
        else:
            yield from _definitions(child, within)
