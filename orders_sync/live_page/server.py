"""The pages as an ASGI application, for one person on one machine.

Whoever has the token in the address may read and decide; other paths do not exist. A page of another origin can make a
browser send requests here, and cannot read the token: what changes something must come from these pages themselves, and
every request must name this machine as its host.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from orders_sync.live_page import pages
from orders_sync.live_page.live_ledger import LiveLedger, NotThereError

BODY_BYTES_MOST = 64 * 1024
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def application(live: LiveLedger, token: str, port: int) -> Starlette:
    """The application, which listens on `port` of this machine."""
    served = _Served(live, frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost")))
    app = Starlette(
        routes=[
            Route(f"/{token}/", served.page(live.overview)),
            Route(f"/{token}/order", served.page(live.order)),
            Route(f"/{token}/problems", served.page(live.problems)),
            Route(f"/{token}/{{decision:str}}", served.decide, methods=["POST"]),
        ]
    )
    app.router.redirect_slashes = False  # no answer may show that another path exists
    return app


class _Served:
    """Requests of these pages, and no others."""

    def __init__(self, live: LiveLedger, hosts: frozenset[str]) -> None:
        self._live, self._hosts = live, hosts

    def page(self, draw: Callable[[Mapping[str, str]], str]) -> Callable[[Request], Awaitable[Response]]:
        """A page, drawn by what its address asks for."""

        async def get(request: Request) -> Response:
            if request.headers.get("host") not in self._hosts:
                return _refusal(404, "Nothing is here.")
            try:
                return HTMLResponse(await run_in_threadpool(draw, dict(request.query_params)), headers=HEADERS)
            except NotThereError as error:
                return _refusal(404, f"There is {error}.")

        return get

    async def decide(self, request: Request) -> Response:
        """Do what a form of these pages asks for, and show it."""
        hosts = {request.headers.get("host"), request.headers.get("origin", "").removeprefix("http://")}
        if not hosts <= self._hosts:
            return _refusal(403, "Decisions are taken on these pages alone.")
        form = await _form_of(request)
        if form is None:
            return _refusal(413, "That is too long.")
        try:
            done = await run_in_threadpool(self._live.decide, request.path_params["decision"], form)
        except NotThereError as error:
            return _refusal(404, f"There is {error}.")
        shown = {name: form[name] for name in ("stream", "key") if name in form} | {"done": done}
        return RedirectResponse(f"{'order' if 'key' in form else 'problems'}?{urlencode(shown)}", 303, HEADERS)


async def _form_of(request: Request) -> dict[str, str] | None:
    """The fields of a form; None where they are more than ours can be."""
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > BODY_BYTES_MOST:
            return None
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def _refusal(status: int, why: str) -> Response:
    return HTMLResponse(pages.not_found(why), status, HEADERS)
