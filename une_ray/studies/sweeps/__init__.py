"""Searches over settings, as data: what is varied, what is wanted, and how much it may cost."""
