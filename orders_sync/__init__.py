"""The operator's command line: what the ledger knows, in words."""
