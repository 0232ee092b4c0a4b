"""The operator's command line, whose commands `cli.py` lists; and `push`, which is for programs as well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orders_sync.pushes.pushing import Pushed


def push(
    records: Iterable[Mapping[str, Any]],
    *,
    key: str | Sequence[str],
    stream: str | None = None,
    target_config: Path | Mapping[str, Any] | None = None,
    again: bool = False,
) -> Pushed:
    """Write records into the CRM as `orders-sync push` does, wait, and give a result for each.

    Args:
        records: one mapping of column to value each; taken into memory.
        key: the column of the key, or several.
        stream: where it is not the one that the ledger has bound to the module.
        target_config: the target's settings, as a mapping or a JSON file; else those of the environment.
        again: send also what an earlier push of the same records has written.

    Raises:
        FileProblem: the records cannot be taken, as one has no key; nothing was sent.
        ConfigValidationError, ConfigurationError: a setting is missing or of no use.
        DatabaseError: the ledger cannot be used.
    """
    # Imports of half a second, which `import orders_sync` should not cost.
    from orders_sync.config_sources.configs import ConfigFiles, open_target, target_with  # noqa: PLC0415
    from orders_sync.pushes.push_files import Located  # noqa: PLC0415
    from orders_sync.pushes.pushing import Push, push_records  # noqa: PLC0415

    given = list(records)
    columns = [key] if isinstance(key, str) else list(key)
    if target_config is None or isinstance(target_config, Path):
        target = open_target(ConfigFiles(None, target_config))
    else:
        target = target_with(target_config)
    located = [Located(f"record {number}", record) for number, record in enumerate(given, 1)]
    return push_records(Push(lambda: iter(located), columns, stream, again), target.config)
