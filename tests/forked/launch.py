"""Stands for one forked process: gives it its files, passes signals on, and ends as it ends.

`launch.py SOCKET PROGRAM ARGUMENT...`; see origin.py for the other side. Started without site-packages: 15 ms.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import NoReturn


def main() -> NoReturn:
    origin = socket.socket(socket.AF_UNIX)
    origin.connect(sys.argv[1])
    request = json.dumps({"argv": sys.argv[2:], "folder": os.getcwd(), "environment": dict(os.environ)}).encode()  # noqa: PTH109
    socket.send_fds(origin, [len(request).to_bytes(4, "big")], [0, 1, 2])
    for number in (0, 1, 2):  # the pipes are the forked process's now: their ends must close when it does
        os.close(number)
    origin.sendall(request)
    answers = origin.makefile()
    child = int(answers.readline())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    status = int(answers.readline())
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


main()
