"""Shows accounts."""
