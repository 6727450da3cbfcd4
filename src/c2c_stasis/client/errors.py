"""Everything that can go wrong between a program and the service, as one tree.

Error
├── Refused              the service answered, and did nothing     (status, code, details, field, rule, retry_after, request_id)
│   ├── InvalidRequest   400, 405, 413, 415…: the request is wrong
│   ├── NotAuthenticated 401: no key and no session, or not a valid one
│   ├── NotAllowed       403: this key or session may not do that, or the policy forbids the destination
│   ├── NotFound         404: there is none, or it is another account's
│   ├── Conflict         409: the user is busy, it exists already, it is in use
│   ├── TooMany          429: too many requests, or a limit of calls was reached
│   └── Unavailable      408 and 5xx: the service cannot now
├── NoAnswer             nobody knows what was done
│   ├── NotReachable     nobody answers at this address: nothing was done
│   ├── TimedOut         no answer came in time
│   └── BrokenOff        the connection was lost before the answer was whole
├── NotGenuine           what came to a webhook endpoint is not from the service
└── NotUnderstood        what answers is another service, or an older version

Nothing is sent twice by the client: after a `NoAnswer` of a call, whose phones may ring, the program or the person decides. The
same request with the same `idempotency_key` is safe.
"""

from collections.abc import Mapping

_ABOUT_A_FIELD = ("missing_field", "validation_error", "invalid_user_id", "not_supported", "already_in_use")


class Error(Exception):
    """Root of everything that the client raises on purpose."""


class NoAnswer(Error):
    """Whether the service did what was asked is not known, unless it is `NotReachable`."""


class NotReachable(NoAnswer):
    """Nobody answers at this address; nothing was sent."""


class TimedOut(NoAnswer):
    """No answer, or not the next part of it, within `seconds`."""

    def __init__(self, url: str, seconds: float) -> None:
        super().__init__(f"{url} did not answer within {seconds:g} s")
        self.url = url
        self.seconds = seconds


class BrokenOff(NoAnswer):
    """The connection was lost before the answer was whole."""


class NotGenuine(Error):
    """A request to a webhook endpoint that does not come from the service, or came before."""


class NotUnderstood(Error):
    """The answer is none of this API."""


class Refused(Error):
    """The service answered with an error: `str()` is for people, `code` for programs (docs/api.md lists them)."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str = "",
        details: Mapping[str, str] | None = None,
        *,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.retry_after = retry_after
        """Seconds after which to ask again; None if the service does not say."""
        self.request_id = request_id
        """By which the log of the service tells more."""

    @property
    def field(self) -> str | None:
        """The field of the request that is wrong; None if it is no single one."""
        return next(iter(self.details), None) if self.code in _ABOUT_A_FIELD else None

    @property
    def rule(self) -> str | None:
        """The rule of the policy that refused the call (docs/policy.md)."""
        return self.details.get("rule")


class InvalidRequest(Refused):
    """The request is wrong, and will be wrong again."""


class NotAuthenticated(Refused):
    """No key and no session, or not a valid one."""


class NotAllowed(Refused):
    """This key or session may not do that, or the policy forbids the destination."""


class NotFound(Refused):
    """There is none, or it is another account's."""


class Conflict(Refused):
    """It does not go together with what is there: the user is busy, the number is in use."""


class TooMany(Refused):
    """Too many requests, or a limit of calls was reached."""


class Unavailable(Refused):
    """The service cannot now. Of `POST /v1/calls` 503 means that nothing rang."""


def refused_with(status: int) -> type[Refused]:
    """What a status of 400 or more is raised as."""
    match status:
        case 401:
            return NotAuthenticated
        case 403:
            return NotAllowed
        case 404:
            return NotFound
        case 409:
            return Conflict
        case 429:
            return TooMany
        case 408:
            return Unavailable
        case _:
            return Unavailable if status >= 500 else InvalidRequest
