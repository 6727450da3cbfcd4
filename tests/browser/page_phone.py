"""A page that is a phone, in a headless Chromium whose microphone is a file; and the server that gives the page."""

import struct
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import pi, sin
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, Page

from tests.browser.chromium import chromium
from tests.live.client import Client

DIST = Path(__file__).parents[2] / "sdk/js/dist"
MICROPHONE_HZ = 700
SEEN_WITHIN = 30_000.0  # ms: what must happen, on a machine that stalls
_RATE = 48_000  # Hz
_ON, _PERIOD = 0.3, 0.6  # seconds: a steady tone would be filtered out as the noise of a fan
FLAGS = (
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
    *("--autoplay-policy=no-user-gesture-required", "--disable-features=WebRtcHideLocalIpsWithMdns"),
)
# Nothing inline: the page has the policy of the console, and a softphone must work under it.
POLICY = "default-src 'self'; connect-src 'self' {service} {websocket}; object-src 'none'; base-uri 'none'"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Phone</title>
<script type="module" src="/c2c-softphone.js"></script>
<c2c-softphone user="{user}" api-url="{service}" session-url="/session"></c2c-softphone></html>"""
# The strongest frequency in what the page plays, while there is any.
PEAK = """async () => {
  const { audio } = document.querySelector('c2c-softphone');
  if (!audio.srcObject) return 0;
  const context = new AudioContext();
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
  new MediaStreamAudioSourceNode(context, { mediaStream: audio.srcObject }).connect(analyser);
  await new Promise((resolve) => setTimeout(resolve, 400));
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  const loudest = levels.indexOf(Math.max(...levels));
  const hz = levels[loudest] > -60 ? (loudest * context.sampleRate) / analyser.fftSize : 0;
  await context.close();
  return hz;
}"""


@asynccontextmanager
async def started_chromium(folder: Path) -> AsyncIterator[Browser]:
    """A browser with that microphone."""
    microphone = folder / "microphone.wav"
    _write_microphone(microphone)
    async with chromium(*FLAGS, f"--use-file-for-fake-audio-capture={microphone}") as browser:
        yield browser


def _write_microphone(path: Path) -> None:
    """Half of the time a tone; Chromium plays it again and again."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        loudness = [16_000 if at < _ON * _RATE else 0 for at in range(int(_PERIOD * _RATE))]
        samples = (int(loud * sin(2 * pi * MICROPHONE_HZ * at / _RATE)) for at, loud in enumerate(loudness))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


class PageServer:
    """Somebody's web server: it gives the page, and a session for the one user who is signed in."""

    def __init__(self, websocket_url: str) -> None:
        self.url = ""
        self.user_id = self.account = self.service = ""
        self.client: Client | None = None
        self._websocket = websocket_url
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Serve, on a free port of loopback."""
        app = web.Application()
        app.add_routes(
            [web.get("/", self._page), web.get("/session", self._session), web.get("/favicon.ico", _nothing)]
        )
        for file in ("c2c-softphone.js", "jssip.js"):
            app.router.add_get(f"/{file}", self._file)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Serve no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _page(self, _request: web.Request) -> web.Response:
        policy = POLICY.format(service=self.service, websocket=self._websocket)
        text = PAGE.format(user=self.user_id, service=self.service)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _file(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(DIST / request.path.removeprefix("/"))

    async def _session(self, _request: web.Request) -> web.Response:
        assert self.client is not None
        body = {"user_id": self.user_id}
        status, _, text = await self.client.ask("POST", "/v1/user_sessions", self.account, json=body)
        return web.Response(status=status, text=text, content_type="application/json")


async def _nothing(_request: web.Request) -> web.Response:
    return web.Response(status=204)


class PagePhone:
    """What a person sees of it, and does."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        """What the console of the page was told as an error."""
        page.on("console", lambda line: self.said.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    async def open(self, url: str) -> None:
        """Load the page, and wait until it is a phone."""
        await self.page.goto(url)
        await self.until("ready")

    async def until(self, state: str) -> None:
        """Wait until the element says so."""
        try:
            await self.page.wait_for_selector(f"c2c-softphone[state={state}]", timeout=SEEN_WITHIN)
        except Exception as error:
            shown = await self.page.evaluate("() => document.querySelector('c2c-softphone').standing")
            raise AssertionError(f"not {state} but {shown}; {self.said}") from error

    async def click(self, name: str) -> None:
        """Click a button by what stands on it."""
        await self.page.get_by_role("button", name=name, exact=True).click(timeout=SEEN_WITHIN)

    async def text(self) -> str:
        """What stands there for people."""
        return " ".join((await self.page.locator("c2c-softphone [role=status]").inner_text()).split())

    async def standing(self) -> dict[str, Any]:
        """What the element tells programs."""
        told: dict[str, Any] = await self.page.evaluate("() => document.querySelector('c2c-softphone').standing")
        return told

    async def hears(self) -> float:
        """The frequency that stands out in what the page plays, in Hz; 0 while there is silence."""
        return float(await self.page.evaluate(PEAK))
