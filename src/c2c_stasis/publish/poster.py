"""One POST to a receiver whom nobody has to trust: bounded in time and size, not led elsewhere, at vetted addresses only."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from c2c_stasis.directory.webhooks import Attempt, WebhookEndpoint
from c2c_stasis.errors import ClickToCallError, InvalidRequest
from c2c_stasis.policy.webhook_urls import FORBIDDEN
from c2c_stasis.publish.guard import ForbiddenAddress, Guard, GuardedResolver, asks_for
from c2c_stasis.publish.schedule import retry_after_of
from c2c_stasis.publish.signature import headers_for

ANSWER_WITHIN = 10.0  # seconds until status and headers must be there
READ_WITHIN = 5.0  # and then the body, of which nothing is needed
READ_AT_MOST = 65_536  # bytes; beyond it the connection is closed
SHOWN = 1_024  # bytes of an answer that are kept for the account
LOOK_WITHIN = 3.0  # seconds to look a name up when an endpoint is saved
KEEP_ALIVE = 4.0  # seconds; many servers close an idle connection after 5, and a POST must not meet that


class AuthoritiesNotUsable(ClickToCallError):
    """`[webhooks] ca_file` cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one POST, and for how many seconds the receiver wants to be left alone."""

    attempt: Attempt
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the receiver has it now."""
        return self.attempt.status_code is not None and 200 <= self.attempt.status_code < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver says that there will never be one again."""
        return self.attempt.status_code == 410


class Poster:
    """Made inside the event loop; `close` ends its connections. Raises `AuthoritiesNotUsable`."""

    def __init__(self, guard: Guard, *, wall: Callable[[], float], ca_file: str = "") -> None:
        self._guard = guard
        self._wall = wall
        connector = TCPConnector(
            resolver=GuardedResolver(guard),
            ssl=_tls(ca_file),
            limit=0,  # who sends bounds that, for each endpoint
            use_dns_cache=False,  # an address counts at the moment of the connection
            keepalive_timeout=KEEP_ALIVE,
        )
        self._http = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=None),  # it is bounded here
            headers={"User-Agent": "c2c-stasis", "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()
        self._guard.close()

    async def vetted(self, text: str) -> str:
        """The URL as it is kept, when an endpoint is saved. Raises `InvalidRequest`.

        A name that nobody knows yet is let pass: what it stands for is looked at again at every connection.
        """
        url = self._guard.rules.checked(text)
        try:
            async with asyncio.timeout(LOOK_WITHIN):
                await self._guard.addresses(*_place(url))
        except ForbiddenAddress as error:
            raise InvalidRequest("url", FORBIDDEN) from error
        except (OSError, TimeoutError, UnicodeError):
            pass
        return str(url)

    async def post(self, endpoint: WebhookEndpoint, event_id: str, body: bytes) -> Answer:
        """Send these bytes, signed. Whatever goes wrong is told in the answer."""
        asks_for.set(endpoint.account_id)
        began, started = self._wall(), asyncio.get_running_loop().time()

        def attempt(status_code: int | None, error: str | None, response: str = "") -> Attempt:
            return Attempt(began, asyncio.get_running_loop().time() - started, status_code, error, response)

        headers = headers_for(endpoint, event_id, body, began) | {"Content-Type": "application/json"}
        try:
            url = self._guard.rules.checked(endpoint.url)  # the rules may be others than when it was saved
            host, port = _place(url)
            if _is_literal(host):  # of which no resolver is asked
                await self._guard.addresses(host, port)
            async with asyncio.timeout(ANSWER_WITHIN):
                answer = await self._http.post(url, data=body, headers=headers, allow_redirects=False)
        except Exception as error:
            return Answer(attempt(None, _in_words(error)))
        try:
            text = await _beginning(answer)
        finally:
            answer.close() if not answer.content.at_eof() else answer.release()
        wait = retry_after_of(answer.headers.get("Retry-After"), self._wall())
        redirect = "redirects are not followed" if 300 <= answer.status < 400 else None
        return Answer(attempt(answer.status, redirect, text), wait)


async def _beginning(answer: ClientResponse) -> str:
    """The first characters of an answer; all of it is read if that is little and comes soon, to use the connection again."""
    read = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN):
            while len(read) < READ_AT_MOST and (chunk := await answer.content.read(READ_AT_MOST - len(read))):
                read += chunk
    except (TimeoutError, ClientError, OSError):
        pass  # the status has come, and only that counts
    text = bytes(read[:SHOWN]).decode("utf-8", "replace")
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)


def _in_words(error: Exception) -> str:
    """Why no answer came, for the account."""
    match error:
        case InvalidRequest():
            return f"the URL {error.reason}"
        case TimeoutError():
            return f"no answer within {ANSWER_WITHIN:.0f} s"
        case ForbiddenAddress():
            return str(error)
        case ClientConnectorDNSError():
            forbidden = isinstance(error.os_error, ForbiddenAddress)
            return str(error.os_error) if forbidden else "the name cannot be resolved"
        case ClientConnectorCertificateError():
            return f"TLS: {getattr(error.certificate_error, 'verify_message', '') or 'the certificate is not trusted'}"
        case ClientConnectorSSLError():
            return "TLS: no connection could be agreed on"
        case ClientConnectorError():
            return f"no connection: {error.os_error.strerror or 'refused'}"
        case ClientResponseError():
            return "the answer is no HTTP"
        case ClientError() | OSError():
            return "the connection ended without an answer"
        case _:
            return "it could not be sent"


def _place(url: URL) -> tuple[str, int]:
    return str(url.raw_host), int(url.port or 443)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=Path(ca_file))
        except (OSError, ssl.SSLError) as error:
            reason = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise AuthoritiesNotUsable(f"[webhooks] ca_file {ca_file}: {reason}") from error
    return context
