"""Chaos: load under faults, and the judge that says whether every promise was kept."""
