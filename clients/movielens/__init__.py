"""MovieLens 100K as real input: `seed` publishes it over HTTP, `check` compares what the platform then shows.

`check` reads the file with code of its own (facts.py), so that a mistake in `seed` (ratings.py) is found.
"""
