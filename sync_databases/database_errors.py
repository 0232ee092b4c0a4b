"""What goes wrong with a database, for people: what is wrong and what to do.

DatabaseError
└── DatabaseUnavailableError
"""

from __future__ import annotations


class DatabaseError(Exception):
    """A database cannot be used; the message says what is wrong and what to do."""


class DatabaseUnavailableError(DatabaseError):
    """A database could be used before, and does not answer any more, or refuses what it took."""
