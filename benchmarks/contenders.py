"""Who is measured: taps, targets and pairs of them, with their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.peers import MELTANOLABS, ours, plain
from zoho_crm_emulator.control import EmulatorProcess

OURS = "orders-sync"
OURS_BY_FILES = "orders-sync, by files"
PLAIN = "plain singer-sdk"
PLAIN_LAX = "plain singer-sdk, not validating"
LABS = "MeltanoLabs tap-postgres"
BASELINE = PLAIN
"""How singer-sdk behaves unless it is set otherwise; every ratio is to it."""


@dataclass(frozen=True)
class Plugin:
    """A tap or a target; `settings` makes its settings for a database's URL."""

    command: list[str]
    settings: Callable[[str], Mapping[str, Any]]


@dataclass(frozen=True)
class Pair:
    """A tap and a target."""

    name: str
    tap: Plugin
    target: Plugin
    confirms: bool
    """Whether the target writes to the emulator and the ledger, which then must hold every order."""


def taps(engine: str) -> dict[str, Plugin]:
    """The taps that read this engine, the baseline first."""
    found = {PLAIN: Plugin(plain("tap"), lambda url: {"sqlalchemy_url": url})}
    if engine == "postgresql":
        found[LABS] = Plugin([MELTANOLABS.program("tap-postgres")], _labs_settings)
    found[OURS] = Plugin([ours("tap-legacy-orders")], lambda url: {"sqlalchemy_url": url, "orders_table": "orders"})
    return found


def pairs(emulator: EmulatorProcess) -> list[Pair]:
    """The pairs on SQLite, the baseline first."""
    all_taps = taps("sqlite")
    target = plain("target")
    return [
        Pair(PLAIN, all_taps[PLAIN], Plugin(target, lambda _: {}), confirms=False),
        Pair(PLAIN_LAX, all_taps[PLAIN], Plugin(target, lambda _: {"validate_records": False}), confirms=False),
        Pair(
            OURS,
            all_taps[OURS],
            Plugin([ours("target-zoho-crm")], lambda url: target_settings(emulator, url)),
            confirms=True,
        ),
    ]


def by_files(pair: Pair, folder: Path) -> Pair:
    """Our pair with BATCH messages, whose files lie in a folder."""
    storage = {"encoding": {"format": "jsonl", "compression": "none"}, "storage": {"root": folder.as_uri()}}
    return Pair(
        OURS_BY_FILES,
        Plugin(pair.tap.command, lambda url: {**pair.tap.settings(url), "batch_config": storage}),
        Plugin(pair.target.command, lambda url: {**pair.target.settings(url), "delete_batch_files": True}),
        confirms=True,
    )


def target_settings(emulator: EmulatorProcess, ledger: str) -> dict[str, Any]:
    """The settings of our target against an emulator."""
    return {
        "client_id": emulator.client_id,
        "client_secret": emulator.client_secret,
        "refresh_token": emulator.refresh_token,
        "accounts_url": emulator.base_url,
        "api_url": emulator.base_url,
        "upload_url": emulator.base_url,
        "ack_url": ledger,
        "first_contact": "off",  # its ten seconds are of a destination's first load alone
    }


def _labs_settings(url: str) -> dict[str, Any]:
    # It wants host and password even where the server asks for neither, and brings psycopg2. A host in the query, which
    # names a socket's folder, wins. Without a schema it looks through all of them.
    there = sa.make_url(url)
    there = there.set(
        drivername="postgresql+psycopg2", host=there.host or "localhost", password=there.password or "none is asked for"
    )
    return {"sqlalchemy_url": there.render_as_string(hide_password=False), "filter_schemas": ["public"]}
