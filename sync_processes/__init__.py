"""How our processes end in time, and which folders only their owner may look into."""
