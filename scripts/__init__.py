"""Chores of this repository: its virtual environment, its generated files, and which databases are at hand."""
