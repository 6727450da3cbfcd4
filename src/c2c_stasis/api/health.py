"""Is the process alive, and can it place calls; no credentials are needed to ask."""

import asyncio

import msgspec
from aiohttp import web

from c2c_stasis.api.port import Service
from c2c_stasis.api.routes import Route, Scope

_ANSWER_WITHIN = 5.0  # seconds; who asks for health does not wait for long


class HealthRoutes:
    """`/livez` and `/readyz`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """For the route table."""
        return [Route("GET", "/livez", self.live, Scope.OPEN), Route("GET", "/readyz", self.ready, Scope.OPEN)]

    async def live(self, _request: web.Request) -> web.Response:
        """200 as long as the event loop turns: a restart would help against nothing else."""
        return _answer(200, {"status": "ok"})

    async def ready(self, _request: web.Request) -> web.Response:
        """200 when calls can be placed, else 503 with what is wrong."""
        checks = await checked(self._service)
        wrong = [name for name, state in checks.items() if state != "ok"]
        if wrong:
            return _answer(503, {"error": f"Not ready: {', '.join(wrong)}", "code": "not_ready", "details": checks})
        return _answer(200, {"status": "ok", "details": checks})


async def checked(service: Service) -> dict[str, str]:
    """What is needed to place calls, each "ok" or what is wrong with it."""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN):
            return await service.readiness()
    except TimeoutError:
        return {"service": "did not answer in time"}


def _answer(status: int, body: dict[str, object]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
