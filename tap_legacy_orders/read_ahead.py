"""Lets a database server work on the next page while this one is written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

_Query = TypeVar("_Query")
_Rows = TypeVar("_Rows")


@contextmanager
def reading_ahead(
    fetch: Callable[[_Query], _Rows], *, by_server: bool
) -> Iterator[Callable[[_Query], Callable[[], _Rows]]]:
    """Give a function that asks by `fetch` and returns at once; its result waits for the rows, or raises the error.

    A database that is no server works in this process, in the time that writing needs: it is asked when its rows are
    wanted. What was asked of a server and is not wanted any more is read to its end before the block is left.
    """
    if not by_server:
        yield lambda query: partial(fetch, query)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="reading-ahead") as thread:
        yield lambda query: thread.submit(fetch, query).result
