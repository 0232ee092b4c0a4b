"""`orders-sync undo` takes back what a run wrote to the CRM; `release` lets later runs write it again."""
