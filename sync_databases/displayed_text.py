"""Text that others wrote, made fit to be shown: one line, on which nothing acts on a terminal or a reader. Pure.

Order text is data. A key with a line end would forge a line of a log, one with ESC would speak to the terminal, and one
with a bidi mark would change the order in which a person reads the rest.
"""

from __future__ import annotations

import logging


def displayed(text: str) -> str:
    r"""The text with `\n`, `\x1b`, `\u202e` and the like for each character that is not simply seen."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def displayed_json(document: str) -> str:
    """A JSON document with the same characters as JSON's own escapes; its line ends and blanks stay."""
    if document.replace("\n", "").isprintable():
        return document
    return "".join(each if each.isprintable() or each == "\n" else _in_json(each) for each in document)


def _in_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


class OneLineEach(logging.Filter):
    """Lets a logger write one line for each message, whatever stands in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Escape the message, and let it pass; a traceback, which is of our own defects, stays what it is."""
        message = record.getMessage()
        if not message.isprintable():
            record.msg, record.args = displayed(message), ()
        return True


def escape_log_lines(*loggers: logging.Logger) -> None:
    """Let these loggers write one line for each message."""
    for logger in loggers:
        if not any(isinstance(each, OneLineEach) for each in logger.filters):
            logger.addFilter(OneLineEach())
