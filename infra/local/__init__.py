"""The whole platform on one machine: real servers from wheels and jars, and the supervisor that runs them."""
