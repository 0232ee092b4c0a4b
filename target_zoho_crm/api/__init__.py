"""Zoho's API: how it is spoken to, what it demands and answers, and its limits."""
