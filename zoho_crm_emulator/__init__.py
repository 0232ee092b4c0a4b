"""A Zoho CRM that runs on loopback: its API (`endpoints.py` lists it), limits, and faults on demand."""
