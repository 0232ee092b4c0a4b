"""Commands that make a set-up: `init`, `login`, `rebind`."""
