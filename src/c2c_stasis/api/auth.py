"""Who is asking, and for which account."""

from aiohttp import hdrs, web

from c2c_stasis.api import problems
from c2c_stasis.api.port import Service
from c2c_stasis.directory.model import Account, Key
from c2c_stasis.errors import AccountNotAllowed, NotAuthenticated
from c2c_stasis.ids import ACCOUNT, is_id

ACCOUNT_HEADER = "DialStack-Account"


def authenticate(request: web.Request, service: Service) -> tuple[Key, Account]:
    """The key and the account of a request, in this order.

    Raises `NotAuthenticated`, `Problem` when the account header is missing or there twice, and `AccountNotAllowed`.
    """
    key = authenticate_key(request, service)
    return key, service.account(key, _account_id(request))


def authenticate_key(request: web.Request, service: Service) -> Key:
    """The key of a request that is about no account. Raises `NotAuthenticated`."""
    return service.authenticate(_bearer(request))


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
    if not headers:
        raise problems.account_header("is required")
    if len(headers) > 1:
        raise problems.account_header("is there more than once")
    if not is_id(headers[0], ACCOUNT):
        raise AccountNotAllowed
    return headers[0]
