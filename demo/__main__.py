"""The demo's command line: `python -m demo`, by way of `make demo`."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import click
import sqlalchemy as sa
from rich.console import Console

from demo.shop_databases import CHOICES, Databases, DemoError, databases
from demo.story import Story
from zoho_crm_emulator.control import EmulatorError, EmulatorProcess

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".demo"


@click.command()
@click.option("--database", type=click.Choice(CHOICES), default="sqlite", show_default=True)
@click.option("--port", type=int, default=8600, show_default=True, help="The emulator's; a free one if it is taken.")
@click.option("--wait", type=click.IntRange(0, 1), default=1, help="0 ends at once instead of leaving the page up.")
def main(database: str, port: int, wait: int) -> None:
    """Bring a made-up shop's orders into the Zoho CRM emulator by `meltano run`, and compare every one."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    console = Console(highlight=False)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    try:
        with databases(database, FOLDER) as places, _emulator(console, port) as emulator:
            _tell(console, places, emulator, began, wait=bool(wait))
    except (DemoError, EmulatorError) as error:
        console.print(f"[bold red]The demo failed:[/] {error}", soft_wrap=True)
        sys.exit(1)


def _tell(console: Console, places: Databases, emulator: EmulatorProcess, began: float, *, wait: bool) -> None:
    engine = sa.create_engine(places.orders_url)
    story = Story(console, PROJECT, FOLDER, places, emulator, engine)
    try:
        story.tell()
        console.print(f"All of it took {time.monotonic() - began:.0f} s.")
        if wait:
            console.print(f"\nThe CRM stays up at [bold]{emulator.base_url}[/]. Ctrl-C ends the demo.")
            signal.pause()
    except KeyboardInterrupt:
        console.print("\nEnded.")
    finally:
        engine.dispose()


def _emulator(console: Console, port: int) -> EmulatorProcess:
    """An emulator on this port, or on a free one when the port is taken. Started by `with`."""
    data = FOLDER / "crm.sqlite"
    if port and _taken(port):
        console.print(f"Port {port} is taken, so the emulator takes a free one.")
        port = 0
    return EmulatorProcess(data, port=port)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


if __name__ == "__main__":
    main()
