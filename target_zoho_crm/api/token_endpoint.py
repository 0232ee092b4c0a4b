"""Zoho's token endpoint: one question, and an answer that is a token or the right error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from target_zoho_crm.api.codes import CODES, OwnCode, ZohoCode
from target_zoho_crm.api.errors import (
    AnswerError,
    ConfigurationError,
    QuotaError,
    TransientError,
    ZohoError,
    configuration_error,
)
from target_zoho_crm.api.plain_text import NotJsonError, code_of, json_of

TIMEOUT = (10.0, 60.0)
"""Connect and read limit of one request, in seconds."""

_OUTAGES = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
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
        raise configuration_error(OwnCode.TLS_FAILED, f"{host}:") from error
    except requests.exceptions.RequestException as error:
        happened, remedy = f"No token from {host} ({type(error).__name__}).", OwnCode.NO_CONNECTION.code.remedy
        raise TransientError(OwnCode.NO_CONNECTION, happened, remedy=remedy) from error
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
        denied = error.lower().replace("_", " ") == "access denied"
        code = ZohoCode.ACCESS_DENIED if denied else error
        info = CODES.get(code)
        happened, remedy = f"{host} gave no token: {code}:", "Check the credentials and data_center."
        if info is not None:
            happened, remedy = f"{happened} {info.meaning}", info.remedy
        kind: type[ZohoError] = QuotaError if denied else ConfigurationError
        if not denied and (answer.status_code in _OUTAGES or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR):
            kind = TransientError  # an outage that speaks JSON: what its code says of our set-up is not believed
            happened, remedy = f"{host} gave no token: {code} (HTTP {answer.status_code}).", "It is tried again."
        raise kind(code, happened, remedy=remedy, http_status=answer.status_code)
    if not answer.ok or not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise AnswerError(
            OwnCode.BAD_ANSWER,
            f"{host} answered HTTP {answer.status_code} without a token.",
            http_status=answer.status_code,
        )
    return body
