"""Which pages may ask us from a browser: their origins are configured, each to the letter (Fetch standard, CORS protocol).

An account may name its own. The question that a browser asks before a request has no credential, so it is answered for the
pages of all accounts; whether a page may act for this account is looked at when its request comes (`allows`).

No cookie is ever wanted, so `Access-Control-Allow-Credentials` is never said: who may do what, the Authorization header tells.
"""

import logging
import time
from collections.abc import Callable, Iterable

from aiohttp import hdrs, web

from c2c_stasis.config import Origins

logger = logging.getLogger(__name__)

_TOLD_EVERY = (
    10.0  # seconds between two lines about pages that were refused: a page that tries again shall not fill the log
)
_METHODS = "GET, POST, DELETE"
_HEADERS = "authorization, content-type, dialstack-account, idempotency-key, last-event-id"
_EXPOSED = "X-Request-Id, Location, Retry-After, Idempotent-Replayed"
_REMEMBERED_FOR = "600"  # seconds


class Cors:
    """Answers the questions that browsers ask before a request, and marks the answers that their pages may read."""

    def __init__(self, origins: Origins = Origins()) -> None:  # noqa: B008  # frozen
        self._allowed = frozenset(origins.names)
        self.of_accounts: Callable[[], frozenset[str]] = frozenset  # the origins that accounts name
        self._tell_after = 0.0

    def use(self, origins: Origins) -> None:
        """Let pages of these origins in from now on, and no others."""
        self._allowed = frozenset(origins.names)

    def allows(self, request: web.Request, own: Iterable[str] | None) -> bool:
        """Whether the page that asks, if it is one, may act for an account; `own` are the origins that the account names.

        A page of the service itself may: its browser names the same host in `Origin` and in `Host`.
        """
        origins = request.headers.getall(hdrs.ORIGIN, [])
        if not origins:
            return True
        if len(origins) > 1:
            return False
        allowed = self._allowed if own is None else own
        return origins[0] in allowed or origins[0].lower().partition("://")[2] == request.host.lower() != ""

    def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to a browser that asks before it sends; nothing when it is no such question, or of another origin.

        It has no credential, and says the same of every path: what is there, the request itself will tell.
        """
        if request.method != hdrs.METH_OPTIONS or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
            return None
        if self._origin(request) is None:
            self._refused(request.headers.get(hdrs.ORIGIN, ""))
            return None
        return web.Response(
            status=204,
            headers={
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: _REMEMBERED_FOR,
            },
        )

    def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let the page that asked read this answer, if it may; and caches know that it depends on who asks."""
        if not self._allowed and not self.of_accounts():
            return
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if (origin := self._origin(request)) is not None:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED

    def _refused(self, origin: str) -> None:
        """Tell who runs the service why a page does not work: its browser shows no more than a 405."""
        if origin and time.monotonic() >= self._tell_after:
            logger.warning(f"page of {origin[:200]} refused; name it in [http] cors_origins, or at an account")
            self._tell_after = time.monotonic() + _TOLD_EVERY

    def _origin(self, request: web.Request) -> str | None:
        """The origin of a page that is let in."""
        origins = request.headers.getall(hdrs.ORIGIN, [])
        if len(origins) != 1 or (origins[0] not in self._allowed and origins[0] not in self.of_accounts()):
            return None
        return origins[0]


CORS = web.AppKey("cors", Cors)
