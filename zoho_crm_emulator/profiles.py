"""Profiles: positions of the switches as they were found at a real org, in a file that `--profile` takes.

The file is JSON: `zoho_profile` (the version of its form), `positions` (by switch, what was found), and `undecided` (by
switch, the positions that what was seen does not tell apart).
"""

from __future__ import annotations

from typing import Any

import msgspec

from zoho_crm_emulator.switches import Switches, changed

VERSION = 1


class ProfileError(ValueError):
    """A profile that cannot be used; the text says why."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of such a file."""

    zoho_profile: int
    positions: dict[str, Any] = {}
    undecided: dict[str, list[Any]] = {}


def profiled(content: bytes) -> Switches:
    """The switches as a profile has them; one that it leaves open stays at its default, if that is possible at all.

    Raises:
        ProfileError: it is no profile, of a newer version, or of a position that no switch has.
    """
    try:
        profile = msgspec.json.decode(content, type=Profile)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ProfileError(f"it is no profile: {error}") from None
    if profile.zoho_profile > VERSION:
        raise ProfileError(f"it has version {profile.zoho_profile}, and this emulator knows {VERSION}")
    defaults = msgspec.structs.asdict(Switches())
    open_ones = {name: some[0] for name, some in profile.undecided.items() if some and defaults.get(name) not in some}
    try:
        return changed(Switches(), {**open_ones, **profile.positions})
    except msgspec.ValidationError as error:
        raise ProfileError(f"it has a position that is not known here: {error}") from None
