"""How much memory the process keeps that its threads have given back."""

from __future__ import annotations

import ctypes
import sys

ARENA_MAX = -8  # glibc's M_ARENA_MAX, in malloc.h
ARENAS = 1


def keep_little() -> None:
    """Have all threads share one arena of glibc's malloc; to be called before the first thread begins.

    By itself each thread gets an arena of its own, which keeps what jobs of 25,000 rows once took there: with eight
    jobs at a time a first load took 200 MiB, and takes 150 so. Python's lock keeps threads out of each other's way.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and no arenas
    if mallopt is not None:
        mallopt(ARENA_MAX, ARENAS)
