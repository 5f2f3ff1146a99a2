"""What the headers of a dead record claim, as far as it has the shape that it must have.

A dead command leaves a decision, which gateway and ops read: no place for the words of whoever wrote it.
"""

import re
from dataclasses import replace
from typing import Final

from schemas.envelope import Meta

SUBJECT: Final = re.compile(r"[a-z]{1,30}(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|/[a-z_]{1,30}){1,4}")
BODY_HASH: Final = re.compile(r"[0-9a-f]{64}")


def without_claims(meta: Meta) -> Meta:
    """The same, without a subject or hash that are none."""
    subject = meta.subject if SUBJECT.fullmatch(meta.subject) else ""
    body_hash = meta.body_hash if BODY_HASH.fullmatch(meta.body_hash or "") else None
    return replace(meta, subject=subject, body_hash=body_hash)
