"""`python -m zoho_crm_emulator` is the same as the `zoho-crm-emulator` command."""

from __future__ import annotations

from zoho_crm_emulator.command_line import main

main()
