"""The contract: topics, commands, events and shared types. pydantic and the standard library only."""
