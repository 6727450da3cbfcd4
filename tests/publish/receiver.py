"""Somebody who is told of events: a real server on loopback, over TLS, that behaves as a test wants it to."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Got:
    """One request as it came in, and what was answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def event(self) -> dict[str, Any]:
        """The event in it."""
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def event_id(self) -> str:
        """The id of the event."""
        return str(self.event["id"])


Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def accepts(_: web.Request) -> web.StreamResponse:
    """It is happy with everything."""
    return web.Response(text="ok")


class Receiver:
    """Keeps what it was sent; `behave` decides the answer. `came` are the events in the order in which they came, answered or
    not, and `most` is how many there were at a time."""

    def __init__(self, behave: Behaviour = accepts) -> None:
        self.behave = behave
        self.got: list[Got] = []
        self.came: list[str] = []
        self.most = 0
        self._here = 0
        self.port = 0
        self.scheme = "http"
        self._runner: web.AppRunner | None = None

    async def start(self, tls: tuple[Path, Path] | None = None) -> "Receiver":
        """Listen on a free port of loopback; with a certificate and its key, over TLS."""
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        context = None
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.scheme = "https"
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, host: str = "127.0.0.1", path: str = "/hooks") -> str:
        """Its address."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    @property
    def accepted(self) -> list[Got]:
        """What it said yes to, in that order."""
        return [one for one in self.got if 200 <= one.status < 300]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.came.append(json.loads(body)["id"])
        self._here += 1
        self.most = max(self.most, self._here)
        try:
            answer = await self.behave(request)
        finally:
            self._here -= 1
        self.got.append(Got(request.path, dict(request.headers), body, answer.status))
        return answer


def verify(got: Got, secret: str) -> None:
    """Hold a request against the library that many receivers use. Raises what that raises."""
    Webhook(secret).verify(got.body, got.headers)


def certify(folder: Path) -> tuple[Path, Path]:
    """A certificate for loopback of this machine's openssl, and its key."""
    certificate, key = folder / "receiver.crt", folder / "receiver.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"),
            *("-nodes", "-subj", "/CN=receiver", "-addext", "subjectAltName=DNS:localhost,DNS:hooks.test,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


async def hangs(_: web.Request) -> web.StreamResponse:
    """It never answers."""
    await asyncio.Event().wait()
    raise AssertionError
