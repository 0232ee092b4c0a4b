"""What was found about an org by `orders-sync probe`, as the file that the setting `profile` names.

It holds no data of the org or of its records, so that it can be shared. The emulator reads the same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error

PROFILE_VERSION = 1
"""Of the file's form."""


class OrgProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds. Questions are named by the emulator's switches."""

    zoho_profile: int = PROFILE_VERSION
    made_by: str = ""
    """The program and its version."""
    made_on: str = ""
    """A day in UTC."""
    api_version: str = ""
    org_type: str = ""
    """Production, sandbox or developer."""
    positions: dict[str, str | int | None] = {}
    """What was seen."""
    undecided: dict[str, list[str | int | None]] = {}
    """The positions that what was seen does not tell apart."""
    unknown: dict[str, str] = {}
    """Answers that fit no position, with what is odd; `evidence` has them."""
    not_asked: dict[str, str] = {}
    """What is missing for the question."""
    notes: dict[str, str] = {}
    measures: dict[str, Any] = {}
    evidence: dict[str, list[dict[str, Any]]] = {}
    """Requests and answers by question."""


def read_profile(path: Path) -> OrgProfile:
    """The profile in a file.

    Raises:
        ConfigurationError: it cannot be read, or is none, or of a newer version.
    """
    try:
        profile = msgspec.json.decode(path.read_bytes(), type=OrgProfile)
    except OSError as error:
        raise configuration_error(OwnCode.BAD_PROFILE, f"{path} cannot be read ({error.strerror}).") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise configuration_error(OwnCode.BAD_PROFILE, f"{path} is no profile ({error}).") from error
    if profile.zoho_profile > PROFILE_VERSION:
        raise configuration_error(
            OwnCode.BAD_PROFILE, f"{path} has version {profile.zoho_profile}; {PROFILE_VERSION} is known."
        )
    return profile
