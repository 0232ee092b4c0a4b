"""`orders-sync audit`: database, ledger and CRM compared by key and by field."""
