"""Everything that can be wrong with a request or with our surroundings, as one tree.

ClickToCallError
├── InvalidRequest           the request cannot be understood            (field, reason)
│   ├── NumberNotDialable    the dial string is no number we can dial (rule)
│   └── AlreadyInUse         what must be unique belongs to somebody already
├── NotAuthenticated         no key and no session, or not a valid one
├── AccountNotAllowed        the account is unknown or belongs to another platform
├── NotFound                 there is none, or it is another account's
│   └── UserNotFound, CallNotFound, AccountNotFound, DeviceNotFound, ExtensionNotFound, PhoneNumberNotFound,
│       LocationNotFound, KeyNotFound, WebhookEndpointNotFound, DeliveryNotFound
├── StillInUse               it cannot be removed as long as something needs it
├── TooMany                  there are as many as there may be
├── WebhookDisabled          nothing is sent to an endpoint that is disabled
├── NotAllowed               this key or session may not do that
│   ├── KeyInBrowser         a platform key where everybody can read it
│   └── OriginNotAllowed     the web page may not act for this account
├── DestinationNotAllowed    a rule forbids this destination             (rule)
├── LimitReached             there were as many calls as may be     (rule, retry_after)
├── UserBusy                 the user has as many calls as may be            (rule)
├── KeyUsedOtherwise         the Idempotency-Key stands for another request
└── Unavailable              nothing was done; the same request may be repeated later
    ├── SwitchUnavailable    Asterisk is not connected
    ├── StoreUnavailable     the database did not take the record
    └── Stopping             the service is shutting down
SwitchRefused (ClickToCallError): Asterisk refused one request           (status, message)
"""


class ClickToCallError(Exception):
    """Root of every error that this package raises on purpose."""


class InvalidRequest(ClickToCallError):
    """A field of the request is missing or cannot be understood; `field` names it and `reason` says why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NumberNotDialable(InvalidRequest):
    """The dial string is no extension of the account, no emergency number and no possible number.

    `rule` is the stable name of what is wrong with it.
    """

    def __init__(self, reason: str, rule: str = "no_number") -> None:
        super().__init__("dial_string", reason)
        self.rule = rule


class AlreadyInUse(InvalidRequest):
    """Something that can exist once exists already."""

    def __init__(self, field: str) -> None:
        super().__init__(field, "is already in use")


class NotAuthenticated(ClickToCallError):
    """The credential is missing, malformed, unknown, expired or revoked: one answer for all of them."""


class AccountNotAllowed(ClickToCallError):
    """The account does not exist or is not the credential's."""


class NotFound(ClickToCallError):
    """It does not exist, or it is another account's, which must look the same; `what` is its name in the API."""

    what = "Resource"

    def __init__(self) -> None:
        super().__init__(f"{self.what} not found")


class UserNotFound(NotFound):
    """The user does not exist in this account."""

    what = "User"


class CallNotFound(NotFound):
    """The call does not exist in this account."""

    what = "Call"


class AccountNotFound(NotFound):
    """The account does not exist on this platform."""

    what = "Account"


class DeviceNotFound(NotFound):
    """The user has no such device."""

    what = "Endpoint"


class ExtensionNotFound(NotFound):
    """The account has no such extension."""

    what = "Extension"


class PhoneNumberNotFound(NotFound):
    """The account has no such number."""

    what = "Phone number"


class LocationNotFound(NotFound):
    """The account has no such location."""

    what = "Location"


class KeyNotFound(NotFound):
    """The platform has no such key."""

    what = "Key"


class WebhookEndpointNotFound(NotFound):
    """The account has no such webhook endpoint, or a key of the other mode made it."""

    what = "Webhook endpoint"


class DeliveryNotFound(NotFound):
    """The webhook endpoint has no such delivery, or it is no longer kept."""

    what = "Delivery"


class TooMany(ClickToCallError):
    """There are as many as there may be; the text says how many of what."""


class WebhookDisabled(ClickToCallError):
    """Nothing is sent to a webhook endpoint that is disabled."""

    def __init__(self) -> None:
        super().__init__("nothing is sent to it until it is enabled")


class StillInUse(ClickToCallError):
    """It cannot be removed as long as something needs it; the text says what does."""


class NotAllowed(ClickToCallError):
    """The key or session that was presented may not do this; the text says why."""


class KeyInBrowser(NotAllowed):
    """A platform key was sent by a browser, where whoever looks can read it."""

    def __init__(self) -> None:
        super().__init__(
            "a platform key must stay on your server; open a session there, and give the browser its client_secret"
        )


class OriginNotAllowed(NotAllowed):
    """A web page asks that may not act for this account."""

    def __init__(self) -> None:
        super().__init__("pages of this origin may not act for this account; name it in cors_origins")


class DestinationNotAllowed(ClickToCallError):
    """A rule forbids this destination; `rule` is its stable name."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


class LimitReached(ClickToCallError):
    """There were, or are, as many calls as may be; `rule` is the stable name of the limit.

    The same request may be let through after `retry_after` seconds.
    """

    def __init__(self, rule: str, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.rule = rule
        self.retry_after = retry_after


class UserBusy(ClickToCallError):
    """The user already has as many calls as one user may have at a time."""

    rule = "user_busy"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the user already has {limit} {'call' if limit == 1 else 'calls'}")
        self.limit = limit


class KeyUsedOtherwise(ClickToCallError):
    """The Idempotency-Key was sent with another body within a day."""


class Unavailable(ClickToCallError):
    """Nothing was done, and nothing rang; the request may be repeated after `retry_after` seconds."""

    retry_after = 1


class SwitchUnavailable(Unavailable):
    """Asterisk is not connected, or did not answer in time."""


class StoreUnavailable(Unavailable):
    """The database did not take the record."""


class Stopping(Unavailable):
    """The service is shutting down and takes no new calls."""

    retry_after = 5


class SwitchRefused(ClickToCallError):
    """Asterisk refused one request; its HTTP status and message are kept."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message


def first_of(group: ExceptionGroup[Exception], *kinds: type[Exception]) -> Exception | None:
    """The first error of a group that holds only errors of these kinds; nothing when it holds others as well.

    In place of `except*`: until Python 3.11.3 what is raised there comes out inside another group (Debian 12 has 3.11.2).
    """
    _, others = group.split(kinds)
    if others is not None:
        return None
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
