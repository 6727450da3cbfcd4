"""Every server of examples/, started by its one command, driven as a browser does it: sign in, click, talk."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import unused_port
from yarl import URL

from c2c_stasis.client import AsyncClient, NotAllowed
from c2c_stasis.config import Address, Http
from c2c_stasis.config.sections.network import parse_origins
from c2c_stasis.directory.model import User
from tests.live.process import heed_signals
from tests.live.proxy import CuttableProxy
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually
from tests.node import NODE

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
READY_WITHIN = 120.0  # seconds; two are usual, a package may have to be fetched first
SESSION = "/api/dialstack/session"

# What a browser has and Node.js has not: an address that "/api" is relative to, cookies, and the origin of its page.
BROWSER = """
const [server, name, password, number] = process.argv.slice(1), plain = fetch;
let cookie = '';
globalThis.fetch = async (url, options = {}) => {
  const address = new URL(url, server), own = address.origin === new URL(server).origin;
  const headers = { ...options.headers, ...(own ? { cookie } : { Origin: new URL(server).origin }) };
  const answer = await plain(address, { ...options, headers });
  const set = answer.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ');
  if (own && set) cookie = set;
  return answer;
};
const headers = { 'Content-Type': 'application/json' }, body = JSON.stringify({ name, password });
if (name) console.log((await fetch('/api/login', { method: 'POST', headers, body })).status);
const script = await (await fetch('/calls.js')).text();
const { call } = await import('data:text/javascript,' + encodeURIComponent(script));
await call(number, (state) => console.log(state)).then((end) => console.log(end.outcome), (no) => console.log(no.message));
"""


@dataclass
class Example:
    """A server, where it listens."""

    url: str

    async def clicked(self, number: str, name: str = "", password: str = "") -> list[str]:
        """What the page tells whoever signs in and clicks a number."""
        command = (NODE, "--input-type=module", "-e", BROWSER, self.url, name, password, number)
        page = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
        told, complaints = await page.communicate()
        assert page.returncode == 0, complaints.decode()
        return told.decode().split("\n")[:-1]


@asynccontextmanager
async def started(name: str, port: int, **variables: str) -> AsyncIterator[Example]:
    """The server while it runs; what belongs to a `make` around this is none of its business."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("C2C_", "MAKE", "MFLAGS"))}
    process = await asyncio.create_subprocess_exec(
        *("sh", str(ROOT / "examples/run"), name),
        env=kept | variables | {"PORT": str(port)},
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=heed_signals,
    )
    example = Example(f"http://127.0.0.1:{port}")
    reading = asyncio.create_task(process.communicate())

    async def answers_or_is_over() -> bool:
        if process.returncode is not None:
            return True
        try:
            async with aiohttp.ClientSession() as http, http.get(example.url) as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False

    try:
        await eventually(answers_or_is_over, bool, f"{name} to answer", READY_WITHIN)
        assert process.returncode is None, (await reading)[0].decode()
        yield example
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)  # its own group: the shell's children are in it
        await reading


@pytest.mark.parametrize("name", ["python-fastapi", "python-flask", "node-express"])
async def test_whoever_is_signed_in_calls_from_the_page_and_nobody_else(story: Story, name: str) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, name="Alice")
    bob = await story.user(name="Bob")
    number = story.destination(TALKS_BRIEFLY)
    port = unused_port()
    story.http = Http(Address("127.0.0.1", 0), cors_origins=parse_origins(f"http://127.0.0.1:{port}"))
    await story.open()
    proxy = await CuttableProxy.start(story.client.url)
    key, account = story.client.key, alice.account_id
    url = proxy.url.rstrip("/")
    async with started(name, port, C2C_BASE_URL=url, C2C_API_KEY=key, C2C_ACCOUNT=account) as example:
        assert await example.clicked(number) == ["Sign in first"]
        assert await example.clicked(number, "alice", "builder") == ["401", "Sign in first"]
        told = await example.clicked(number, "alice", "wonderland")
        assert (told[0], told[-2:]) == ("204", ["ended", "completed"])
        (call,) = (await story.client.get("/v1/calls", account))["data"]
        story.client.found(f"/v1/calls/{call['id']}", account)
        assert (call["user_id"], call["to_number"]) == (alice.id, number)
        assert len(desk.calls) == 1
        assert (await example.clicked("nobody", "alice", "wonderland"))[-1].startswith("Invalid dial_string: ")
        await the_session_is_that_of_who_is_signed_in(example, key, alice, bob)
        await proxy.cut()
        assert (await example.clicked(number, "bob", "builder"))[-1] == "Calls are not possible now"
    await proxy.cut()


async def the_session_is_that_of_who_is_signed_in(example: Example, key: str, alice: User, bob: User) -> None:
    """Whatever the page asks for; and the key of the platform is in no answer."""
    jar = aiohttp.CookieJar(unsafe=True)  # the server's name is an IP address
    async with aiohttp.ClientSession(example.url, cookie_jar=jar) as browser:
        async with browser.post("/api/login", json={"name": "bob", "password": "builder"}) as answer:
            assert answer.status == 204
            cookie = answer.headers["Set-Cookie"].lower()
            assert "httponly" in cookie
            assert "samesite=strict" in cookie
        async with browser.get(f"{SESSION}?user_id={alice.id}") as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            text = await answer.text()
        assert key not in text
        opened = json.loads(text)
        assert opened["user_id"] == bob.id
        async with AsyncClient(opened["api_url"], opened["client_secret"]) as page:
            with pytest.raises(NotAllowed):
                await page.calls.create(user_id=alice.id, dial_string="+15551234567")
        for path in ("/", "/crm.js", "/calls.js", "/..%2fpython-flask%2fcrm_flask.py", "/%2e%2e/run"):
            async with browser.get(URL(example.url + path, encoded=True)) as answer:
                assert key not in await answer.text()
                assert "STAFF" not in await answer.text()
        async with browser.post("/api/logout") as answer:
            assert answer.status == 204
        async with browser.get(SESSION) as answer:
            assert answer.status == 401
