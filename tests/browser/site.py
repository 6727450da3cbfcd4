"""A web site for the tests: the page that a test writes, the built SDK, and a route that gives a session, as a CRM has them."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

ROOT = Path(__file__).parents[2]
SDK = ROOT / "sdk/js"
SESSION = "/api/dialstack/session"
FILES = {"/sdk/": SDK / "dist", "/axe/": SDK / "node_modules/axe-core"}
# As strict as a careful site has it; style is for the pages of these tests themselves.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src *; img-src data:; base-uri 'none'"
)

HEAD = """<!doctype html>
<html lang="{language}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Customers</title>
<style>
  body {{ margin: 1rem; font: 1rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }}
</style>
<script type="module" src="/script.js"></script>
</head>
<body><main>
{body}
</main></body>
</html>
"""


class Site:
    """Serves on a free port of the loopback; `url` is its origin, from `open` on."""

    def __init__(self) -> None:
        self.url = ""
        self.body, self.script, self.language, self.direction = "", "", "en", "ltr"
        self.secret: Callable[[], Awaitable[str]] | None = None
        """Who gives sessions; None answers 401, as for somebody who is not signed in."""
        self.sessions = 0
        """How many were given."""
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        """Begin to serve."""
        assert (SDK / "dist/index.js").exists(), "the SDK is not built: make sdk"
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/script.js", self._script)
        app.router.add_get("/favicon.ico", self._nothing)
        app.router.add_get(SESSION, self._session)
        for prefix, folder in FILES.items():
            app.router.add_static(prefix, folder)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        _, port = self._runner.addresses[0]
        self.url = f"http://127.0.0.1:{port}"

    async def close(self) -> None:
        """Serve no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _page(self, _: web.Request) -> web.Response:
        text = HEAD.format(language=self.language, direction=self.direction, body=self.body)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    async def _script(self, _: web.Request) -> web.Response:
        return web.Response(text=self.script, content_type="text/javascript")

    async def _nothing(self, _: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _session(self, _: web.Request) -> web.Response:
        if self.secret is None:
            return web.Response(status=401)
        self.sessions += 1
        return web.json_response({"client_secret": await self.secret()}, headers={"Cache-Control": "no-store"})
