"""A proxy between the service and Asterisk that meddles with single requests: refuses, swallows or delays them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp import web


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to Asterisk; `at` is on the loop's clock, `path` begins after `/ari/`, `body` are the parameters."""

    at: float
    method: str
    path: str
    body: dict[str, object]


@dataclass(frozen=True, slots=True)
class Meddling:
    """What becomes of a request that does not reach Asterisk: an answer with this status, after so many seconds."""

    status: int
    after: float = 0.0


class Meddler:
    """Passes requests and the event websocket on, but for those about which `meddle` decides. `asked` are all of them."""

    def __init__(self, target_url: str) -> None:
        self.asked: list[Asked] = []
        self.meddle: Callable[[Asked], Meddling | None] = lambda _: None
        self.url = ""
        self._target = target_url.rstrip("/")
        self._http = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    @classmethod
    async def start(cls, target_url: str) -> Self:
        """A meddler in front of an HTTP server."""
        meddler = cls(target_url)
        await meddler._runner.setup()
        site = web.TCPSite(meddler._runner, "127.0.0.1", 0)
        await site.start()
        meddler.url = f"http://127.0.0.1:{meddler._runner.addresses[0][1]}/"
        return meddler

    async def stop(self) -> None:
        """Close everything."""
        await self._runner.cleanup()
        await self._http.close()

    def times(self, method: str, path_end: str) -> list[float]:
        """When such requests came in."""
        return [one.at for one in self.asked if one.method == method and one.path.endswith(path_end)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._pass_events_on(request)
        content = await request.read()
        body = await request.json() if content else {}
        asked = Asked(asyncio.get_running_loop().time(), request.method, request.path.removeprefix("/ari/"), body)
        self.asked.append(asked)
        meddling = self.meddle(asked)
        if meddling is not None:
            await asyncio.sleep(meddling.after)
            return web.Response(status=meddling.status)
        async with self._http.request(
            request.method, self._target + request.path_qs, data=content or None, headers=_own(request)
        ) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    async def _pass_events_on(self, request: web.Request) -> web.StreamResponse:
        near = web.WebSocketResponse()
        headers = {"Authorization": request.headers["Authorization"]}
        async with self._http.ws_connect(self._target + request.path_qs, headers=headers) as far:
            await near.prepare(request)
            hearing = asyncio.create_task(_until_closed(near))
            async for message in far:
                if near.closed:
                    break
                await near.send_str(message.data)
            hearing.cancel()
        return near


async def _until_closed(socket: web.WebSocketResponse) -> None:
    """Answer pings; Asterisk is told nothing over this socket."""
    async for _ in socket:
        pass


def _own(request: web.Request) -> dict[str, str]:
    return {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
