"""Is the process alive, and can it place calls; no credentials are needed to ask."""

import asyncio

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from c2c_stasis.api.port import Service
from c2c_stasis.api.routes import OPEN, Route, answer

_ANSWER_WITHIN = 5.0  # seconds; who asks for health does not wait for long


class Health(Struct, frozen=True):
    """All is well; of `/readyz` with each part that is needed."""

    status: str
    details: dict[str, str] | UnsetType = UNSET


class HealthRoutes:
    """`/livez` and `/readyz`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """For the route table."""
        return [
            Route("GET", "/livez", self.live, OPEN, gives=Health),
            Route("GET", "/readyz", self.ready, OPEN, gives=Health, errors=("not_ready",)),
        ]

    async def live(self, _request: web.Request) -> web.Response:
        """Whether the process lives. A restart helps against nothing else."""
        return answer(Health("ok"))

    async def ready(self, _request: web.Request) -> web.Response:
        """Whether calls can be placed. If not, 503 says what is wrong."""
        checks = await checked(self._service)
        wrong = [name for name, state in checks.items() if state != "ok"]
        if wrong:
            body = {"error": f"Not ready: {', '.join(wrong)}", "code": "not_ready", "details": checks}
            return web.Response(status=503, body=msgspec.json.encode(body), content_type="application/json")
        return answer(Health("ok", checks))


async def checked(service: Service) -> dict[str, str]:
    """What is needed to place calls, each "ok" or what is wrong with it."""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN):
            return await service.readiness()
    except TimeoutError:
        return {"service": "did not answer in time"}
