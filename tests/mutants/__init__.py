"""Curated bugs, each planted into a copy of the tree to see that a test notices it."""
