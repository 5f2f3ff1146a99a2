"""Everything that can go wrong, as exceptions: problems the server names (RFC 9457), and no answer at all."""

from pydantic import BaseModel, ConfigDict, ValidationError

from clients.python.models import Command


class PicklyError(Exception):
    """The base of every exception that this client raises on purpose."""


class UnreachableError(PicklyError):
    """No answer within the time that the retry policy gives; whether a write took effect is not known."""


class CommandNotDoneError(PicklyError):
    """The command was refused, failed, or was not done in the time given; `command` says which and why."""

    def __init__(self, command: Command) -> None:
        self.command = command
        reason = f": {command.reason}" if command.reason else ""
        super().__init__(f"command {command.id} is {command.status}{reason}")


class FieldError(BaseModel):
    """One thing wrong with a field of the request, for instance `thing.title` breaking `max_length`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    field: str
    rule: str
    detail: str = ""


class _ProblemBody(BaseModel):
    type: str = "about:blank"
    title: str = ""
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    resource: str | None = None


class Problem(PicklyError):  # noqa: N818 - RFC 9457's own word
    """An answer with a status of 400 or more.

    `slug` is the last part of the problem's type ("already-picked"), empty when the answer came from
    something that does not speak RFC 9457, such as a proxy; `retry_after` is in seconds.
    """

    def __init__(self, status: int, body: bytes, retry_after: float | None = None) -> None:
        try:
            told = _ProblemBody.model_validate_json(body)
        except ValidationError:
            told = _ProblemBody(title=body[:200].decode(errors="replace"))
        self.status = status
        self.slug = told.type.removeprefix("about:blank").rpartition("/")[2]
        self.title = told.title
        self.detail = told.detail
        self.errors = told.errors
        self.resource = told.resource
        self.retry_after = retry_after
        super().__init__(self._text())

    def _text(self) -> str:
        words = [self.title or self.slug or "no reason given", self.detail]
        words += [f"{error.field}: {error.rule} {error.detail}".rstrip() for error in self.errors]
        return f"{self.status} " + "; ".join(word for word in words if word)


class Invalid(Problem):
    """400, 422: the request is wrong; `errors` names field and rule."""


class Unauthorized(Problem):
    """401: no valid access token."""


class Forbidden(Problem):
    """403: this account may not do that."""


class NotFound(Problem):
    """404: there is no such thing, or it is not yours to see."""


class Conflict(Problem):
    """409: the state does not allow it; `resource` links to what stands in the way."""


class Stale(Problem):
    """412: somebody changed it since it was read; read it again."""


class PreconditionMissing(Problem):
    """428: an edit needs If-Match."""


class TooManyRequests(Problem):
    """429, after the retries that the policy allows."""


class Unavailable(Problem):
    """500, 502, 503, 504, after the retries that the policy allows; a write may have taken effect."""


_BY_STATUS: dict[int, type[Problem]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Stale,
    422: Invalid,
    428: PreconditionMissing,
    429: TooManyRequests,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def problem_of(status: int, body: bytes, retry_after: float | None = None) -> Problem:
    """The exception for an answer of this status, not raised."""
    return _BY_STATUS.get(status, Problem)(status, body, retry_after)
