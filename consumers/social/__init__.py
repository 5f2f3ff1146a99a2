"""Decides what becomes of reactions."""
