"""Read models: each folder keeps one, and nothing else writes it."""
