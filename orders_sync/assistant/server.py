"""The server that an assistant speaks to over standard input and output: each tool a question, none a change."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from typing import Any, ParamSpec, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from orders_sync.assistant.questions import Commands, QuestionError, found_in_docs, meaning_of, page, pages

INSTRUCTIONS = (
    "Answers about orders on their way from a legacy SQL database into Zoho CRM. Nothing here changes anything: what "
    "is to be changed, a person does by the command that an answer names. Begin with `status`; `problems` has what was "
    "refused and why; `history` has one order's story. Times are UTC, or say their zone."
)
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def server(commands: Commands) -> MCPServer:
    """The server, with its tools."""
    made = MCPServer(
        "orders-sync", instructions=INSTRUCTIONS, version=version("orders-sync"), log_level="ERROR", subscriptions=False
    )
    for question in (*_of_orders(commands), *_of_runs(commands), *_of_docs()):
        made.add_tool(_clear(question), annotations=READS, structured_output=False)
    return made


def _clear(question: Callable[_Arguments, _Answer]) -> Callable[_Arguments, _Answer]:
    """The question, whose failure is one line to the assistant."""

    @wraps(question)
    def asked(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Answer:
        try:
            return question(*arguments, **named)
        except QuestionError as error:
            raise ToolError(str(error)) from error

    return asked


def _of_orders(commands: Commands) -> tuple[Callable[..., Any], ...]:
    def status(stream: str | None = None) -> Any:
        """What became of the orders of each stream: acks by status, jobs, what is in doubt, runs, credits, unsynced."""
        return commands.ask("status", *_stream(stream))

    def problems(stream: str | None = None) -> Any:
        """Refused orders by cause, with Zoho's code and message, keys, and what to do."""
        return commands.ask("problems", *_stream(stream))

    def history(key: str, stream: str | None = None) -> Any:
        """One order's versions, runs, calls and jobs, Zoho's answers, and what happens next and when."""
        return commands.ask("history", *_stream(stream), "--", key)

    def plan() -> Any:
        """What the next run would do: orders, jobs, calls, credits, and why. Reads the orders' table; asks no CRM."""
        return commands.ask("plan", "--offline")

    return status, problems, history, plan


def _of_runs(commands: Commands) -> tuple[Callable[..., Any], ...]:
    def runs(last: int = 20, stream: str | None = None) -> Any:
        """The last runs: how each ended, what it counted, its credits, and the sums."""
        return commands.ask("runs", "--last", str(last), *_stream(stream))

    def settings() -> Any:
        """The settings of tap and target, and where each was found; secrets are hidden."""
        return commands.ask("doctor", "--settings")

    return runs, settings


def _of_docs() -> tuple[Callable[..., Any], ...]:
    def meaning(code: str) -> Any:
        """What a code of `problems` or of a log line means, and what to do about it."""
        return meaning_of(code)

    def search_docs(words: str) -> Any:
        """Sections of the docs that have all of these words, at most ten."""
        return found_in_docs(words)

    def read_docs(name: str | None = None) -> Any:
        """A page of the docs; without a name, the names of all."""
        return sorted(pages()) if name is None else page(name)

    return meaning, search_docs, read_docs


def _stream(name: str | None) -> tuple[str, ...]:
    return () if name is None else ("--stream", name)
