"""Slow clients of the callback receiver: it goes on hearing the others, and its log stays small."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from pair_of_plugins import BIN

from orders_sync.callback_receiver.callback_connections import CONNECTIONS_MOST, connections_most

SECRET = "a-secret-that-nobody-guesses"
SLOW = 1_100
FILES = 1_024
SENDS = {
    "nothing": b"",
    "half a body": b"POST /hook/" + SECRET.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
}


@contextmanager
def receiving(ledger_url: str, log: Path) -> Iterator[str]:
    """A receiver that may open no more files than usual."""
    command = [BIN / "orders-sync", "callback", "--callback-url", f"https://x.example/hook/{SECRET}", "--port", "0"]
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--ack-url", ledger_url],
            stderr=written,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)),  # noqa: PLW1509
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
    try:
        while b"listens on " not in log.read_bytes():
            assert process.poll() is None, log.read_text()
        yield log.read_text().partition("listens on ")[2].split()[0]
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.nightly
@pytest.mark.parametrize("sends", SENDS)
def test_1100_slow_clients_make_the_receiver_deaf_to_nobody(sqlite_url: str, tmp_path: Path, sends: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * SLOW), hard))
    log = tmp_path / "receiver.log"
    try:
        with receiving(sqlite_url, log) as url, ExitStack() as slow:
            parts = urlsplit(url)
            for number in range(SLOW):
                client = slow.enter_context(closing(socket.create_connection((parts.hostname, parts.port), timeout=60)))
                client.sendall(SENDS[sends])
                if number % 100 == 99:
                    assert requests.post(f"{url}/hook/{SECRET}", json={"job_id": 1}, timeout=30).status_code == 204
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    told = log.read_text()
    assert "Traceback" not in told, told[:3000]
    assert len(told) < 10_000


def test_connections_are_few_where_a_process_may_open_few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, most in ((1_024, CONNECTIONS_MOST), (256, 64), (resource.RLIM_INFINITY, CONNECTIONS_MOST), (2, 1)):
        monkeypatch.setattr(resource, "getrlimit", lambda _what, files=files: (files, files))
        assert connections_most() == most
