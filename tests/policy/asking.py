"""Requests and settings as the tests of the policy need them."""

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.config import Ari, Config
from c2c_stasis.ids import AccountId, UserId
from c2c_stasis.policy.engine import judge
from c2c_stasis.policy.request import Decision, Request
from c2c_stasis.policy.settings import Settings, settings_of

DEFAULTS = settings_of(Config(Ari("secret")), None)
"""What is allowed when nothing is configured."""

LONDON, BERLIN = "+442079460018", "+4930123456"


def external(
    number: str, region: str = "US", *, user: str = "alice", key: str | None = "key", live: bool = True
) -> Request:
    """A request for a telephone number."""
    return Request(DestinationKind.EXTERNAL, number, region, AccountId("acct"), UserId(user), key, live)


def extension(number: str = "1001", *, user: str = "alice") -> Request:
    """A request for an extension."""
    return Request(DestinationKind.EXTENSION, number, "US", AccountId("acct"), UserId(user), "key")


def emergency(number: str = "911", *, user: str = "alice") -> Request:
    """A request for help."""
    return Request(DestinationKind.EMERGENCY, number, "US", AccountId("acct"), UserId(user), "key")


def judged(number: str, region: str = "US", settings: Settings = DEFAULTS) -> Decision:
    """What is decided about a telephone number."""
    return judge(external(number, region), settings)
