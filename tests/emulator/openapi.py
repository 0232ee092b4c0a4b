"""Zoho's OpenAPI files as a check of answers, and a proxy that records what passes.

The files are Zoho's and lie beside the repository, or where the variable ZOHO_OPENAPI says. Where they are not there,
`Forms` checks what holds of every answer. They are taken as they are but for these oddities:
- `$ref`s name raw web addresses of sibling files; those resolve to the files at hand, an absent one to anything.
- `oneOf` lists forms that overlap (few name required keys), so it is read as `anyOf`; in return an answer with `data`
  has to match the form with `data`, and an error has to have code, details, message and status.
- `bulk_write.json` types `file_id` as an integer; the service sends a numeric string. It types the `value` of a
  `default_value` as an object; a layout's is an id, and the official SDK takes anything.
- `maximum_length` in details is a number in `common.json` and was recorded as one; `record.json` types it as text.
- `external` of a field that is none was recorded as null, where `fields.json` wants an object.
- Keys of a job's mapping that its request left out were recorded as null, where `bulk_write.json` wants text.
- Page tokens of a list without a further page were recorded as null, where `record.json` wants text.
- `duplicate_field` of an insert is null in Zoho's own samples, though not marked nullable.
- `message` lists samples as an enumeration; messages name fields and files, so any text is taken.
- A few codes that Zoho's pages document are missing from the files' lists of codes (`CODES_OF_THE_PAGES`).
- Only status 200 is listed for record writes; 207 and 400 carry the same body.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FOLDER = Path(os.environ.get("ZOHO_OPENAPI") or Path(__file__).resolve().parents[2].parent / "shared" / "zoho-openapi")
FILES = ("bulk_write", "coql", "fields", "layouts", "modules", "org", "record", "users", "common")
CODES_OF_THE_PAGES = ["MULTIPLE_OR_MULTI_ERRORS", "INVALID_CALLBACK_URL"]
INVALID_MODULE_IN_LAYOUTS = "InvalidModule"  # layouts.json alone writes it so
NULL_IN_RECORDINGS = {
    ("fields", "external"),
    *(("record", key) for key in ("next_page_token", "previous_page_token", "page_token_expiry")),
    *(("bulk_write", key) for key in ("default_value", "find_by", "format", "index", "module")),
}
"""File and key of what was recorded as null."""
ERROR_KEYS = {"code", "details", "message", "status"}
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")

formats = FormatChecker(formats=())


@formats.checks("date-time")
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or DATE_TIME.fullmatch(value) is not None


@dataclass
class Answer:
    method: str
    path: str
    status: int
    content_type: str
    body: bytes


def _as_recorded(node: dict[str, Any], name: str, key: str) -> dict[str, Any]:
    """A part of a file as recordings of the live service contradict it."""
    if key == "maximum_length" and "type" in node:
        return {"type": ["integer", "string"]}
    if (name, key) in NULL_IN_RECORDINGS:
        return {**node, "nullable": True}
    return node


class Forms:
    """Checks what holds of every answer; `checked` lists each endpoint and status that it saw."""

    against = "for their form, without Zoho's OpenAPI files"

    def __init__(self) -> None:
        self.checked: dict[tuple[str, str, int], int] = {}

    def faults(self, answers: list[Answer]) -> list[str]:
        """What is not as it has to be, each once; answers about tokens are in no file."""
        told: dict[str, None] = {}
        for answer in answers:
            if "/oauth/" not in answer.path:
                try:
                    self.check(answer)
                except AssertionError as error:
                    told[str(error)] = None
        return list(told)

    def check(self, answer: Answer) -> None:
        """Raise AssertionError unless the answer has the form that its kind has everywhere."""
        path = urlsplit(answer.path).path.replace("//", "/")
        if "/bulk-write/" in path:
            self._check_download(answer)
            return
        self._count(answer.method, re.sub(r"/\d+(?=/|$)", "/{id}", path), answer.status)
        if answer.status == 204:
            assert answer.body == b"", answer
            return
        body = json.loads(answer.body)
        assert isinstance(body, dict), answer
        if answer.status >= 400:
            assert "data" in body or "fields" in body or self.is_error(body), answer
        for error in (body, *body.get("data", []), *body.get("fields", [])):
            assert error.get("status") != "error" or self.is_error(error), answer

    def is_error(self, body: Any) -> bool:
        """Whether a body has what every error has."""
        return isinstance(body, dict) and body.keys() >= ERROR_KEYS

    def _check_download(self, answer: Answer) -> None:
        assert answer.content_type == "application/octet-stream", answer
        assert answer.body[:2] == b"PK", answer
        self._count(answer.method, "/{download_url}", answer.status)

    def _count(self, method: str, template: str, status: int) -> None:
        key = (method, template, status)
        self.checked[key] = self.checked.get(key, 0) + 1

    def report(self) -> str:
        return "\n".join(
            f"  {method:6} {path} {status} x{count}" for (method, path, status), count in sorted(self.checked.items())
        )


class Checker(Forms):
    """Holds answers against the files; the paths of `checked` are written as in the files."""

    against = "against Zoho's OpenAPI files"

    def __init__(self) -> None:
        super().__init__()
        raw = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in FILES}
        self._documents = {name: self._read(document, name) for name, document in raw.items()}
        self._registry = Registry().with_resources(
            [
                (f"oas:/{name}.json", Resource(contents=document, specification=DRAFT202012))
                for name, document in self._documents.items()
            ]
        )
        self._paths: list[tuple[str, str, str, re.Pattern[str]]] = []
        for name, document in self._documents.items():
            for path, operations in document["paths"].items():
                pattern = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))
                self._paths += [(name, path, method, pattern) for method in operations]
        self._paths.sort(key=lambda one: one[1].count("{"))

    def _read(self, node: Any, name: str, key: str = "") -> Any:
        if isinstance(node, list):
            return [self._read(one, name) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node and (name, key) in NULL_IN_RECORDINGS:
            return {"anyOf": [{"type": "null"}, self._read(node, name)]}
        if "$ref" in node:
            address, _, fragment = node["$ref"].partition("#")
            target = Path(address).stem if address else name
            return {"$ref": f"oas:/{target}.json#{fragment}"} if target in FILES else {}
        node = _as_recorded(dict(node), name, key)
        if key in {"message", "file_id", "duplicate_field"} and "type" in node:
            node = {"type": ["string", "null"] if key == "duplicate_field" else "string"}
        if (name, key, node) == ("bulk_write", "value", {"type": "object"}):
            return {}
        if key == "code" and len(node.get("enum", [])) > 1:
            node["enum"] = [*node["enum"], *CODES_OF_THE_PAGES]
        if key == "code" and node.get("enum") == [INVALID_MODULE_IN_LAYOUTS]:
            node["enum"] = ["INVALID_MODULE"]
        nullable = node.pop("nullable", False)
        if "oneOf" in node:
            node["anyOf"] = node.pop("oneOf")
        read = {one: self._read(value, name, one) for one, value in node.items()}
        return {"anyOf": [{"type": "null"}, read]} if nullable else read

    def described(self, method: str, path: str) -> tuple[str, str, str, re.Pattern[str]] | None:
        """The file that tells of a method and path, with the path as the file writes it; None where none does."""
        return next((one for one in self._paths if one[2] == method.lower() and one[3].fullmatch(path)), None)

    def all_described(self) -> set[tuple[str, str]]:
        """Each method and path that the files tell of; `common` holds none but one of no meaning."""
        return {(method.upper(), path) for name, path, method, _ in self._paths if name != "common"}

    def is_error(self, body: Any) -> bool:
        """Whether a body is an error as the file for records has it."""
        schema = {"$ref": "oas:/record.json#/components/schemas/API_Exception"}
        return Draft202012Validator(schema, registry=self._registry).is_valid(body)

    def check(self, answer: Answer) -> None:
        """Raise AssertionError, naming the place, unless the answer satisfies its schema."""
        path = urlsplit(answer.path).path.replace("//", "/")
        found = self.described(answer.method, path)
        if found is None:
            if "/bulk-write/" in path:
                self._check_download(answer)
                return
            raise AssertionError(f"no OpenAPI file tells of {answer.method} {path}")
        name, template, method, _ = found
        self._count(answer.method, template, answer.status)
        if answer.status == 204:
            assert answer.body == b"", answer
            return
        body = json.loads(answer.body)
        schema = self._schema(name, template, method, answer.status, body)
        errors = sorted(
            Draft202012Validator(schema, registry=self._registry, format_checker=formats).iter_errors(body),
            key=lambda error: len(list(error.absolute_path)),
        )
        assert not errors, f"{answer.method} {path} {answer.status}: {_told(errors[0])}"

    def _schema(self, name: str, template: str, method: str, status: int, body: Any) -> dict[str, Any]:
        operation = self._documents[name]["paths"][template][method]
        responses = operation["responses"]
        response = responses.get(str(status)) or (responses["200"] if "data" in body else None)
        if response is None:
            return {"$ref": "oas:/common.json#/components/schemas/API_Exception"}
        while "$ref" in response:
            response = self._follow(response["$ref"])
        schema = response["content"]["application/json"]["schema"]
        forms = schema.get("anyOf", [schema])
        if "data" in body:
            forms = [form for form in forms if "data" in self._resolved(form).get("properties", {})]
            assert forms, f"{template} {status} has no form with `data`"
        elif body.get("status") == "error":
            assert body.keys() >= ERROR_KEYS, body
        for item in body.get("data", []):
            if item.get("status") == "error":
                assert item.keys() >= ERROR_KEYS, item
        return {"anyOf": forms}

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self._follow(schema["$ref"])
        return schema

    def _follow(self, reference: str) -> Any:
        address, _, fragment = reference.partition("#")
        node = self._documents[Path(address).stem]
        for part in fragment.strip("/").split("/"):
            node = node[part]
        return node


def _told(error: Any) -> str:
    deepest = error
    while deepest.context:
        deepest = max(deepest.context, key=lambda inner: len(list(inner.absolute_path)))
    place = "/".join(map(str, deepest.absolute_path))
    return f"{place}: {deepest.message[:300]}"


@dataclass
class Recorder:
    """A proxy in front of an emulator that keeps every answer."""

    target: str
    answers: list[Answer] = field(default_factory=list)

    def __enter__(self) -> Self:
        recorder, target = self, urlsplit(self.target)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
                connection.request(self.command, self.path, body, dict(self.headers.items()))
                response = connection.getresponse()
                content = response.read()
                kind = response.headers.get("Content-Type", "")
                recorder.answers.append(Answer(self.command, self.path, response.status, kind, content))
                self.send_response(response.status)
                for name, value in response.headers.items():
                    if name.lower() not in {"content-length", "connection", "date"}:
                        self.send_header(name, value)
                if response.status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                connection.close()

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - names of the base class

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
