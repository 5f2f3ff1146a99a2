"""Shows the public keys of identity."""
