"""A proxy between the service and Asterisk that stops single messages, so that the service can be killed exactly there."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.live.meddler import Asked

Event = dict[str, Any]
DROPPED = web.HTTPServiceUnavailable


@dataclass
class Stop:
    """What is stopped, and whether such a message has come."""

    stops: Callable[[Any], bool]
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, within: float = 10.0) -> None:
        """Wait until the first such message is held; raises `TimeoutError`."""
        async with asyncio.timeout(within):
            await self.reached.wait()


class Gate:
    """Passes everything on until it is told to stop something.

    A request that is stopped never reaches Asterisk. A reply that is stopped never reaches the service, although Asterisk did
    what it was asked. A stopped event stops all events after it too, for they keep their order.
    """

    def __init__(self, target_url: str) -> None:
        self.url = ""
        self._target = target_url.rstrip("/")
        self._requests: list[Stop] = []
        self._replies: list[Stop] = []
        self._events: list[Stop] = []
        self._lost: list[Stop] = []
        self._opened = asyncio.Event()
        self._breaks = False
        self._asked: set[tuple[str, str]] = set()
        self.broken = 0
        """How many answers have been broken off."""
        self._http = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)

    @classmethod
    async def start(cls, target_url: str) -> Self:
        """A gate in front of an HTTP server."""
        gate = cls(target_url)
        await gate._runner.setup()
        site = web.TCPSite(gate._runner, "127.0.0.1", 0)
        await site.start()
        gate.url = f"http://127.0.0.1:{gate._runner.addresses[0][1]}/"
        return gate

    async def close(self) -> None:
        """Give everything back."""
        self.open()
        await self._runner.cleanup()
        await self._http.close()

    def stop_requests(self, stops: Callable[[Asked], bool]) -> Stop:
        """Let no such request reach Asterisk."""
        return _added(self._requests, stops)

    def stop_replies(self, stops: Callable[[Asked], bool]) -> Stop:
        """Let Asterisk carry such requests out, and let nobody hear of it."""
        return _added(self._replies, stops)

    def stop_events(self, stops: Callable[[Event], bool]) -> Stop:
        """Let neither such an event nor any after it reach the service."""
        return _added(self._events, stops)

    def lose_events(self, loses: Callable[[Event], bool]) -> Stop:
        """Let such an event never reach the service, and all others."""
        return _added(self._lost, loses)

    def break_first_answers(self) -> None:
        """Break the first answer to each request that changes something off in the middle; the second one is whole."""
        self._breaks = True

    def open(self) -> None:
        """Stop nothing any more. What is held is dropped."""
        for stops in (self._requests, self._replies, self._events, self._lost):
            stops.clear()
        self._opened.set()
        self._opened = asyncio.Event()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._pass_events_on(request)
        content = await request.read()
        body = await request.json() if content else {}
        asked = Asked(asyncio.get_running_loop().time(), request.method, request.path.removeprefix("/ari/"), body)
        await self._hold(self._requests, asked)
        async with self._http.request(
            request.method, self._target + request.path_qs, data=content or None, headers=_own(request)
        ) as answer:
            reply = web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)
        await self._hold(self._replies, asked)
        name = request.method, request.path_qs
        if self._breaks and request.method != "GET" and name not in self._asked:
            self._asked.add(name)
            await self._break_off(request, reply)
        return reply

    async def _break_off(self, request: web.Request, reply: web.Response) -> None:
        """Give half of an answer, or nothing of one that has no body, and close."""
        assert request.transport is not None
        body = reply.body if isinstance(reply.body, bytes) else b""
        if body:
            half = web.StreamResponse(status=reply.status, headers={"Content-Length": str(len(body))})
            await half.prepare(request)
            await half.write(body[: len(body) // 2])
        request.transport.abort()
        self.broken += 1

    async def _hold(self, stops: Iterable[Stop], asked: Asked) -> None:
        opened = self._opened
        if _stopped(stops, asked):
            await opened.wait()
            raise DROPPED

    async def _pass_events_on(self, request: web.Request) -> web.StreamResponse:
        near = web.WebSocketResponse()
        headers = {"Authorization": request.headers["Authorization"]}
        async with self._http.ws_connect(self._target + request.path_qs, headers=headers) as far:
            await near.prepare(request)
            ways = [asyncio.create_task(self._events_to(near, far)), asyncio.create_task(_until_closed(near))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        return near

    async def _events_to(self, near: web.WebSocketResponse, far: aiohttp.ClientWebSocketResponse) -> None:
        async for message in far:
            opened = self._opened
            if self._events and _stopped(self._events, json.loads(message.data)):
                await opened.wait()
                return  # the connection ends: nobody shall miss events unknowingly
            if not (self._lost and _stopped(self._lost, json.loads(message.data))):
                await near.send_str(message.data)


def _added(stops: list[Stop], what: Callable[[Any], bool]) -> Stop:
    stop = Stop(what)
    stops.append(stop)
    return stop


def _stopped(stops: Iterable[Stop], message: object) -> bool:
    found = [stop for stop in stops if stop.stops(message)]
    for stop in found:
        stop.reached.set()
    return bool(found)


async def _until_closed(socket: web.WebSocketResponse) -> None:
    """Answer pings; Asterisk is told nothing over this socket."""
    async for _ in socket:
        pass


def _own(request: web.Request) -> dict[str, str]:
    return {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}


# What is stopped.


def creates(asked: Asked) -> bool:
    """A channel or a bridge is to be made."""
    return asked.method == "POST" and (asked.path == "channels/create" or asked.path.startswith("bridges/"))


def dials(leg: str) -> Callable[[Asked], bool]:
    """A leg, such as a1, is to be dialled."""
    return lambda asked: asked.method == "POST" and asked.path.endswith(f".{leg}/dial")


def hangs_up(leg: str) -> Callable[[Asked], bool]:
    """A leg is to be ended."""
    return lambda asked: asked.method == "DELETE" and asked.path.endswith(f".{leg}")


def joins(leg: str) -> Callable[[Asked], bool]:
    """A leg is to enter the bridge."""
    return lambda asked: asked.path.endswith("/addChannel") and str(asked.body.get("channel")).endswith(f".{leg}")


def tells(kind: str, leg: str, state: str = "") -> Callable[[Event], bool]:
    """An event of this type about a leg, perhaps of its channel in this state."""

    def is_it(event: Event) -> bool:
        channel = event.get("peer") or event.get("channel") or {}
        same = str(channel.get("id", "")).endswith(f".{leg}")
        return event.get("type") == kind and same and state in ("", channel.get("state"))

    return is_it
