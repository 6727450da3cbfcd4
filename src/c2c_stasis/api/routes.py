"""What a route is: its address, who may use it, what it takes and what it gives."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import TypedDict, TypeVar, Unpack

import msgspec
from aiohttp import web
from msgspec import Struct

from c2c_stasis.api import fields, problems
from c2c_stasis.api.auth import authenticate_for_account, authenticate_key
from c2c_stasis.api.bodies import read_json
from c2c_stasis.api.port import Service
from c2c_stasis.directory.model import Account, Key
from c2c_stasis.errors import NotFound
from c2c_stasis.ids import is_id

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Schema = type[Struct] | None


PROBES = ("/livez", "/readyz")
"""What is answered however much is asked: an orchestrator would restart a service that is merely busy."""


PLACES_CALLS = ("POST", "/v1/calls")
"""Method and path of what may be an emergency call: these alone are let in when all places are taken."""


class Scope(StrEnum):
    """Whom a route serves."""

    OPEN = "open"  # everybody, without a credential
    PLATFORM = "platform"  # a platform key
    ACCOUNT = "account"  # a platform key and the account that it acts for
    ACCOUNT_SESSION = "account_session"  # a session for an account
    USER_SESSION = "user_session"  # a session for a user, who sees and does what is the user's own


Scopes = frozenset[Scope]

OPEN: Scopes = frozenset({Scope.OPEN})
KEYS: Scopes = frozenset({Scope.PLATFORM})
KEYS_FOR_ACCOUNT: Scopes = frozenset({Scope.ACCOUNT})
EVERYONE_WITH_AN_ACCOUNT: Scopes = frozenset({Scope.ACCOUNT, Scope.ACCOUNT_SESSION, Scope.USER_SESSION})
_SENSIBLE = {OPEN, KEYS, KEYS_FOR_ACCOUNT, EVERYONE_WITH_AN_ACCOUNT}


class Facts(TypedDict, total=False):
    """What a route says of itself beside its address and scope; each is explained at `Route`."""

    takes: Schema
    body_may_be_missing: bool
    filters: Schema
    gives: Schema
    errors: tuple[str, ...]
    success: int
    headers: tuple[str, ...]
    reads: tuple[str, ...]
    media: str


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the route table, and all that the OpenAPI document says of it; `document/` draws that.

    `takes` is the body, `gives` the answer, `filters` the fields of the query; a route without any takes no query. `errors` are
    the codes that follow from what the handler does; those that follow from scopes, path, query and body need not be named.
    `success` is the status of success where it is not the usual one, `headers` what such an answer has in addition,
    `reads` the headers of a request that mean something to this route alone. The docstring of the handler is the summary.

    A route that does not say whom it serves, or contradicts itself in that, cannot be made.
    """

    method: str
    path: str
    handler: Handler
    scopes: Scopes
    takes: Schema = None
    body_may_be_missing: bool = False
    filters: Schema = None
    gives: Schema = None
    errors: tuple[str, ...] = ()
    success: int = 0
    headers: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    media: str = "application/json"

    def __post_init__(self) -> None:
        if self.scopes not in _SENSIBLE:
            named = ", ".join(sorted(self.scopes)) or "nobody"
            raise ValueError(f"{self.method} {self.path} serves {named}; no handler proves that")

    def definition(self) -> web.RouteDef:
        """The route, for the router."""
        return (
            web.get(self.path, self.handler)
            if self.method == "GET"
            else web.route(self.method, self.path, self.handler)
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """One request whose key and account are proved."""

    request: web.Request
    key: Key

    def path_id(self, name: str, prefix: str, missing: type[NotFound]) -> str:
        """An id in the path. Raises the error that says there is none when it cannot be one."""
        text = self.request.match_info[name]
        if not is_id(text, prefix):
            raise missing
        return text

    async def body(self, kind: type[fields.S]) -> fields.S:
        """The body as this struct. Raises `Problem`."""
        return fields.read(kind, await read_json(self.request))

    async def body_if_any(self, kind: type[fields.S]) -> fields.S:
        """The same where a request needs no body, when it has none. Raises `Problem`."""
        return await self.body(kind) if self.request.body_exists else fields.read(kind, {})

    def filters(self, kind: type[fields.S]) -> fields.S:
        """The query as this struct. Raises `Problem`."""
        return read_query(self.request, kind)


@dataclass(frozen=True, slots=True)
class AskedForAccount(Asked):
    """One request for an account."""

    account: Account


A = TypeVar("A", bound=Asked)


@dataclass(frozen=True, slots=True)
class Doors:
    """Makes routes whose handlers are reached with a proved credential only."""

    service: Service

    def account(
        self,
        method: str,
        path: str,
        handle: Callable[[AskedForAccount], Awaitable[web.Response]],
        **facts: Unpack[Facts],
    ) -> Route:
        """A route for a key and an account."""

        @wraps(handle)
        async def handler(request: web.Request) -> web.Response:
            asked = AskedForAccount(request, *authenticate_for_account(request, self.service))
            return await handle(_checked(asked, facts))

        return Route(method, path, handler, KEYS_FOR_ACCOUNT, **facts)

    def platform(
        self, method: str, path: str, handle: Callable[[Asked], Awaitable[web.Response]], **facts: Unpack[Facts]
    ) -> Route:
        """A route for a key; an account header is let pass, for some clients send it always."""

        @wraps(handle)
        async def handler(request: web.Request) -> web.Response:
            return await handle(_checked(Asked(request, authenticate_key(request, self.service)), facts))

        return Route(method, path, handler, KEYS, **facts)


def read_query(request: web.Request, kind: type[fields.S]) -> fields.S:
    """The query as this struct; a name that ends in `[]` may be there more than once. Raises `Problem`."""
    query = request.query
    given: dict[str, object] = {}
    for name in query:
        values = query.getall(name)
        if len(values) > 1 and not name.endswith("[]"):
            raise problems.invalid(name, "is there more than once")
        given[name] = values if name.endswith("[]") else values[0]
    return fields.read(kind, given, strict=False, unknown="is not a known filter")


def refuse_query(request: web.Request) -> None:
    """For a route without filters: nothing that is asked for may be passed over in silence. Raises `Problem`."""
    if request.query_string and request.query:
        raise problems.invalid(next(iter(request.query)), "is not a known filter")


def _checked(asked: A, facts: Facts) -> A:
    """The same request, when it asks for nothing that its route does not have. Raises `Problem`."""
    if facts.get("filters") is None:
        refuse_query(asked.request)
    return asked


def answer(record: Struct, status: int = 200) -> web.Response:
    """A record as a response."""
    return web.Response(status=status, body=msgspec.json.encode(record), content_type="application/json")


def nothing() -> web.Response:
    """The answer to a DELETE."""
    return web.Response(status=204)
