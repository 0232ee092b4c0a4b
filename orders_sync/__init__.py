"""The operator's command line: `cli.py` lists its commands."""
