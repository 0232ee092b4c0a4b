"""What `doctor` and others find out about the set-up: database, ledger, CRM."""
