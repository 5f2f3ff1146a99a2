"""Measured speed beside what others would use: `python -m tests.bench`, called by `./pickly bench`."""
