"""Zoho's token endpoint: one question, and an answer that is a token or the right error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from target_zoho_crm.api.errors import CODES, AnswerError, ConfigurationError, QuotaError, TransientError
from target_zoho_crm.api.plain_text import NotJsonError, code_of, json_of

TIMEOUT = (10.0, 60.0)
"""Connect and read limit of one request, in seconds."""

_BODY_BYTES = 64 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]{1,2048}")  # what a header can carry


def ask_for_token(
    accounts_url: str,
    form: Mapping[str, str],
    session: Callable[[], requests.Session] = requests.Session,
    timeout: tuple[float, float] = TIMEOUT,
) -> dict[str, Any]:
    """Post `form` once; gives the answer's body, which surely holds an `access_token`.

    Raises:
        ConfigurationError: Zoho does not take the credentials; the message says which and what to do.
        TransientError: the accounts server cannot be reached.
        QuotaError: it gives no more tokens for now.
        AnswerError: the answer is none of Zoho's.
    """
    host = urlsplit(accounts_url).netloc
    try:
        with session() as own:
            answer = own.post(
                f"{accounts_url}/oauth/v2/token",
                data=dict(form),
                timeout=timeout,
                allow_redirects=False,
                auth=lambda request: request,  # else a ~/.netrc entry would add its own header
                stream=True,
            )
            content = _start_of(answer)
    except requests.exceptions.SSLError as error:
        raise ConfigurationError("TLS_FAILED", f"{host}: {CODES['TLS_FAILED'].remedy}") from error
    except requests.exceptions.RequestException as error:
        message = f"No token from {host} ({type(error).__name__}). {CODES['NO_CONNECTION'].remedy}"
        raise TransientError("NO_CONNECTION", message) from error
    return _read(host, answer, content)


def _start_of(answer: requests.Response) -> bytes:
    """The body as far as one is read; a longer one is no answer of Zoho's."""
    content = b""
    for block in answer.iter_content(_BODY_BYTES):
        content += block
        if len(content) > _BODY_BYTES:
            break
    return content[:_BODY_BYTES]


def _read(host: str, answer: requests.Response, content: bytes) -> dict[str, Any]:
    """Errors come as HTTP 200 too, so the body decides and not the status."""
    try:
        body = json_of(content)
    except NotJsonError:
        body = None
    body = body if isinstance(body, dict) else {}
    error, value = code_of(body.get("error")), body.get("access_token")
    if error:
        code = "ACCESS_DENIED" if error.lower().replace("_", " ") == "access denied" else error
        info = CODES.get(code)
        text = f"{info.meaning} {info.remedy}" if info else "Check the credentials and data_center."
        kind = QuotaError if code == "ACCESS_DENIED" else ConfigurationError
        raise kind(code, f"{host} gave no token: {code}: {text}", http_status=answer.status_code)
    if not answer.ok or not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise AnswerError(
            "BAD_ANSWER", f"{host} answered HTTP {answer.status_code} without a token.", http_status=answer.status_code
        )
    return body
