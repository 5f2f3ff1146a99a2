"""What the read models show: skeleton (ids) -> hydrate (batch) -> rules (who may see it) -> present."""
