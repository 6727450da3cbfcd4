"""Every error code with its status and when it is answered; which of them an operation answers, its route tells."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One code. `when` is a clause for people."""

    status: int
    when: str


ERRORS = {
    "missing_field": ErrorCode(400, "a field that is required is missing, null or empty"),
    "invalid_user_id": ErrorCode(400, "`user_id` has not the form of one"),
    "validation_error": ErrorCode(
        400, "a field is wrong or unknown; `details` names it and says why, and for a dial string which rule it breaks"
    ),
    "not_supported": ErrorCode(400, "a field is known and not supported yet"),
    "invalid_json": ErrorCode(400, "the body is not one JSON object; `details.body` says why"),
    "invalid_account_header": ErrorCode(400, "`DialStack-Account` is missing, empty, or there more than once"),
    "invalid_pagination": ErrorCode(400, "`page` is no page of this list"),
    "bad_request": ErrorCode(400, "the request is no HTTP, or could be read in two ways"),
    "unauthorized": ErrorCode(401, "there is no credential, or none that is valid"),
    "account_not_allowed": ErrorCode(
        403, "the account is unknown, belongs to somebody else, or has not the form of an id"
    ),
    "destination_not_allowed": ErrorCode(403, "a rule forbids the destination; `details.rule` names it"),
    "not_allowed": ErrorCode(403, "the credential may not do this"),
    "key_in_browser": ErrorCode(403, "a browser sent a platform key, which must stay on a server"),
    "origin_not_allowed": ErrorCode(403, "a web page asks with a session of an account for which it may not act"),
    "user_not_found": ErrorCode(404, "the account has no such user"),
    "call_not_found": ErrorCode(404, "the account has no such call, or a credential of the other mode placed it"),
    "account_not_found": ErrorCode(404, "the platform has no such account"),
    "endpoint_not_found": ErrorCode(404, "the user has no such device"),
    "extension_not_found": ErrorCode(404, "the account has no such extension"),
    "phone_number_not_found": ErrorCode(404, "the account has no such number"),
    "location_not_found": ErrorCode(404, "the account has no such location"),
    "key_not_found": ErrorCode(404, "the platform has no such key"),
    "webhook_endpoint_not_found": ErrorCode(
        404, "the account has no such webhook endpoint, or a key of the other mode made it"
    ),
    "delivery_not_found": ErrorCode(404, "the webhook endpoint has no such delivery, or it is no longer kept"),
    "not_found": ErrorCode(404, "there is no such path"),
    "method_not_allowed": ErrorCode(405, "the path has no such method"),
    "header_timeout": ErrorCode(408, "the header did not arrive within 10 s"),
    "body_timeout": ErrorCode(408, "the body did not arrive within 10 s"),
    "user_busy": ErrorCode(409, "the user has as many calls as may be; `details.rule` says so"),
    "idempotency_conflict": ErrorCode(409, "the `Idempotency-Key` was sent with another body within 24 hours"),
    "already_in_use": ErrorCode(409, "what must be unique belongs to somebody already; `details` names the field"),
    "in_use": ErrorCode(409, "something still needs it; `error` says what"),
    "too_many": ErrorCode(409, "there are as many as there may be; `error` says how many of what"),
    "webhook_endpoint_disabled": ErrorCode(409, "nothing is sent to a webhook endpoint that is disabled"),
    "body_too_large": ErrorCode(413, "the body is longer than 16,384 bytes"),
    "unsupported_media_type": ErrorCode(415, "the body is not announced as plain `application/json`"),
    "expectation_failed": ErrorCode(417, "`Expect` asks for something else than `100-continue`"),
    "too_many_requests": ErrorCode(
        429, "too many requests at a time from one address; repeat it after `Retry-After` seconds"
    ),
    "too_many_failed_logins": ErrorCode(
        429, "the credential is wrong, as were many before from this address or for this key; a right one is let in"
    ),
    "too_many_streams": ErrorCode(429, "the account, or this credential, has as many event streams as may be"),
    "limit_reached": ErrorCode(
        429,
        "there were as many calls as may be; `details.rule` names the limit, `Retry-After` when there may be another",
    ),
    "internal_error": ErrorCode(500, "our own code failed"),
    "unavailable": ErrorCode(503, "nothing was done, and nothing rang; repeat it after `Retry-After` seconds"),
    "overloaded": ErrorCode(
        503, "too many requests at a time; nothing was done, repeat it after `Retry-After` seconds"
    ),
    "not_ready": ErrorCode(503, "calls cannot be placed; `details` says what is missing"),
}
