"""The two deciders of identity, over one schema.

Refreshes have a topic of their own, so that a storm of sign-ins does not delay them.
"""

from typing import Final

from infra.runtime import Decider
from schemas.topics import ACCOUNT_COMMANDS, AUTH_COMMANDS, AUTH_REFRESHES

auth: Final = Decider("auth", AUTH_COMMANDS, ACCOUNT_COMMANDS)
auth_refresh: Final = Decider("auth_refresh", AUTH_REFRESHES, schema="auth")

HASHING: Final = 0.25
"""Declared cost in seconds of a handler that hashes a password: few to a poll, so that nobody waits long."""
