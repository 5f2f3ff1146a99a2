"""Decides what becomes of things and picks."""
