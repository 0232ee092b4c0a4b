"""One HTTP request to Zoho, as often as it needs: token, time limits, retries, and kinds of refusals.

The token goes to configured or Zoho hosts only, redirects are not followed, and neither bodies nor tokens are logged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import requests
import tenacity
import urllib3.exceptions

from sync_ledger.retry_schedules import API_CALLS, GETS_THROUGH_WITHIN
from target_zoho_crm.api.access_token import AccessToken
from target_zoho_crm.api.answers import flat_error, names_no_cause
from target_zoho_crm.api.auth import TokenSource
from target_zoho_crm.api.calls import API_VERSION, ATTEMPTS, WHERE_CHARACTERS, Answer, Call, ConnectionSettings, Repeat
from target_zoho_crm.api.codes import JOB_GONE, OwnCode, ZohoCode, http_code
from target_zoho_crm.api.data_centers import host_of
from target_zoho_crm.api.errors import (
    AnswerError,
    ConfigurationError,
    LostAnswer,
    QuotaError,
    TransientError,
    UnattributedFailure,
    ZohoError,
    configuration_error,
    request_error,
)
from target_zoho_crm.api.http_sessions import NotSent, Session, TokenHeader, connection_error, is_local_fault
from target_zoho_crm.api.limits import ConcurrencyGate, CreditMeter, retry_after, wait_or_stop
from target_zoho_crm.api.places import Places
from target_zoho_crm.api.plain_text import NotJsonError, digits_of, json_of, one_line

JSON_BYTES_MOST = 64 * 1024 * 1024  # far above any answer we ask for; keeps a broken server from filling the memory
_BLOCK_BYTES = 256 * 1024
_GATEWAY = (502, 503, 504)
ATTEMPTS_IN_SILENCE = 3
"""A run that tries until it works says so from this attempt on."""
logger = logging.getLogger("target-zoho-crm")
_CREDIT_DIGITS = 18
_ANSWERS_WITH_RESULTS = frozenset({200, 201, 202, 207, 400, 412})


class Transport:
    """Sends calls from any number of threads, each with its own session."""

    def __init__(self, settings: ConnectionSettings, credits: CreditMeter, stop: threading.Event) -> None:  # noqa: A002
        self._settings = settings
        self._credits = credits
        self._stop = stop
        self._gate = ConcurrencyGate(settings.max_connections, stop)
        self._local = threading.local()
        self._last_passed: float | None = None
        self._sessions: list[Session] = []
        self._sessions_lock = threading.Lock()
        accounts_url = settings.endpoints.accounts_url
        self._tokens = TokenSource(
            settings.credentials,
            accounts_url,
            settings.cache_dir,
            lambda: Session(accounts_url),
            timeout=(settings.connect_seconds, settings.read_seconds),
            stop=stop,
            first_pause=settings.first_pause_seconds,
            patient=settings.max_attempts is None,
            ledger=settings.ledger,
        )

    @property
    def upserts(self) -> Places:
        """The places of calls of which Zoho takes ten at once."""
        return self._gate.upserts

    def api_base(self) -> str:
        """Base of API calls: the configured one if there is one, else the one that came with the token."""
        endpoints = self._settings.endpoints
        if endpoints.api_fixed:
            return endpoints.api_url
        domain = self._tokens.token().api_domain
        return domain if domain and endpoints.may_see_token(domain) else endpoints.api_url

    def json(self, call: Call) -> Answer:
        """Send a call and decode its answer. Raises the `ZohoError` of the right family for every other end."""

        def read(response: requests.Response) -> Answer:
            content = self._content(response)
            return self._answer(call, response, content)

        return self._again(call, read)

    def gets_through(self, since: float) -> bool:
        """Whether calls get through: any has since that moment of `time.monotonic`, or a read does now, with retries.

        Raises:
            ZohoError: what ends the run.
        """
        if self._passed_since(since):
            return True
        try:
            self.json(self._control())
        except TransientError:
            return False
        return True

    def _control(self) -> Call:
        """A call that reads what is always there, to learn whether anything gets through."""
        return Call("GET", f"{self.api_base()}/crm/{API_VERSION}/org", credits=1)

    def _passed_since(self, moment: float) -> bool:
        return self._last_passed is not None and self._last_passed >= moment

    def stream(self, call: Call, target: Path, limit: int) -> Answer:
        """Send a call and write the body of a 200 to `target`, of at most `limit` bytes; redirects are returned."""

        def read(response: requests.Response) -> Answer:
            if response.status_code == HTTPStatus.OK:
                with target.open("wb") as file:
                    self._blocks(response, limit, file.write)
                return Answer(response.status_code, None, response.headers)
            if response.is_redirect:
                return Answer(response.status_code, None, response.headers)
            return self._answer(call, response, self._content(response))

        return self._again(call, read)

    def close(self) -> None:
        """Close all connections."""
        with self._sessions_lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()

    def _again(self, call: Call, read: Callable[[requests.Response], Answer]) -> Answer:
        settings = self._settings
        if not settings.endpoints.may_see_token(call.url):
            host = one_line(host_of(call.url), WHERE_CHARACTERS)
            raise configuration_error(OwnCode.HOST_NOT_ALLOWED, f"{call.where}: host {host} may not see the token.")
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _worth_another(error, call)),
            wait=self._pause,
            stop=self._continuous_stop
            if settings.max_attempts is None
            else tenacity.stop_after_attempt(settings.max_attempts),
            before_sleep=None if settings.max_attempts is not None else _log_failure,
            sleep=lambda seconds: wait_or_stop(self._stop, seconds),
            reraise=True,
        )
        answer = retrying(self._attempt, call, read)
        if settings.max_attempts is None and retrying.statistics["attempt_number"] >= ATTEMPTS_IN_SILENCE:
            logger.info("%s works again", call.where)
        return answer

    def _attempt(self, call: Call, read: Callable[[requests.Response], Answer]) -> Answer:
        """Send once; and once more with another token when Zoho refuses this one."""
        try:
            return self._with_token(call, read)
        except (LostAnswer, AnswerError) as error:
            if call.splits:
                raise UnattributedFailure(error) from error
            raise

    def _with_token(self, call: Call, read: Callable[[requests.Response], Answer]) -> Answer:
        token = self._tokens.token()
        try:
            return self._send(call, token, read)
        except _TokenRefused:
            token = self._tokens.renew(token.value)
        try:
            return self._send(call, token, read)
        except _TokenRefused as refused:
            raise refused.error from None

    def _send(self, call: Call, token: AccessToken, read: Callable[[requests.Response], Answer]) -> Answer:
        with self._gate.passing(upsert=call.upsert) as era:
            since = self._credits.reserve(call.credits, call.kind)
            known = False
            try:
                answer = self._exchange(call, token, read, since)
            except (_TokenRefused, NotSent, _Throttled, QuotaError) as error:
                known = True
                if isinstance(error, _Throttled):
                    self._gate.refused(era)
                self._credits.give_back(call.credits, call.kind)  # Zoho did not carry it out
                raise
            except ZohoError as error:
                unclear = isinstance(error, (TransientError, AnswerError, UnattributedFailure))
                known = not unclear or error.code == ZohoCode.ALREADY_MODIFIED
                raise
            else:
                known = True
                self._gate.answered()
                self._last_passed = time.monotonic()
                return answer
            finally:
                self._credits.over(call.credits)
                if call.fence is not None:
                    call.fence.over(known=known)

    def _exchange(
        self, call: Call, token: AccessToken, read: Callable[[requests.Response], Answer], since: int
    ) -> Answer:
        body = call.body() if call.body is not None else None
        # A job must not be lost to a kept connection that the server has just closed: it gets one of its own.
        fresh = call.repeat is Repeat.ONCE
        session = Session(call.url) if fresh else self._own_session(call.url)
        check = None if call.fence is None else call.fence.check
        try:
            with (
                session.checking(check),
                session.request(
                    call.method,
                    call.url,
                    params=call.params,
                    data=body,
                    headers=dict(call.headers),
                    auth=TokenHeader(token.value),
                    timeout=(self._settings.connect_seconds, self._settings.read_seconds),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                self._note_credits(call, response, since)
                return read(response)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if is_local_fault(error):
                raise
            raise connection_error(call.where, call.url, error) from error
        finally:
            if fresh:
                session.close()
            if body is not None and not isinstance(body, bytes):
                body.close()

    def _own_session(self, url: str) -> Session:
        session: Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = Session(url)
            with self._sessions_lock:
                self._sessions.append(session)
        return session

    def _note_credits(self, call: Call, response: requests.Response, since: int) -> None:
        """Not from a 429, whose credits are given back."""
        remaining = _credits_left(response)
        if remaining is not None and response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            self._credits.note_remaining(remaining, by=call.credits, since=since)

    def _content(self, response: requests.Response) -> bytes:
        blocks: list[bytes] = []
        self._blocks(response, JSON_BYTES_MOST, blocks.append)
        return b"".join(blocks)

    def _blocks(self, response: requests.Response, limit: int, take: Callable[[bytes], object]) -> None:
        ends = time.monotonic() + self._settings.answer_seconds
        size = 0
        for block in response.iter_content(_BLOCK_BYTES):
            size += len(block)
            if size > limit:
                raise AnswerError(OwnCode.BAD_ANSWER, f"The answer is longer than {limit:,} bytes; it is not read.")
            if time.monotonic() > ends:
                raise requests.exceptions.ReadTimeout("the answer took too long in all")
            take(block)

    def _answer(self, call: Call, response: requests.Response, content: bytes) -> Answer:
        status = response.status_code
        try:
            body = json_of(content) if content.strip() else None
        except NotJsonError:
            body = _NOT_JSON
        if call.results and status in _ANSWERS_WITH_RESULTS and _has_results(body):
            return Answer(status, body, response.headers)
        if status < HTTPStatus.MULTIPLE_CHOICES and body is None and status != HTTPStatus.NO_CONTENT:
            # Of something that stands in between. Taken for an answer it would say that the CRM has nothing.
            raise AnswerError(OwnCode.BAD_ANSWER, f"{call.where}: HTTP {status}, but empty.", http_status=status)
        if status < HTTPStatus.MULTIPLE_CHOICES and body is not _NOT_JSON and flat_error(body) is None:
            return Answer(status, body, response.headers)
        raise self._refusal(call, response, body)

    def _refusal(self, call: Call, response: requests.Response, body: object) -> Exception:
        status = response.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return self._throttled(call, response)
        code, said, field_name = flat_error(body) or (http_code(status), "", None)
        if status < HTTPStatus.MULTIPLE_CHOICES and body is _NOT_JSON:
            return AnswerError(OwnCode.BAD_ANSWER, f"{call.where}: HTTP {status}, but not JSON.", http_status=status)
        error = request_error(code, where=call.where, said=said, http_status=status, field=field_name)
        if status == HTTPStatus.UNAUTHORIZED and code != ZohoCode.OAUTH_SCOPE_MISMATCH:
            return _TokenRefused(error)
        is_searched = call.splits or (call.fence is not None and isinstance(error, ConfigurationError))
        if is_searched and names_no_cause(status, None if body is _NOT_JSON else body):
            return UnattributedFailure(error)
        if call.repeat is Repeat.ONCE and isinstance(error, TransientError):
            return error.turned(LostAnswer, "It may have been carried out.")
        return error

    def _throttled(self, call: Call, response: requests.Response) -> ZohoError:
        """The body does not say which limit was passed; the credits left do, as this answer or earlier ones say."""
        told = _credits_left(response)
        left = self._credits.remaining  # without this call's, which are reserved
        if told < max(call.credits, 1) if told is not None else left is not None and left < 0:
            return request_error(OwnCode.CREDITS_USED_UP, where=call.where, http_status=response.status_code)
        seconds = retry_after(response.headers.get("Retry-After"))
        if seconds is not None:
            self._gate.pause(seconds)
        throttled = request_error(ZohoCode.TOO_MANY_REQUESTS, where=call.where, http_status=response.status_code)
        return throttled.turned(_Throttled)

    def _continuous_stop(self, state: tenacity.RetryCallState) -> bool:
        """Wait for the end of an outage, however long; a call that fails for itself is not kept at.

        It fails for itself where it is answered, or where another call got through meanwhile, or a read does.
        """
        if state.attempt_number < ATTEMPTS:
            return False
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, (NotSent, _Throttled)):
            return False
        if not isinstance(error, LostAnswer) and getattr(error, "http_status", None) not in _GATEWAY:
            return True
        if self._passed_since(time.monotonic() - GETS_THROUGH_WITHIN):
            return True
        control = self._control()
        try:
            self._attempt(control, lambda response: self._answer(control, response, self._content(response)))
        except TransientError:
            return False
        return True

    def _pause(self, state: tenacity.RetryCallState) -> float:
        """Doubling, with jitter, so that threads that fail together do not come back together."""
        settings = self._settings
        first, longest = settings.first_pause_seconds, settings.longest_pause_seconds
        seconds = replace(API_CALLS, first_pause=first, longest_pause=longest).pause_after(state.attempt_number)
        throttled = state.outcome is not None and isinstance(state.outcome.exception(), _Throttled)
        if throttled and self._gate.alone:
            self._gate.pause(seconds)
        return seconds


class _TokenRefused(Exception):  # noqa: N818 - a signal inside this module
    def __init__(self, error: ZohoError) -> None:
        super().__init__(error.code)
        self.error = error


class _Throttled(TransientError):  # noqa: N818 - as above
    """429: surely without effect."""


class _NotJson:
    """Stands for a body that is not JSON, such as a gateway's HTML page."""


_NOT_JSON = _NotJson()


def _log_failure(state: tenacity.RetryCallState) -> None:
    if state.attempt_number >= ATTEMPTS_IN_SILENCE and state.outcome is not None and state.next_action is not None:
        error, pause = state.outcome.exception(), state.next_action.sleep
        logger.warning("%s; attempt %d, the next one in %.0f s", error, state.attempt_number, pause)


def _credits_left(response: requests.Response) -> int | None:
    digits = digits_of(response.headers.get("X-API-CREDITS-REMAINING"), _CREDIT_DIGITS)
    return None if digits is None else int(digits)


def _has_results(body: object) -> bool:
    return isinstance(body, dict) and isinstance(body.get("data"), list)


def _worth_another(error: BaseException, call: Call) -> bool:
    if not isinstance(error, TransientError) or isinstance(error, UnattributedFailure):
        return False
    if error.code in JOB_GONE or error.code == ZohoCode.ALREADY_MODIFIED:
        return False  # asking again changes nothing
    return call.repeat is Repeat.SAFE or isinstance(error, (NotSent, _Throttled))
