"""`/metrics`: the figures of the service, to whoever has a platform key, and to everybody on a listener of its own."""

from aiohttp import web

from c2c_stasis.api.port import Service
from c2c_stasis.api.routes import Asked, Doors, Route
from c2c_stasis.config import Address
from c2c_stasis.metrics import CONTENT_TYPE, Metrics

METRICS = web.AppKey("metrics", Metrics)
"""The figures of an application."""


class MetricRoutes:
    """The figures on the port of the API. They are of all platforms together, and name nobody."""

    def __init__(self, service: Service, metrics: Metrics) -> None:
        self._doors = Doors(service)
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """For the route table."""
        return [self._doors.platform("GET", "/metrics", self.show, media="text/plain")]

    async def show(self, _asked: Asked) -> web.Response:
        """The figures of the service in the text format of Prometheus. They are those of all platforms together."""
        return _response(self._metrics)


class MetricServer:
    """The figures on a listener of their own, for whoever reaches it: no credential, no TLS, nothing else."""

    def __init__(self, metrics: Metrics, listen: Address) -> None:
        self._listen = listen
        app = web.Application()
        app.router.add_get("/metrics", self._show)
        self._metrics = metrics
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=75.0)

    async def start(self) -> Address:
        """Listen, and say where. Raises `OSError`."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._listen.host.strip("[]"), self._listen.port).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        _, port, *_ = self._runner.addresses[0]
        return Address(self._listen.host, port)

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _show(self, _request: web.Request) -> web.Response:
        return _response(self._metrics)


def _response(metrics: Metrics) -> web.Response:
    return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


def count_request(metrics: Metrics, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    """Count one answered request, by the template of its route: what a client writes is no label."""
    resource = request.match_info.route.resource
    known = resource is not None and request.match_info.http_exception is None
    method, route = (request.method, resource.canonical) if known and resource is not None else ("other", "other")
    metrics.http_requests.labels(method, route, response.status).inc()
    if isinstance(response, web.Response):
        metrics.http_seconds.labels(method, route).observe(seconds)
    if (method, route, response.status) == ("POST", "/v1/calls", 202):
        metrics.accept_seconds.observe(seconds)
