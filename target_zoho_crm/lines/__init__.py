"""Whole orders: an order's lines are written with it, and it is synced only when they are."""
