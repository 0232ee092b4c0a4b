"""The page at `/`: what a person looks at while orders arrive."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from zoho_crm_emulator.emulator import Emulator
from zoho_crm_emulator.jobs import Jobs


class Page:
    """The page."""

    def __init__(self, emulator: Emulator, jobs: Jobs) -> None:
        self._emulator = emulator
        self._jobs = jobs

    def routes(self) -> list[Route]:
        """The page's addresses."""
        return [Route("/", self.show)]

    async def show(self, _request: Request) -> Response:
        """GET /."""
        return PlainTextResponse("zoho crm emulator")
