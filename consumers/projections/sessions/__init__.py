"""Shows sessions to their owners, and to every gateway which of them have ended."""
