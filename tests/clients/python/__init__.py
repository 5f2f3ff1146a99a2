"""Tests of the typed Python client."""
