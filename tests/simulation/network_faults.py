"""What a call or a job may meet, by weight, and what a gateway answers in Zoho's place."""

from __future__ import annotations

CALL_FAULTS = {
    "slow": 3.0,
    "no_connection": 1.0,
    "lost_before": 2.0,
    "lost_after": 3.0,
    "cut": 1.0,
    "429": 1.5,
    "500": 1.0,
    "503_page": 1.0,
    "504_after": 1.5,
    "html_after": 1.5,
    "empty_after": 1.0,
    "token_expired": 1.0,
}
UNSURE = frozenset(
    {"lost_before", "lost_after", "cut", "500", "503_page", "504_before", "504_after", "html_after", "empty_after"}
)
"""After these the client cannot know what Zoho counted."""
JOB_FAULTS = {"job_failed": 1.0, "unprocessed": 2.0, "partly_done": 2.0, "slow_job": 2.0, "other_order": 2.0}
CALLBACKS = {"early": 1.0, "twice": 1.0, "never": 1.0}
PAGE = b"<html><body><center><h1>504 Gateway Time-out</h1></center></body></html>"
GATEWAY_PAGES = {"504_after": (504, PAGE), "html_after": (200, PAGE), "empty_after": (200, b"")}
