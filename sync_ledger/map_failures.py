"""What the expressions of a stream map raise for values that they do not expect; tap and target both have such maps."""

from __future__ import annotations

from singer_sdk.exceptions import MappingError

MAP_FAILURES = (MappingError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def cause_name(error: BaseException) -> str:
    """What kind of failure it is, with a name of the expression; not its text, which may show a value."""
    cause = error.__cause__ or error
    unknown = getattr(cause, "func_name", None) or getattr(cause, "name", None)
    kind = type(cause).__name__
    return f"{kind}: {unknown}" if isinstance(unknown, str) else kind
