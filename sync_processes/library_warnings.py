"""Warnings of libraries are for who writes programs: in a log of orders they tell nobody what to do."""

from __future__ import annotations

import logging
import sys
import warnings

_OF_MELTANO = ["once"]
"""What Meltano puts into `PYTHONWARNINGS` of every plugin, where a person has put nothing."""


def keep_library_warnings_out() -> None:
    """Keep them out of the log, unless somebody asks for them by `PYTHONWARNINGS` or `-W`.

    singer-sdk turns warnings into lines of the log.
    """
    if sys.warnoptions in ([], _OF_MELTANO):
        warnings.simplefilter("ignore")
        logging.getLogger("py.warnings").setLevel(logging.ERROR)
