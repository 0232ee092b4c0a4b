"""Multiple lookups: an order is synced only when the CRM has its links and no others."""
