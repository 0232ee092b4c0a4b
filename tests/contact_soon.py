"""Runs target-zoho-crm so that its first orders are read back at once: `contact_soon.py OPTIONS...`.

A script of its own, so that the product holds no switch for tests.
"""

from __future__ import annotations

from target_zoho_crm.delivery import begin_contact, first_contact

if __name__ == "__main__":
    first_contact.FIRST_CONTACT_SECONDS = 0.0
    begin_contact.FIRST_CONTACT_LOOK_SECONDS = 0.05

    from target_zoho_crm.target import TargetZohoCRM

    TargetZohoCRM.cli()
