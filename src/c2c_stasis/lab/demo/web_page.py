"""The page of the demonstration: a Call button, and the phone that it rings. Served on this machine, to this machine."""

from importlib.resources import files
from string import Template
from typing import Any, Self

import aiohttp
from aiohttp import web

from c2c_stasis.lab.deployment import HOST
from c2c_stasis.lab.errors import LaboratoryError

ANSWERS, BUSY = "+15557654322", "+15557654486"
_OWN = files("c2c_stasis.lab.demo") / "page"
_BUILT = files("c2c_stasis") / "api/console/page/vendor"  # from sdk/js; the console has the same
_FILES = {
    "page.css": (_OWN, "text/css"),
    "c2c-softphone.js": (_BUILT, "text/javascript"),
    "jssip.js": (_BUILT, "text/javascript"),
    "click-to-call-button.js": (_BUILT, "text/javascript"),
}
_POLICY = "default-src 'self'; connect-src 'self' {service} {websocket}; object-src 'none'; base-uri 'none'"


class WebPage:
    """`await WebPage.start()`, then `open_for` a user; `stop` it at the end."""

    def __init__(self, runner: web.AppRunner, app: web.Application) -> None:
        """Use `start`."""
        self._runner = runner
        self._user: dict[str, str] = {}
        self._policy = ""
        self._session: tuple[str, dict[str, str]] = ("", {})
        app.router.add_get("/", self._page)
        app.router.add_get("/session", self._open_session)
        app.router.add_get("/favicon.ico", _no_icon)
        for name in _FILES:
            app.router.add_get(f"/{name}", self._file)

    @classmethod
    async def start(cls) -> Self:
        """Listen on a free port of loopback."""
        app = web.Application(middlewares=[_own_name_only])
        runner = web.AppRunner(app, access_log=None)
        self = cls(runner, app)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        return self

    @property
    def origin(self) -> str:
        """Where it is, as a browser names it."""
        return f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Serve no more. Twice is once."""
        await self._runner.cleanup()

    async def open_for(self, base_url: str, headers: dict[str, str], user_id: str, websocket_url: str) -> None:
        """Give this user a browser as a phone, and let the page be it. Raises `LaboratoryError`."""
        await _asked(f"{base_url}/v1/users/{user_id}/endpoints", headers, {"type": "browser", "name": "Demo page"})
        self._session = f"{base_url}/v1/user_sessions", headers
        self._user = {"user": user_id, "service": base_url, "answers": ANSWERS, "busy": BUSY}
        self._policy = _POLICY.format(service=base_url, websocket=websocket_url)

    async def _page(self, _request: web.Request) -> web.Response:
        text = Template((_OWN / "index.html").read_text("utf-8")).substitute(self._user)
        headers = {"Content-Security-Policy": self._policy, "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    async def _file(self, request: web.Request) -> web.Response:
        name = request.path.removeprefix("/")
        folder, kind = _FILES[name]
        return web.Response(text=(folder / name).read_text("utf-8"), content_type=kind)

    async def _open_session(self, _request: web.Request) -> web.Response:
        """A session for the one user of the page. Whoever copies this asks first who is signed in."""
        url, headers = self._session
        told = await _asked(url, headers, {"user_id": self._user["user"]})
        return web.json_response({"client_secret": told["client_secret"]}, headers={"Cache-Control": "no-store"})


async def _asked(url: str, headers: dict[str, str], body: dict[str, str]) -> dict[str, Any]:
    timeout = aiohttp.ClientTimeout(total=10.0)
    async with (
        aiohttp.ClientSession(headers=headers, timeout=timeout) as http,
        http.post(url, json=body) as answer,
    ):
        if answer.status not in (200, 201):
            raise LaboratoryError(f"the API refused a phone for the page: {answer.status} {await answer.text()}")
        told: dict[str, Any] = await answer.json()
        return told


async def _no_icon(_request: web.Request) -> web.Response:
    return web.Response(status=204)


@web.middleware
async def _own_name_only(request: web.Request, handler: Any) -> web.StreamResponse:
    """Refuse who comes under another name: a strange page whose name was made to lead here could open sessions."""
    if request.host.partition(":")[0] not in (HOST, "localhost"):
        raise web.HTTPForbidden
    answer: web.StreamResponse = await handler(request)
    return answer
