"""Tests of the MovieLens seed and check."""
