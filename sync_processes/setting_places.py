"""Where a setting stands whose value an error is about: said behind the error, so that nobody has to search for it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

_NAMED = re.compile(
    r"""`(?P<quoted>[a-z]\w*)(?:\.[\w.]+)?`       # `filter`, `lines.table`
    |^(?:settings:\ )?(?P<first>[a-z]\w*)(?:\.[\w.]+)?:\   # timezone: there is no zone ...
    |\bconfig\['(?P<schema>\w+)'\]                  # ... is not of type 'integer' in config['page_size']""",
    re.VERBOSE,
)


def with_places(text: str, places: Mapping[str, str]) -> str:
    """The text of an error, with the place of each setting that it names; `places` are by setting."""
    named = dict.fromkeys(each[each.lastgroup or 0] for each in _NAMED.finditer(text))
    said = [f"`{name}`: {places[name]}" for name in named if name in places]
    return f"{text} ({'; '.join(said)})" if said else text


def places_of_plugin(
    plugin: str, meltanos_name: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> dict[str, str]:
    """What a plugin itself knows of where its settings stand, by setting; nothing where it was given a config file.

    `meltanos_name` is the variable in which Meltano says as which plugin of the project it starts this one.
    """
    known_as = environment.get(meltanos_name)
    given = " ".join(arguments).replace("=", " ").split()
    if known_as is None and ("--config", "ENV") not in itertools.pairwise(given):
        return {}
    prefix = f"{known_as or plugin}_".replace("-", "_").upper()
    or_else = "" if known_as is None else ", or meltano.yml"
    variables = (each for each in environment if each.startswith(prefix))
    return {each.removeprefix(prefix).lower(): f"variable {each}{or_else}" for each in variables}
