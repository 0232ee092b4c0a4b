"""Where the `zoho-crm-emulator` command begins: what it needs is an extra, which may be missing."""

from __future__ import annotations

import sys

OURS = __package__


def main() -> None:
    """Run the command, or name in one line the extra that it needs."""
    try:
        from zoho_crm_emulator.command_line import main as command  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        missing = (error.name or OURS).partition(".")[0]
        if missing == OURS:
            raise
        sys.exit(f"zoho-crm-emulator needs {missing}, which is not installed; run: pip install 'orders-sync[emulator]'")
    command()
