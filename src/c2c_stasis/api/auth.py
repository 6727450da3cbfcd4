"""Who is asking, and for which account."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network

from aiohttp import hdrs, web

from c2c_stasis.api import problems
from c2c_stasis.api.admission import parsed
from c2c_stasis.api.clients import CLIENT
from c2c_stasis.api.cors import CORS
from c2c_stasis.api.failed_logins import FAILED_LOGINS
from c2c_stasis.api.port import Service
from c2c_stasis.call.model import Call
from c2c_stasis.config.sections.network import parse_networks
from c2c_stasis.directory.model import Account, Key
from c2c_stasis.directory.sessions import Session
from c2c_stasis.errors import (
    AccountNotAllowed,
    CallNotFound,
    KeyInBrowser,
    NotAllowed,
    NotAuthenticated,
    OriginNotAllowed,
)
from c2c_stasis.ids import ACCOUNT, UserId, is_id

logger = logging.getLogger(__name__)

ACCOUNT_HEADER = "DialStack-Account"
_KEYS_BEGIN = "sk_"
# What browsers send, and servers have no reason to: whoever opens that page can read the key. A page of our own origin asks
# without `Origin` when it only looks, but not without `Sec-Fetch-Site` (Fetch Metadata). `Sec-Fetch-Mode` tells nothing: the
# fetch of Node.js sends it as well (seen in 24).
_OF_BROWSERS = (hdrs.ORIGIN, "Sec-Fetch-Site", "Sec-Fetch-Dest", "Sec-Fetch-User")


@dataclass(frozen=True, slots=True)
class Acting:
    """For whom a request about calls acts: an account, and only one of its users when `user_id` is there.

    `key_id` is the platform key that was presented; with a session there is none.
    """

    account: Account
    livemode: bool
    user_id: UserId | None = None
    key_id: str | None = None
    ends_at: float | None = None  # Unix seconds: when the credential ends, as far as is known

    def require_user(self, user_id: str) -> None:
        """Raises `NotAllowed` for every user but the one that the session is for, whether there is such a user or not."""
        if self.user_id is not None and self.user_id != user_id:
            raise NotAllowed("this session acts for its own user only")

    def require_sight_of(self, call: Call) -> None:
        """Raises `CallNotFound` for a call of the other mode, and for another user's when only one user's are to be seen."""
        if call.livemode is not self.livemode or self.user_id not in (None, call.user_id):
            raise CallNotFound


def authenticate(request: web.Request, service: Service) -> Acting:
    """For whom a request acts, and may. Raises as `recognise` does, and `OriginNotAllowed`."""
    acting = recognise(request, service)
    require_page(request, acting)
    return acting


def require_page(request: web.Request, acting: Acting) -> None:
    """Raises `OriginNotAllowed` when a web page asks that may not act for this account."""
    if not request.app[CORS].allows(request, acting.account.page_origins):
        raise OriginNotAllowed


def recognise(request: web.Request, service: Service) -> Acting:
    """For whom a request acts, by its key and account or by its session; checked in this order. From which page, is not.

    Raises `NotAuthenticated`, `KeyInBrowser`, `Problem` after too many failed logins, or when the account header is missing or
    there twice, and `AccountNotAllowed`.
    """
    match _credential(request, service):
        case Key() as key:
            account = service.account(key, _account_id(request))
            return Acting(account, key.livemode, key_id=key.id, ends_at=key.expires_at)
        case Session(account, livemode, user_id, ends_at):
            if ACCOUNT_HEADER in request.headers and _account_id(request) != account.id:
                raise AccountNotAllowed
            return Acting(account, livemode, user_id, ends_at=ends_at)


def authenticate_for_account(request: web.Request, service: Service) -> tuple[Key, Account]:
    """The key of a request, and the account that it is about. Raises as `authenticate` and `authenticate_key` do."""
    key = authenticate_key(request, service)
    return key, service.account(key, _account_id(request))


def authenticate_key(request: web.Request, service: Service) -> Key:
    """The key of a request that no session may make. Raises `NotAuthenticated`, `KeyInBrowser`, and `NotAllowed`."""
    found = _credential(request, service)
    if not isinstance(found, Key):
        raise NotAllowed("this needs a platform key; a session is for calls only")
    return found


def _credential(request: web.Request, service: Service) -> Key | Session:
    token = _bearer(request)
    client = request.get(CLIENT, "")
    from_a_browser = token.startswith(_KEYS_BEGIN) and any(name in request.headers for name in _OF_BROWSERS)
    try:
        found = service.authenticate(token)
        if isinstance(found, Key) and not from_a_browser and not _may_come_from(found, client):
            logger.warning("key used from elsewhere", extra={"key_id": found.id, "remote": client})
            raise NotAuthenticated
    except NotAuthenticated:
        request.app[FAILED_LOGINS].count(client, token)
        if from_a_browser:
            raise KeyInBrowser from None  # as if it were one; and nobody is alarmed
        raise
    if isinstance(found, Key) and from_a_browser:
        extra = {"key_id": found.id, "origin": request.headers.get(hdrs.ORIGIN, "")[:200], "remote": client}
        logger.warning("platform key sent by a browser", extra=extra)
        raise KeyInBrowser
    return found


def _may_come_from(key: Key, client: str) -> bool:
    """Whether this client may use the key. Who comes from elsewhere is answered as if there were no such key."""
    if not key.networks:
        return True
    address = parsed(client)
    ranges = _ranges(key.networks)
    return address is not None and any(address in one for one in ranges if one.version == address.version)


@lru_cache(256)
def _ranges(networks: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return parse_networks(networks).ranges


def _bearer(request: web.Request) -> str:
    """The token of the one Authorization header. A proxy and we might each believe another one, if there were two."""
    headers = request.headers.getall(hdrs.AUTHORIZATION, [])
    if len(headers) != 1:
        raise NotAuthenticated
    scheme, _, token = headers[0].partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token.isascii() or not token.isprintable() or not token:
        raise NotAuthenticated
    return token


def _account_id(request: web.Request) -> str:
    headers = request.headers.getall(ACCOUNT_HEADER, [])
    if len(headers) > 1:
        raise problems.account_header("is there more than once")
    if not headers or not headers[0]:
        raise problems.account_header("is required")
    if not is_id(headers[0], ACCOUNT):
        raise AccountNotAllowed
    return headers[0]
