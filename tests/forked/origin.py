"""The process that others are forked from: `origin.py SOCKET`. It ends when its standard input does."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from importlib.metadata import entry_points
from typing import Any

IMPORTED = ("psycopg", "pymysql", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.mysql.pymysql")
PROGRAMS = ("tap-legacy-orders", "target-zoho-crm", "orders-sync")


class Origin:
    """Accepts requests, forks for each, and tells the launchers how their processes ended."""

    def __init__(self, path: str) -> None:
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        self.launchers: dict[int, socket.socket] = {}
        self.ended, self.wake = os.pipe()
        os.set_blocking(self.wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake)
        for source in (self.listener, self.ended, 0):
            self.selector.register(source, selectors.EVENT_READ)

    def serve(self) -> dict[str, Any] | None:
        """Return the request in a forked process, and None in this one when its work is over."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj == 0:
                    self._kill_all()
                    return None
                if key.fileobj is self.listener:
                    request = self._fork()
                    if request is not None:
                        return request
                elif key.fileobj == self.ended:
                    os.read(self.ended, 1024)
                    self._bury()
                else:  # a launcher that was killed takes its process along
                    self._orphaned(key.data)

    def _fork(self) -> dict[str, Any] | None:
        launcher, _ = self.listener.accept()
        size, files, _, _ = socket.recv_fds(launcher, 4, 3)
        with launcher.makefile("rb") as stream:
            asked = stream.read(int.from_bytes(size, "big"))
        if len(size) < 4 or len(asked) < int.from_bytes(size, "big"):  # a launcher that was killed before it had asked
            for opened in (*files, launcher.detach()):
                os.close(opened)
            return None
        request: dict[str, Any] = json.loads(asked)
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.selector.close()
            for opened in (self.listener, launcher, *self.launchers.values()):
                opened.close()
            os.close(self.ended)
            os.close(self.wake)
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            return request
        for file in files:
            os.close(file)
        self.launchers[child] = launcher
        self.selector.register(launcher, selectors.EVENT_READ, child)
        with contextlib.suppress(ConnectionError):  # killed meanwhile: its process goes with it, see above
            launcher.sendall(b"%d\n" % child)
        return None

    def _bury(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                child, status = os.waitpid(-1, os.WNOHANG)
                if child == 0:
                    return
                launcher = self.launchers.pop(child)
                with contextlib.suppress(KeyError):
                    self.selector.unregister(launcher)
                with contextlib.suppress(BrokenPipeError):
                    launcher.sendall(b"%d\n" % status)
                launcher.close()

    def _orphaned(self, child: int) -> None:
        if child in self.launchers:
            os.kill(child, signal.SIGKILL)
            self.selector.unregister(self.launchers[child])

    def _kill_all(self) -> None:
        for child in self.launchers:
            os.kill(child, signal.SIGKILL)


def main() -> None:
    programs = {name: entry_points(group="console_scripts")[name] for name in PROGRAMS}
    for name in (*IMPORTED, *(program.module for program in programs.values())):
        __import__(name)  # the module alone: the SDK sets up logging when its command is looked up
    gc.collect()
    gc.freeze()
    origin = Origin(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    request = origin.serve()
    if request is None:
        return
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    program, *arguments = request["argv"]
    sys.argv = [program, *arguments]
    if program in programs:
        programs[program].load()()
    else:
        sys.path[0] = os.path.dirname(program)  # noqa: PTH120
        runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
