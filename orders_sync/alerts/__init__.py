"""Tells people once when a run failed, stands still or did not begin, or a limit is passed; and when it is over."""
