"""Our processes: how they are known, how they end in time, and which folders only their owner may enter."""
