"""Zoho's API: how it is called, what it demands and answers, and its limits."""
