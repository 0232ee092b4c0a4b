"""Orders from files and from Python: `push`."""
