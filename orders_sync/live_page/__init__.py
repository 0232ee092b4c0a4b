"""The ledger as a page on this machine: the report live, an order by its key, refused orders with retry and dismiss."""
