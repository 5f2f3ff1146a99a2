"""Keeps picks as pages show them."""
