"""Faults, each by name: what breaks, and that nothing acknowledged is lost, doubled or disordered by it."""
