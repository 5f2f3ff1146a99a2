"""What can go wrong, as RFC 9457 problems: every slug with its status and title in this one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from gateway.answers import NO_STORE, PROBLEM_JSON, Answer, Header


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem. `retry_after` is in seconds; None says that repeating does not help."""

    status: int
    title: str
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that breaks one rule; `field` is a path with dots, `rule` a name for programs."""

    field: str
    rule: str
    detail: str


KINDS: Final[Mapping[str, Kind]] = {
    "moved": Kind(308, "It has another address now"),
    "malformed": Kind(400, "The request cannot be read"),
    "unauthorised": Kind(401, "A valid access token is needed"),
    "step-up-needed": Kind(401, "Prove again who you are"),
    "forbidden": Kind(403, "This account may not do that"),
    "second-factor-needed": Kind(403, "Your role counts only when you sign in with a second factor"),
    "rank-too-low": Kind(403, "That takes a higher rank than yours"),
    "not-found": Kind(404, "There is nothing here"),
    "method-not-allowed": Kind(405, "This method is not possible here"),
    "request-timeout": Kind(408, "The request took too long to arrive"),
    "conflict": Kind(409, "The command was refused"),
    "already-picked": Kind(409, "You have already picked this thing"),
    "deleted": Kind(409, "The pick is deleted; restore it first"),
    "not-deleted": Kind(409, "The pick is not deleted"),
    "pick-closed": Kind(409, "The pick takes no reactions any more"),
    "stale": Kind(412, "It has changed since you read it"),
    "too-large": Kind(413, "The body is too large"),
    "unsupported-media-type": Kind(415, "The body has a type that is not understood"),
    "invalid": Kind(422, "The request breaks a rule"),
    "idempotency-key-reused": Kind(422, "The Idempotency-Key was used with another body"),
    "precondition-required": Kind(428, "The header If-Match is needed"),
    "too-many-requests": Kind(429, "Too many requests"),
    "headers-too-large": Kind(431, "The request's headers are too large"),
    "handle-reserved": Kind(422, "Nobody may have this handle"),
    "handle-taken": Kind(409, "Somebody has this handle, or one that looks like it"),
    "password-too-short": Kind(422, "The password is too short: 15 characters where it is the only factor"),
    "password-too-long": Kind(422, "The password is too long: 128 characters at most"),
    "password-common": Kind(422, "The password is among the first that are tried; take several unlike words"),
    "password-breached": Kind(422, "The password was in a data breach; take another one"),
    "password-similar": Kind(422, "The password is too close to your handle, name, address, or to Pickly's"),
    "password-wrong": Kind(403, "The password that you gave as the current one is wrong"),
    "email-invalid": Kind(422, "No mail can be sent to this address"),
    "link-invalid": Kind(409, "The link is used, too old, or not one of ours"),
    "credentials-wrong": Kind(401, "The name or the password is wrong"),
    "refresh-refused": Kind(401, "The refresh token is not good any more; sign in again"),
    "csrf-refused": Kind(403, "The request does not come from a page of ours"),
    "suspended": Kind(403, "This account is suspended"),
    "deactivated": Kind(403, "This account is deactivated; sign in to have it back"),
    "deletion-due": Kind(409, "The 14 days are over: the account is being deleted"),
    "handle-changed-recently": Kind(409, "A handle can be changed once in 30 days"),
    "factor-wrong": Kind(422, "The code is wrong or used, or the passkey proves nothing here"),
    "challenge-invalid": Kind(409, "The challenge is used, too old, or not one of ours; begin again"),
    "password-not-enough": Kind(409, "The account has a second factor: prove that instead of the password"),
    "session-ended": Kind(401, "The session has ended; sign in again"),
    "too-many-factors": Kind(409, "An account has at most ten second factors; remove one first"),
    "already-confirmed": Kind(409, "The factor is confirmed already"),
    "passkey-known": Kind(409, "The passkey belongs to an account already; make another one"),
    "last-factor-needed": Kind(409, "A role or a short password needs this factor; add another one first"),
    "no-factor": Kind(409, "Recovery codes stand in for second factors; add one first"),
    "too-many-attempts": Kind(429, "Too many attempts; wait a little", 30),
    "internal": Kind(500, "Something went wrong here"),
    "command-failed": Kind(500, "The command could not be carried out and was given up"),
    "outcome-unknown": Kind(503, "It is not known whether the command was accepted", 1),
    "not-sent": Kind(503, "The command was not accepted", 1),
    "no-answer-yet": Kind(503, "It takes longer than usual", 1),
    "expired": Kind(503, "The request came too late to be looked at", 1),
    "unreadable": Kind(503, "The keys have just changed", 1),
    "busy": Kind(503, "Too much is going on at the moment", 1),
    "not-yet-visible": Kind(503, "The command is not visible here yet", 1),
    "unavailable": Kind(503, "A server behind this one does not answer", 1),
}

SAME_AS: Final[Mapping[str, str]] = {"not-yours": "not-found"}
"""Refusals that answer like others: whether a pick of somebody else exists is nobody's business."""


FIELDS: Final[Mapping[str, str]] = {
    "handle-reserved": "handle",
    "handle-taken": "handle",
    "password-too-short": "password",
    "password-too-long": "password",
    "password-common": "password",
    "password-breached": "password",
    "password-similar": "password",
    "email-invalid": "email",
}
"""Refusals that are about one field of the body."""
WAYS_OUT: Final[Mapping[str, str]] = {"deleted": "/restore"}
"""Where a conflict can be solved: added to the page of what it is about."""


class ProblemError(Exception):
    """Ends a request with this problem."""

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        resource: str | None = None,
        headers: Sequence[Header] = (),
    ) -> None:
        super().__init__(slug)
        self.slug = slug
        self.detail = detail
        self.errors = errors
        self.resource = resource
        self.headers = headers

    def answer(self) -> Answer:
        """The problem as `application/problem+json`."""
        kind = KINDS[self.slug]
        document: dict[str, object] = {
            "type": f"/problems/{self.slug}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = self.errors
        if self.resource is not None:
            document["resource"] = self.resource
        headers = [PROBLEM_JSON, NO_STORE, *self.headers]
        if kind.retry_after is not None:
            headers.append((b"retry-after", b"%d" % kind.retry_after))
        return Answer(kind.status, orjson.dumps(document), headers)


def refused(reason: str, resource: str | None) -> ProblemError:
    """The problem for a decider's refusal; a reason without a line of its own is a conflict."""
    slug = reason.replace("_", "-")
    slug = SAME_AS.get(slug, slug)
    if slug not in KINDS:
        return ProblemError("conflict", f"The command was refused: {reason}.", resource=resource)
    if slug in FIELDS:
        errors = [FieldError(FIELDS[slug], slug.removeprefix(f"{FIELDS[slug]}-"), f"{KINDS[slug].title}.")]
        return ProblemError(slug, f"{KINDS[slug].title}.", errors=errors)
    if KINDS[slug].status != 409 or resource is None:
        return ProblemError(slug, f"{KINDS[slug].title}.")
    link = resource + WAYS_OUT.get(slug, "")
    return ProblemError(slug, f"{KINDS[slug].title}; see {link}.", resource=link)


def invalid(field: str, rule: str, detail: str) -> ProblemError:
    """One field breaks one rule."""
    return ProblemError("invalid", f"{field}: {detail}", errors=[FieldError(field, rule, detail)])
