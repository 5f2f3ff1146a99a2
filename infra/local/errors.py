"""What the local stack says when it cannot go on."""


class StackError(Exception):
    """A condition that the user can do something about; the text says what."""
