"""How much memory the process keeps that its threads have given back."""

from __future__ import annotations

import ctypes
import sys

ARENA_MAX, ARENAS = -8, 1  # M_ARENA_MAX in glibc's malloc.h
MMAP_THRESHOLD, LARGE_BYTES = -3, 64 * 1024  # M_MMAP_THRESHOLD


def return_freed_memory() -> None:
    """Set up glibc's malloc; to be called before the first thread begins.

    All threads share one arena: by itself each gets one of its own, which keeps what jobs of 25,000 rows once took
    there, and Python's lock keeps threads out of each other's way anyhow. Large blocks go back to the system at once:
    by itself malloc keeps ever larger ones, and they lie scattered. A first load took 200 MiB, and takes 140 so.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and no arenas
    if mallopt is not None:
        mallopt(ARENA_MAX, ARENAS)
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
