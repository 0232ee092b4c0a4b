"""Runs of the pair in which one process is stopped at a random step while a second run goes through: `make sleeps`."""
