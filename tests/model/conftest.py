"""A hypothesis profile for a long look, beside the default one that CI takes."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("thorough", max_examples=5_000, deadline=None)
