"""PgBouncer itself, where it is installed: few sessions of the server for all clients, lent a transaction at a time."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

PROGRAM = shutil.which("pgbouncer")
UNPRIVILEGED = "nobody"
"""It does not run as root."""

START_SECONDS = 20.0
SETTINGS = """
[databases]
{name} = host={host} port={port} user={user}{password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
auth_type = any
pool_mode = {mode}
default_pool_size = {pool_size}
max_client_conn = 200
unix_socket_dir =
"""


@contextmanager
def pgbouncer(url: str, mode: str = "transaction", pool_size: int = 1) -> Iterator[str]:
    """Give the URL at which it serves the database at `url`, by at most `pool_size` sessions of the server.

    With the mode `session` a client keeps its session until it goes.
    """
    direct = sa.make_url(url)
    folder = Path(tempfile.mkdtemp(prefix="orders-sync-pgbouncer-"))
    user = UNPRIVILEGED if os.getuid() == 0 else None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = folder / "pgbouncer.ini"
    password = f" password={direct.password}" if direct.password else ""
    file.write_text(
        SETTINGS.format(
            name=direct.database,
            host=direct.host,
            port=direct.port,
            user=direct.username,
            password=password,
            own_port=port,
            mode=mode,
            pool_size=pool_size,
        )
    )
    if user is not None:
        shutil.chown(folder, user)
        shutil.chown(file, user)
    process = subprocess.Popen([PROGRAM or "", "-q", file], user=user, cwd="/", stderr=subprocess.PIPE)
    try:
        _wait(process, port)
        yield direct.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        process.kill()
        process.communicate()
        shutil.rmtree(folder)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise RuntimeError(f"pgbouncer does not start: {process.communicate()[1].decode()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("pgbouncer does not listen")
