"""Databases as tap, target and ledger know them: engines, drivers, sessions, types, texts of values, the sync flag.

`engines.py` says which engines there are, what is true of each, and how to add one.
"""
