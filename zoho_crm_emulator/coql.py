"""COQL: `select` with `where` (=, !=, <, >, in, not in, like, between, is null, and, or), order, limit and offset."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.conditions import Translator, make_indexes
from zoho_crm_emulator.record_reading import COLUMNS, Reader
from zoho_crm_emulator.refusals import Refused

MOST_ROWS = 2000
DEFAULT_ROWS = 200
MOST_COLUMNS = 50
COMPARISONS = frozenset({"=", "!=", "<", ">", "<=", ">="})
TOKEN = re.compile(
    r"\s+|(?P<text>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_$][\w$.]*)|(?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,)"
)


@dataclass
class Query:
    """A parsed query: what to select, an SQL condition, and the window."""

    columns: list[str] = field(default_factory=list)
    module: str = ""
    condition: list[Any] = field(default_factory=list)
    order: list[tuple[str, str]] = field(default_factory=list)
    limit: int = DEFAULT_ROWS
    offset: int = 0


class Parser:
    """Reads one query; raises Refused with SYNTAX_ERROR where it breaks off."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None:
                raise self.error(text[position : position + 10], position)
            if match.lastgroup:
                self._tokens.append((match.lastgroup, match[0]))
            position = match.end()
        self._at = 0

    def error(self, near: str, column: int = 0) -> Refused:
        """The refusal of a query that breaks off near these words."""
        return Refused(
            "SYNTAX_ERROR", {"line": 1, "column": column, "near": near}, "error occurred while parsing the query"
        )

    def _peek(self) -> str:
        return self._tokens[self._at][1].lower() if self._at < len(self._tokens) else ""

    def _next(self, *kinds: str) -> str:
        if self._at >= len(self._tokens):
            raise self.error("<end>", len(self._text))
        kind, text = self._tokens[self._at]
        if kinds and kind not in kinds:
            raise self.error(text)
        self._at += 1
        return text

    def _word(self, *expected: str) -> None:
        for word in expected:
            if self._peek() != word:
                raise self.error(self._peek() or "<end>")
            self._at += 1

    def _may(self, word: str) -> bool:
        if self._peek() == word:
            self._at += 1
            return True
        return False

    def query(self) -> Query:
        """The whole query."""
        query = Query()
        self._word("select")
        query.columns.append(self._next("word"))
        while self._may(","):
            query.columns.append(self._next("word"))
        self._word("from")
        query.module = self._next("word")
        if self._peek() != "where":
            raise Refused("SYNTAX_ERROR", {"clause": "where"}, "missing clause")
        self._word("where")
        query.condition = self._either()
        if self._may("order"):
            self._word("by")
            query.order.append(self._order())
            while self._may(","):
                query.order.append(self._order())
        if self._may("limit"):
            first = int(self._next("number"))
            if self._may(","):
                query.offset, query.limit = first, int(self._next("number"))
            else:
                query.limit = first
        if self._may("offset"):
            query.offset = int(self._next("number"))
        if self._at < len(self._tokens):
            raise self.error(self._peek())
        return query

    def _order(self) -> tuple[str, str]:
        name = self._next("word")
        if self._may("desc"):
            return name, "DESC"
        self._may("asc")
        return name, "ASC"

    def _either(self) -> list[Any]:
        parts = [self._both()]
        while self._may("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else ["or", *parts]

    def _both(self) -> list[Any]:
        parts = [self._condition()]
        while self._may("and"):
            parts.append(self._condition())
        return parts[0] if len(parts) == 1 else ["and", *parts]

    def _condition(self) -> list[Any]:
        if self._may("("):
            inner = self._either()
            self._word(")")
            return inner
        name = self._next("word")
        if self._may("is"):
            negative = self._may("not")
            self._word("null")
            return ["not null" if negative else "null", name]
        negative = self._may("not")
        if self._may("in"):
            self._word("(")
            values = [self._value()]
            while self._may(","):
                values.append(self._value())
            self._word(")")
            return ["not in" if negative else "in", name, values]
        if self._may("like"):
            return ["not like" if negative else "like", name, self._value()]
        if self._may("between"):
            low = self._value()
            self._word("and")
            return ["between", name, low, self._value()]
        sign = self._next("sign")
        sign = "!=" if sign == "<>" else sign
        if negative or sign not in COMPARISONS:
            raise self.error(sign)
        return [sign, name, self._value()]

    def _value(self) -> Any:
        text = self._next("text", "number", "word")
        if text[0] in "'\"":
            return re.sub(r"\\(.)|''", lambda found: found[1] or "'", text[1:-1])
        if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        if text[0].isdigit() or text[0] == "-":
            return int(text) if "." not in text else Decimal(text)
        raise self.error(text)


def parsed(call: Call) -> Query:
    """The query of a call."""
    body = call.json
    text = body.get("select_query") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise Refused(
            "SYNTAX_ERROR", {"line": 1, "column": 0, "near": "<end>"}, "error occurred while parsing the query"
        )
    return Parser(text).query()


def _check_ids(condition: list[Any]) -> None:
    """Refuse a value for `id` that no id can be."""
    kind, *parts = condition
    if kind in {"and", "or"}:
        for part in parts:
            _check_ids(part)
    elif parts[0] == "id":
        values = [one for part in parts[1:] for one in (part if isinstance(part, list) else [part])]
        if not all(str(value).isascii() and str(value).isdigit() for value in values):
            details = {"expected_data_type": "bigint", "column_name": "id", "operator": kind}
            raise Refused("INVALID_QUERY", details, "invalid query formed")


def cost(call: Call) -> int:
    """Credits by the rows asked for: 1 up to 200, 2 up to 1,000, 3 up to 2,000."""
    try:
        rows = parsed(call).limit
    except Refused:
        return 1
    return 1 if rows <= 200 else 2 if rows <= 1000 else 3  # noqa: PLR2004 - the steps of Zoho CRM API v8, API limits


def coql(call: Call) -> Answer:
    """POST /crm/v8/coql."""
    query = parsed(call)
    view = call.emulator.catalog.get(query.module)
    if view is None:
        raise Refused("INVALID_QUERY", {"module": query.module}, "The module name given seems to be invalid")
    if len(query.columns) > MOST_COLUMNS or query.limit > MOST_ROWS or query.limit < 1:
        raise Refused("LIMIT_EXCEEDED", {"limit": MOST_ROWS, "clause": "limit"}, "limit exceeded")
    checker = Translator(view)
    for name in query.columns:
        if name not in {"Created_By", "Modified_By"}:
            checker.column(name)
    _check_ids(query.condition)
    translator = Translator(view)
    condition = translator.condition(query.condition)
    make_indexes(call.emulator.store, view, translator.lookups)
    order = ", ".join(f"{translator.column(name)} {way}" for name, way in query.order) or "id"
    rows = (
        call.emulator.store.read()
        .execute(
            f"SELECT {COLUMNS} FROM records WHERE +module = ? AND {condition} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            (view.id, *translator.parameters, query.limit + 1, query.offset),
        )
        .fetchall()
    )
    more = len(rows) > query.limit
    names = [name.partition(".")[0] for name in query.columns]
    data = Reader(call.emulator, view, call.switches.time_zone).records(rows[: query.limit], names)
    if not data:
        return Answer(None, 204)
    return Answer({"data": data, "info": {"count": len(data), "more_records": more}}, note={"records": len(data)})
