"""Runs target-zoho-crm so that its first orders are read back after some seconds: `contact_soon.py SECONDS OPTIONS...`.

A script of its own, so that the product holds no switch for tests. After a signal it has an hour of grace: what ends
has ended by itself.
"""

from __future__ import annotations

import sys

from sync_processes import shutdown
from target_zoho_crm.delivery import begin_contact, first_contact

if __name__ == "__main__":
    shutdown.GRACE_SECONDS = 3600.0
    first_contact.FIRST_CONTACT_SECONDS = float(sys.argv.pop(1))
    begin_contact.FIRST_CONTACT_LOOK_SECONDS = 0.05

    from target_zoho_crm import target
    from target_zoho_crm.target import TargetZohoCRM

    target.SETTLING_SECONDS = 3600.0

    TargetZohoCRM.cli()
