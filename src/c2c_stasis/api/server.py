"""The HTTP server: the route table, and how it listens."""

import asyncio
import logging

import aiohttp.http_parser
from aiohttp import web

from c2c_stasis.api.admission import Admission
from c2c_stasis.api.calls import CallRoutes
from c2c_stasis.api.cors import CORS, Cors
from c2c_stasis.api.document.openapi import told
from c2c_stasis.api.document.routes import DocumentRoutes
from c2c_stasis.api.edge import ADMISSION, answer_everything, finish_headers
from c2c_stasis.api.event_streams import STREAMS
from c2c_stasis.api.events import EventRoutes
from c2c_stasis.api.failed_logins import FAILED_LOGINS, FailedLogins
from c2c_stasis.api.health import HealthRoutes
from c2c_stasis.api.listener import Listener
from c2c_stasis.api.metrics import METRICS, MetricRoutes
from c2c_stasis.api.port import DirectoryStore, Service, Vet
from c2c_stasis.api.protocol import Protocol, sound
from c2c_stasis.api.resources import resource_routes
from c2c_stasis.api.routes import Route
from c2c_stasis.api.strict_json import MAX_BYTES
from c2c_stasis.api.tls import context_for
from c2c_stasis.config import Address, Http
from c2c_stasis.metrics import Metrics, ask
from c2c_stasis.policy.webhook_urls import WebhookUrls

logger = logging.getLogger(__name__)

# Longer than the 60 s that proxies keep connections, or they would send a request into a closing one.
_KEEP_ALIVE = 75.0
_LINGER = 2.0  # seconds for which the rest of a body that nobody wants is still read
_STOP_WITHIN = 5.0  # seconds that running requests may take when the server stops


ROUTES = web.AppKey("routes", list[Route])
"""The route table of an application."""


async def _by_rules_alone(url: str) -> str:
    return str(WebhookUrls().checked(url))


def build_app(
    service: Service,
    store: DirectoryStore,
    cors: Cors | None = None,
    metrics: Metrics | None = None,
    vet: Vet = _by_rules_alone,
) -> web.Application:
    """The whole API in front of a service and the store of its directory; without `cors`, for no pages of elsewhere.

    `vet` looks at the URLs of webhooks; what is not given looks up no name.

    Raises `RouteNotTold` for a route that does not say whom it serves, or anything else that the document must tell.
    """
    if aiohttp.http_parser.HttpRequestParser.__module__ != "aiohttp._http_parser":
        logger.warning(
            "aiohttp runs without its C parser; the one in Python had request smuggling flaws (CVE-2026-111750)"
        )
    app = web.Application(middlewares=[answer_everything], client_max_size=MAX_BYTES)
    app[CORS] = cors or Cors()
    app[CORS].of_accounts = lambda: service.page_origins()  # the document is drawn without a service
    figures = app[METRICS] = metrics or Metrics()
    calls, events = CallRoutes(service), EventRoutes(service)
    routes = [*calls.routes(), *events.routes(), *resource_routes(service, store, vet), *HealthRoutes(service).routes()]
    routes += MetricRoutes(service, figures).routes()
    routes += DocumentRoutes(routes.copy()).routes()
    told(routes)
    app[ROUTES] = routes
    app.add_routes([route.definition() for route in routes])
    app.on_response_prepare.append(finish_headers)
    app[STREAMS] = events.streams
    ask(figures.event_streams, lambda: events.streams.count)
    app.on_shutdown.append(events.streams.close)
    app.on_cleanup.append(calls.drain)
    return app


class HttpServer:
    """The API on a socket. Raises `CertificateNotUsable` when there shall be TLS and cannot."""

    def __init__(self, app: web.Application, http: Http) -> None:
        self._admission = admission = app[ADMISSION] = Admission(http)
        app[FAILED_LOGINS] = FailedLogins(http.max_failed_logins, admission.trusts)
        ask(app[METRICS].http_connections, lambda: self.connections)
        ask(app[METRICS].http_in_progress, lambda: admission.requests)
        self._listener = Listener(http.listen, self._admission, context_for(http))
        self._runner = _Runner(
            app,
            access_log=None,  # `edge` writes a better one
            keepalive_timeout=_KEEP_ALIVE,
            lingering_time=_LINGER,
            shutdown_timeout=_STOP_WITHIN,
            auto_decompress=False,
        )

    async def start(self) -> Address:
        """Listen, and say where: the port is the system's choice when 0 was asked for. Raises `OSError`."""
        await self._runner.setup()
        try:
            address = await self._listener.open()
        except BaseException:
            await self._runner.cleanup()
            raise
        self._listener.serve(self._runner.protocol)
        return address

    @property
    def connections(self) -> int:
        """How many there are."""
        return self._admission.connections + self._admission.in_reserve

    async def renew_certificate(self, http: Http) -> None:
        """Encrypt every new connection with what is in the files now. Raises `CertificateNotUsable`, and changes nothing."""
        self._listener.tls = await asyncio.to_thread(context_for, http)

    def drain(self) -> None:
        """Answer on, and end each connection with the response to its request: the next one shall find our successor."""
        self._admission.leaving = True

    async def stop(self) -> None:
        """Stop listening, let running requests finish, close every connection."""
        await self._listener.close()
        await self._runner.cleanup()


class _Runner(web.AppRunner):
    """aiohttp's runner with our protocol."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(sound(server.request_handler), request_factory=server.request_factory, **self._kwargs)

    def protocol(self) -> Protocol:
        """What the next connection speaks."""
        assert isinstance(self.server, _Server)  # it is set up
        return self.server()


class _Server(web.Server):
    def __call__(self) -> Protocol:
        return Protocol(self, **self._kwargs)
