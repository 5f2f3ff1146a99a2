"""What can become of a record that was to be sent, other than an acknowledgement."""


class SendError(Exception):
    """There is no acknowledgement. The same command may be sent again: its id makes a repeat harmless."""


class NotSentError(SendError):
    """The record certainly never left this process."""


class SenderFullError(NotSentError):
    """Too many records wait already; nothing was kept. Come back later."""


class OutcomeUnknownError(SendError):
    """The record was handed to the broker and may or may not be on the topic."""


class RecordTooLargeError(ValueError):
    """The record is larger than any topic takes; sending it again is useless."""
