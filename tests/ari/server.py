"""A small ARI server: the operations we use, answered as a test wants, and every request kept as it came."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

USERNAME, PASSWORD, APP = "c2c", "s3cret/&#%+@:word", "c2c"

# resource, method, path, nickname, and the parameters: in the path, the query, or the body.
OPERATIONS = [
    ("applications", "GET", "/applications/{applicationName}", "get", "applicationName"),
    (
        "applications",
        "POST",
        "/applications/{applicationName}/subscription",
        "subscribe",
        "applicationName ?eventSource",
    ),
    ("asterisk", "GET", "/asterisk/info", "getInfo", "?only"),
    (
        "asterisk",
        "GET",
        "/asterisk/config/dynamic/{configClass}/{objectType}/{id}",
        "getObject",
        "configClass objectType id",
    ),
    ("bridges", "GET", "/bridges", "list", ""),
    ("bridges", "POST", "/bridges/{bridgeId}", "createWithId", "bridgeId ?type ?name"),
    ("bridges", "DELETE", "/bridges/{bridgeId}", "destroy", "bridgeId"),
    (
        "bridges",
        "POST",
        "/bridges/{bridgeId}/addChannel",
        "addChannel",
        "bridgeId ?channel ?inhibitConnectedLineUpdates",
    ),
    ("channels", "GET", "/channels", "list", ""),
    ("channels", "POST", "/channels/create", "create", "?endpoint ?app ?appArgs ?channelId =variables"),
    ("channels", "POST", "/channels/{channelId}/dial", "dial", "channelId ?timeout ?caller"),
    ("channels", "DELETE", "/channels/{channelId}", "hangup", "channelId ?reason_code"),
    ("channels", "POST", "/channels/{channelId}/ring", "ring", "channelId"),
    ("channels", "DELETE", "/channels/{channelId}/ring", "ringStop", "channelId"),
    ("channels", "POST", "/channels/{channelId}/play", "play", "channelId ?media"),
    ("channels", "GET", "/channels/{channelId}/variable", "getChannelVar", "channelId ?variable"),
    ("events", "GET", "/events", "eventWebsocket", "?app ?subscribeAll"),
    ("events", "POST", "/events/user/{eventName}", "userEvent", "eventName ?application"),
]

STARTED = "2026-11-23T08:00:00.000+0000"
ANSWERS: dict[str, Any] = {
    "asterisk.getInfo": {"status": {"startup_time": STARTED, "last_reload_time": STARTED}},
    "applications.get": {"channel_ids": [], "bridge_ids": []},
    "channels.list": [],
    "bridges.list": [],
    "channels.getChannelVar": {"value": ""},
    "asterisk.getObject": [],
}


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    name: str
    path: str
    query: dict[str, str]
    body: Any
    authorization: str
    url: str


@dataclass(frozen=True)
class Answer:
    """A status and a body; `lost`: the connection is closed without an answer; `after`: seconds that it takes."""

    status: int = 200
    body: Any = None
    lost: bool = False
    after: float = 0.0


@dataclass
class AriServer:
    """The server. `answer` says what to reply to a request; None leaves it to the server."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answer: Callable[[Request], Answer | None] = lambda _: None
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    greetings: list[dict[str, Any]] = field(default_factory=list)  # sent on every new event stream, at once
    connects: int = 0
    deaf: bool = False  # whether it answers no ping
    swallows: bool = False  # whether events that are to be sent round never arrive
    mute: bool = False  # whether it never answers the closing of a socket
    _peers: set[tuple[str, int]] = field(default_factory=set)
    serving: asyncio.Event | None = None  # until it is set, an event socket is open, and nobody reads from it

    def asked(self, name: str) -> list[Request]:
        """The requests for one operation."""
        return [request for request in self.requests if request.name == name]

    @property
    def connections(self) -> int:
        """How many connections the requests came on."""
        return len(self._peers)

    async def send(self, event: dict[str, Any] | str) -> None:
        """Send an event, or any text, to everyone who listens."""
        for socket in self.sockets:
            await socket.send_str(event if isinstance(event, str) else json.dumps({"application": APP, **event}))

    async def drop(self) -> None:
        """Close every event socket."""
        for socket in list(self.sockets):
            await socket.close()

    # --- inside ---

    def app(self) -> web.Application:
        """The application behind the socket."""
        app = web.Application()
        app.router.add_get("/ari/events", self._events)
        app.router.add_get("/ari/api-docs/resources.json", self._resources)
        app.router.add_get("/ari/api-docs/{resource}.json", self._declaration)
        app.router.add_put("/ari/applications/{app}/eventFilter", self._operation("applications.filter"))
        for resource, method, path, nickname, _ in OPERATIONS:
            if nickname != "eventWebsocket":
                app.router.add_route(method, "/ari" + path, self._operation(f"{resource}.{nickname}"))
        return app

    def _operation(self, name: str) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if reply := await self._reply(request, name):
                return reply
            if name == "events.userEvent" and not self.swallows:
                await self.send({"type": "ChannelUserevent", "eventname": request.match_info["eventName"]})
            return web.json_response(ANSWERS.get(name, {}))

        return handle

    async def _reply(self, request: web.Request, name: str) -> web.StreamResponse | None:
        """What the test wants to be answered, or a refusal of a wrong password; None: as usual."""
        body = await request.json() if request.can_read_body else None
        authorization = request.headers.get("Authorization", "")
        path = request.path.removeprefix("/ari")
        seen = Request(name, path, dict(request.query), body, authorization, str(request.url))
        self.requests.append(seen)
        assert request.transport is not None
        self._peers.add(request.transport.get_extra_info("peername"))
        answer = self.answer(seen)
        if answer is None:
            if authorization != aiohttp.encode_basic_auth(USERNAME, PASSWORD):
                return web.json_response({"message": "Authentication required"}, status=401)
            return None
        await asyncio.sleep(answer.after)
        if answer.lost:
            request.transport.close()
        if isinstance(answer.body, str):
            return web.Response(status=answer.status, text=answer.body)
        return web.json_response(answer.body, status=answer.status)

    async def _resources(self, request: web.Request) -> web.StreamResponse:
        if refusal := await self._reply(request, "resources"):
            return refusal
        names = sorted({operation[0] for operation in OPERATIONS})
        apis = [{"path": f"/api-docs/{name}.{{format}}", "description": name} for name in names]
        # Asterisk names the host that it believes to have, which is another one than ours.
        return web.json_response(
            {"swaggerVersion": "1.1", "basePath": "http://asterisk.invalid:8088/ari", "apis": apis}
        )

    async def _declaration(self, request: web.Request) -> web.StreamResponse:
        resource = request.match_info["resource"]
        if refusal := await self._reply(request, f"declaration of {resource}"):
            return refusal
        apis = [_api(*operation[1:]) for operation in OPERATIONS if operation[0] == resource]
        base = "http://asterisk.invalid:8088/ari"
        return web.json_response(
            {"swaggerVersion": "1.1", "basePath": base, "resourcePath": f"/{resource}", "apis": apis, "models": {}}
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if refusal := await self._reply(request, "events.eventWebsocket"):
            return refusal
        socket = web.WebSocketResponse(autoclose=not self.mute, autoping=not self.deaf)
        await socket.prepare(request)
        self.connects += 1
        self.sockets.append(socket)
        for event in self.greetings:
            await socket.send_json(event)
        try:
            if self.serving is not None:
                await self.serving.wait()
            async for _ in socket:
                pass
            if self.mute:
                await asyncio.get_running_loop().create_future()
        finally:
            self.sockets.remove(socket)
        return socket


def _api(method: str, path: str, nickname: str, parameters: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "httpMethod": method,
        "nickname": nickname,
        "responseClass": "void",
        "parameters": [_parameter(word) for word in parameters.split()],
    }
    if nickname == "eventWebsocket":
        operation |= {"upgrade": "websocket", "websocketProtocol": "ari"}
    return {"path": path, "description": nickname, "operations": [operation]}


def _parameter(word: str) -> dict[str, Any]:
    kind, name = re.fullmatch(r"([?=]?)(\w+)", word).groups()  # type: ignore[union-attr]  # the table above is well-formed
    kinds = {"": "path", "?": "query", "=": "body"}
    return {"name": name, "paramType": kinds[kind], "dataType": "string", "required": kind == ""}


@asynccontextmanager
async def ari_server() -> AsyncIterator[AriServer]:
    """A server on a free port."""
    server = AriServer()
    runner = web.AppRunner(server.app(), shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    yield server
    await runner.cleanup()
