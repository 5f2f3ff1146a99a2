"""The front door: checks who asks and what they send, publishes commands, shows read models.

It decides nothing.
"""
