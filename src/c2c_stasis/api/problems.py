"""Where errors become answers, and the only place: the flat body `{"error", "code"?, "details"?}` and its status.

`error` is for people, and the texts of the product page stand here to the letter; `code` is for programs and stays the same.
"""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from c2c_stasis.errors import (
    AccountNotAllowed,
    AlreadyInUse,
    DestinationNotAllowed,
    InvalidRequest,
    KeyInBrowser,
    KeyUsedOtherwise,
    LimitReached,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NumberNotDialable,
    OriginNotAllowed,
    StillInUse,
    TooMany,
    Unavailable,
    UserBusy,
    WebhookDisabled,
)


class Problem(Exception):
    """One answer that is not a success."""

    def __init__(
        self,
        status: int,
        error: str,
        code: str,
        details: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.code = code
        self.details = dict(details or {})
        self.headers = dict(headers or {})


def missing(field: str) -> Problem:
    """A required field is missing, null or empty."""
    return Problem(400, f"{field} is required", "missing_field", {field: "is required"})


def invalid_user_id() -> Problem:
    """The user id is no TypeID of a user."""
    return Problem(
        400,
        "Invalid user_id format",
        "invalid_user_id",
        {"user_id": "is not an id such as user_01h2xcejqtf2nbrexx3vqjhp42"},
    )


def invalid(field: str, reason: str) -> Problem:
    """A field cannot be understood; the name is cut short, for it may be the client's own."""
    name = field[:64]
    return Problem(400, f"Invalid {name}: {reason}", "validation_error", {name: reason})


def invalid_pagination() -> Problem:
    """The cursor is none of ours."""
    reason = "is no page of this list; follow next_page_url and previous_page_url"
    return Problem(400, f"Invalid page: {reason}", "invalid_pagination", {"page": reason})


def not_supported(field: str) -> Problem:
    """A field that we know and cannot honour yet: silence would let the client believe that we did."""
    return Problem(400, f"{field} is not supported yet", "not_supported", {field: "is not supported yet"})


def unavailable(error: Unavailable, parts: Mapping[str, str]) -> Problem:
    """Nothing was done; `parts` says of everything that is needed whether it is there, as `/readyz` does."""
    headers = {"Retry-After": str(error.retry_after)}
    return Problem(503, "Service unavailable, please retry", "unavailable", parts, headers)


def no_help(error: Unavailable, parts: Mapping[str, str]) -> Problem:
    """As `unavailable`, of an emergency call: whoever reads it must not wait for us."""
    message = "Emergency call NOT placed: nothing was dialled. Use another phone now"
    return Problem(503, message, "unavailable", parts, {"Retry-After": str(error.retry_after)})


def not_json(reason: str) -> Problem:
    """The body is not a JSON object that we understand."""
    return Problem(400, "Invalid JSON body", "invalid_json", {"body": reason})


def too_large(limit: int) -> Problem:
    """The body is longer than any request needs to be."""
    return Problem(413, "Request body too large", "body_too_large", {"body": f"is longer than {limit} bytes"})


def too_slow() -> Problem:
    """The body did not arrive in time."""
    return Problem(408, "Request body not received in time", "body_timeout")


def bad_request() -> Problem:
    """It is no HTTP, or not in a form that everybody understands alike."""
    return Problem(400, "Bad request", "bad_request")


def header_too_slow() -> Problem:
    """The header did not arrive in time."""
    return Problem(408, "Request header not received in time", "header_timeout")


def expectation_failed() -> Problem:
    """`Expect` asks for something that nobody knows."""
    return Problem(417, "Expectation failed", "expectation_failed", {"Expect": "can be 100-continue only"})


def too_many_requests() -> Problem:
    """One client asks for too much at a time."""
    return Problem(429, "Too many requests at a time", "too_many_requests", headers={"Retry-After": "1"})


def too_many_failed_logins(seconds: int) -> Problem:
    """So many wrong credentials came before this one, which is as wrong; what is right would have been let in."""
    headers = {"Retry-After": str(seconds)}
    return Problem(429, "Too many failed logins; this one failed as well", "too_many_failed_logins", headers=headers)


def too_many_streams(most: int) -> Problem:
    """The account, or one credential for it, has as many event streams as may be."""
    return Problem(429, f"Too many event streams: {most} are open", "too_many_streams", headers={"Retry-After": "5"})


def overloaded() -> Problem:
    """Everybody together asks for too much at a time; nothing was done."""
    return Problem(503, "Service overloaded, please retry", "overloaded", headers={"Retry-After": "1"})


def unsupported_media_type(header: str, reason: str) -> Problem:
    """The body is announced as something else than plain JSON."""
    return Problem(415, "Unsupported media type", "unsupported_media_type", {header: reason})


def account_header(reason: str) -> Problem:
    """The account header is missing or not unique."""
    return Problem(400, f"DialStack-Account header {reason}", "invalid_account_header", {"DialStack-Account": reason})


def problem_of(error: Exception) -> Problem:
    """The answer to an error; whatever has none of its own is an internal error, whose text stays inside."""
    match error:
        case Problem():
            return error
        case NotAuthenticated():
            return Problem(401, "Unauthorized", "unauthorized", headers={"WWW-Authenticate": "Bearer"})
        case AccountNotAllowed():
            return Problem(403, "Account not found or not yours", "account_not_allowed")
        case AlreadyInUse():
            return Problem(409, f"{error.field} {error.reason}", "already_in_use", {error.field: error.reason})
        case NumberNotDialable(field="dial_string"):  # of another field, no rule of the policy was asked
            details = {error.field: error.reason, "rule": error.rule}
            return Problem(400, f"Invalid {error.field}: {error.reason}", "validation_error", details)
        case InvalidRequest():
            return invalid(error.field, error.reason)
        case NotFound():
            return Problem(404, f"{error.what} not found", f"{error.what.lower().replace(' ', '_')}_not_found")
        case StillInUse():
            return Problem(409, f"Still in use: {error}", "in_use")
        case TooMany():
            return Problem(409, f"Too many: {error}", "too_many")
        case WebhookDisabled():
            return Problem(409, f"Webhook endpoint disabled: {error}", "webhook_endpoint_disabled")
        case KeyInBrowser():
            return Problem(403, f"Not allowed: {error}", "key_in_browser")
        case OriginNotAllowed():
            return Problem(403, f"Not allowed: {error}", "origin_not_allowed")
        case NotAllowed():
            return Problem(403, f"Not allowed: {error}", "not_allowed")
        case DestinationNotAllowed():
            details = {"dial_string": str(error), "rule": error.rule}
            return Problem(403, f"Destination not allowed: {error}", "destination_not_allowed", details)
        case KeyUsedOtherwise():
            reason = "was sent with another body within 24 hours"
            return Problem(409, f"Idempotency-Key {reason}", "idempotency_conflict", {"Idempotency-Key": reason})
        case LimitReached():
            headers = {"Retry-After": str(error.retry_after)}
            return Problem(429, f"Limit reached: {error}", "limit_reached", {"rule": error.rule}, headers)
        case UserBusy():
            return Problem(409, f"User is busy: {error}", "user_busy", {"rule": error.rule})
        case Unavailable():
            return unavailable(error, {})
        case web.HTTPException():
            return _of_http(error)
        case _:
            return Problem(500, "Internal server error", "internal_error")


def _of_http(error: web.HTTPException) -> Problem:
    """What aiohttp itself refuses: routes, methods, sizes."""
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return too_large(16_384)
    if isinstance(error, web.HTTPMethodNotAllowed):
        return Problem(405, "Method not allowed", "method_not_allowed", headers={"Allow": error.headers["Allow"]})
    phrase = HTTPStatus(error.status).phrase
    return Problem(error.status, phrase.capitalize(), phrase.lower().replace(" ", "_"))


def response_to(problem: Problem, request_id: str) -> web.Response:
    """The problem as a response. A 5xx has the request id, by which the log tells what happened."""
    details = problem.details | ({"request_id": request_id} if problem.status >= 500 else {})
    body: dict[str, object] = {"error": problem.error, "code": problem.code}
    if details:
        body["details"] = details
    response = web.Response(
        status=problem.status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=problem.headers,
    )
    if problem.status in (408, 413):
        response.force_close()  # what is still under way of the body is not wanted
    return response
