"""The `zoho-crm-emulator` command."""

from __future__ import annotations

import gc
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from zoho_crm_emulator.app import build
from zoho_crm_emulator.clock import ClockMode
from zoho_crm_emulator.credits import Edition
from zoho_crm_emulator.emulator import Emulator, Seconds, Settings
from zoho_crm_emulator.jobs import Jobs
from zoho_crm_emulator.oauth import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, DEMO_REFRESH_TOKEN
from zoho_crm_emulator.profiles import ProfileError, profiled
from zoho_crm_emulator.server import open_socket, serve
from zoho_crm_emulator.switches import Switches

GC_THRESHOLD = (100_000, 50, 50)  # a job makes hundreds of thousands of short-lived objects, none in cycles
if TYPE_CHECKING:
    _ParamType = click.ParamType[Seconds]
else:
    _ParamType = click.ParamType  # generic in its stubs only before click 8.2

SAVE_EVERY = 0.5  # seconds between writes of what is only in memory


class Range(_ParamType):
    """Seconds, or a range of seconds such as 4-12."""

    name = "SECONDS[-SECONDS]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Seconds:
        """Read `0.5` or `4-12`."""
        if isinstance(value, tuple):
            return value
        low, _, high = str(value).partition("-")
        try:
            span = (float(low), float(high or low))
        except ValueError:
            self.fail(f"{value!r} is neither seconds nor a range of seconds", param, ctx)
        if span[0] < 0 or span[1] < span[0]:
            self.fail(f"{value!r} is not a range of seconds", param, ctx)
        return span


class _Saver:
    """Writes unsaved credits and the clock now and then."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="saver", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(SAVE_EVERY):
            if self._emulator.credits.unsaved:
                self._emulator.save_state()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()


@click.command()
@click.option("--port", default=8600, show_default=True, help="Port; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--data", default="crm.sqlite", show_default=True, type=click.Path(dir_okay=False), help="Data file.")
@click.option("--edition", default="enterprise", show_default=True, type=click.Choice(get_args(Edition)))
@click.option("--users", default=5, show_default=True, help="Users of the org; each adds credits.")
@click.option("--job-seconds", default="0", type=Range(), help="How long a bulk write job takes.")
@click.option("--upload-seconds", default="0", type=Range(), help="How long an upload takes.")
@click.option("--call-seconds", default="0", type=Range(), help="How long any other call takes.")
@click.option("--seed", type=int, help="Makes the drawn durations repeatable.")
@click.option("--profile", type=click.Path(exists=True, dir_okay=False), help="Positions of the switches, as probed.")
@click.option("--clock", default="real", show_default=True, type=click.Choice(get_args(ClockMode)))
@click.version_option(package_name="orders-sync")
def main(
    port: int,
    host: str,
    data: str,
    edition: Edition,
    users: int,
    job_seconds: Seconds,
    upload_seconds: Seconds,
    call_seconds: Seconds,
    seed: int | None,
    profile: str | None,
    clock: ClockMode,
) -> None:
    """Run a Zoho CRM on loopback: OAuth, metadata, upsert, bulk write, COQL, limits, and faults on demand."""
    try:
        listener = open_socket(host, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from None
    try:
        switches = Switches() if profile is None else profiled(Path(profile).read_bytes())
    except (OSError, ProfileError) as error:
        raise click.ClickException(f"--profile {profile}: {error}") from None
    settings = Settings(
        data=data,
        edition=edition,
        users=users,
        job_seconds=job_seconds,
        upload_seconds=upload_seconds,
        call_seconds=call_seconds,
        seed=seed,
        clock=clock,
        switches=switches,
    )
    gc.set_threshold(*GC_THRESHOLD)
    emulator = Emulator(settings)
    shown = f"[{host}]" if ":" in host else host
    emulator.base_url = f"http://{shown}:{listener.getsockname()[1]}"
    jobs = Jobs(emulator)
    jobs.start()
    saver = _Saver(emulator)

    def ready() -> None:
        click.echo(
            f"zoho-crm-emulator ready at {emulator.base_url} client_id={DEMO_CLIENT_ID} "
            f"client_secret={DEMO_CLIENT_SECRET} refresh_token={DEMO_REFRESH_TOKEN}"
        )
        sys.stdout.flush()

    try:
        serve(build(emulator, jobs), listener, ready)
    finally:
        jobs.stop()
        saver.stop()
        emulator.close()
