"""The HTTP server: the route table, and how it listens."""

import asyncio
import logging
from http import HTTPStatus

import aiohttp.http_parser
from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from c2c_stasis.api.calls import CallRoutes
from c2c_stasis.api.document.openapi import told
from c2c_stasis.api.document.routes import DocumentRoutes
from c2c_stasis.api.edge import REQUEST_ID_HEADER, answer_everything, finish_headers
from c2c_stasis.api.health import HealthRoutes
from c2c_stasis.api.port import DirectoryStore, Service
from c2c_stasis.api.problems import Problem, response_to
from c2c_stasis.api.resources import resource_routes
from c2c_stasis.api.routes import Route
from c2c_stasis.api.strict_json import MAX_BYTES
from c2c_stasis.config import Address
from c2c_stasis.ids import new_id

logger = logging.getLogger(__name__)

# Longer than the 60 s that proxies keep connections, or they would send a request into a closing one. It is also the time that
# a client has for its headers.
_KEEP_ALIVE = 75.0
_LINGER = 2.0  # seconds for which the rest of a body that nobody wants is still read
_STOP_WITHIN = 5.0  # seconds that running requests may take when the server stops
_BACKLOG = 1024


ROUTES = web.AppKey("routes", list[Route])
"""The route table of an application."""


def build_app(service: Service, store: DirectoryStore) -> web.Application:
    """The whole API in front of a service and the store of its directory.

    Raises `RouteNotTold` for a route that does not say whom it serves, or anything else that the document must tell.
    """
    if aiohttp.http_parser.HttpRequestParser.__module__ != "aiohttp._http_parser":
        logger.warning(
            "aiohttp runs without its C parser; the one in Python had request smuggling flaws (CVE-2026-111750)"
        )
    app = web.Application(middlewares=[answer_everything], client_max_size=MAX_BYTES)
    calls = CallRoutes(service)
    routes = [*calls.routes(), *resource_routes(service, store), *HealthRoutes(service).routes()]
    routes += DocumentRoutes(routes.copy()).routes()
    told(routes)
    app[ROUTES] = routes
    app.add_routes([route.definition() for route in routes])
    app.on_response_prepare.append(finish_headers)
    app.on_cleanup.append(calls.drain)
    return app


class HttpServer:
    """The API on a socket."""

    def __init__(self, app: web.Application, address: Address) -> None:
        self._runner = _Runner(
            app,
            access_log=None,  # `edge` writes a better one
            keepalive_timeout=_KEEP_ALIVE,
            lingering_time=_LINGER,
            shutdown_timeout=_STOP_WITHIN,
            auto_decompress=False,
        )
        self._address = address

    async def start(self) -> Address:
        """Listen, and say where: the port is the system's choice when 0 was asked for. Raises `OSError`."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._address.host, self._address.port, backlog=_BACKLOG).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        host, port = self._runner.addresses[0][:2]
        return Address(host, port)

    async def stop(self) -> None:
        """Stop listening, let running requests finish, close every connection."""
        await self._runner.cleanup()


class _Runner(web.AppRunner):
    """aiohttp's runner with our protocol: what is no HTTP gets a flat body as well."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(server.request_handler, request_factory=server.request_factory, **self._kwargs)


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=asyncio.get_running_loop(), **self._kwargs)


class _Protocol(RequestHandler):
    """aiohttp logs a traceback with the bytes of every malformed request, keys included, and answers with its version."""

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 # says what was malformed, and quotes it
    ) -> web.StreamResponse:
        """Answer what could not even be given to a handler."""
        request_id = new_id("req")
        extra = {
            "request_id": request_id,
            "status": status,
            "remote": request.remote or "",
            "error": type(exc).__name__,
        }
        if status < 500:
            logger.info("request refused", extra=extra)
        else:
            logger.error("request failed", exc_info=exc, extra=extra)
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun already")
        problem = Problem(
            status, HTTPStatus(status).phrase.capitalize(), "bad_request" if status < 500 else "internal_error"
        )
        response = response_to(problem, request_id)
        response.headers[REQUEST_ID_HEADER] = request_id
        response.headers[hdrs.SERVER] = "c2c-stasis"  # else aiohttp names itself, Python and both versions
        response.force_close()
        return response
