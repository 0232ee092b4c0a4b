"""Zoho CRM's write APIs on loopback, for trying the pair and for every test."""
