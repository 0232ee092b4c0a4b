"""How orders are written: upsert calls, bulk write jobs, deletions, and what must be there before."""
