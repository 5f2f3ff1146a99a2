"""The headers that steer a write: If-Match (RFC 9110 section 13.1.1) and Prefer (RFC 7240)."""

import re
from typing import Final

from gateway.problems import ProblemError

OURS: Final = re.compile(rb'"(\d{1,18})(?:-[0-9a-f]{1,64})?"')
WAIT: Final = re.compile(rb'wait\s*=\s*"?(\d{1,6}(?:\.\d{1,3})?)"?', re.IGNORECASE)
LONGEST_WAIT: Final = 10.0


def version(if_match: bytes | None, *, needed: bool) -> int | None:
    """The version that a change expects: the entity tag up to the dash; None for any (`*`).

    Raises ProblemError: 428 when it is needed and missing, 412 for a tag that no answer of ours ever had.
    """
    if if_match is None:
        if needed:
            raise ProblemError("precondition-required", "Send the ETag of what you change as If-Match.")
        return None
    if if_match.strip() == b"*":
        return None
    found = OURS.fullmatch(if_match.strip())
    if found is None:
        raise ProblemError("stale", "If-Match is not an ETag of this resource; read it again.")
    return int(found[1])


def wait_seconds(prefer: bytes | None) -> float | None:
    """How long the client wants to wait for the outcome, at most ten seconds; None when it does not."""
    if prefer is None:
        return None
    for preference in prefer.split(b","):
        found = WAIT.fullmatch(preference.partition(b";")[0].strip())
        if found is not None:
            return min(float(found[1]), LONGEST_WAIT) or None
    return None
