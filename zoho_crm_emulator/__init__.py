"""A Zoho CRM that runs on loopback: OAuth, metadata, upsert, bulk write, COQL, limits and faults on demand."""
