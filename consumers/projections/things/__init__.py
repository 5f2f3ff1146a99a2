"""Keeps things and how they were picked."""
