"""Every example, started by its one command, driven in Chromium: sign in, click, talk."""

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import unused_port
from playwright.async_api import Browser, Page, expect
from yarl import URL

from c2c_stasis.client import AsyncClient, NotAllowed
from c2c_stasis.config import Address, Http
from c2c_stasis.config.sections.network import parse_origins
from c2c_stasis.directory.model import User
from tests.browser.accessibility import grave_findings
from tests.browser.conftest import PATIENCE, opened
from tests.browser.site import SESSION
from tests.live.process import heed_signals
from tests.live.proxy import CuttableProxy
from tests.live.story import ANSWERS_SOON, Story
from tests.live.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

expect.set_options(timeout=PATIENCE)

ROOT = Path(__file__).parents[2]
READY_WITHIN = 120.0  # seconds; two are usual, a package may have to be fetched first


@dataclass
class Example:
    """A server, where it listens."""

    url: str


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


async def sign_in(page: Page, name: str, password: str) -> None:
    """As people do it."""
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("name", ["python-fastapi", "python-flask", "node-express", "react"])
async def test_whoever_is_signed_in_calls_from_the_page_and_nobody_else(
    browser: Browser, story: Story, name: str
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, name="Alice")
    bob = await story.user(name="Bob")
    number = story.destination(ANSWERS_SOON, "+15551234567")
    port = unused_port()
    story.http = Http(Address("127.0.0.1", 0), cors_origins=parse_origins(f"http://127.0.0.1:{port}"))
    await story.open()
    proxy = await CuttableProxy.start(story.client.url)
    key, account = story.client.key, alice.account_id
    url = proxy.url.rstrip("/")
    async with started(name, port, C2C_BASE_URL=url, C2C_API_KEY=key, C2C_ACCOUNT=account) as example:
        async with opened(browser, example.url) as page:
            call = page.get_by_role("button", name="Call", exact=False).first
            status = page.get_by_role("status").first
            await sign_in(page, "alice", "builder")
            await expect(page.get_by_role("alert")).to_have_text("Wrong name or password")
            await expect(call).to_be_hidden()
            await sign_in(page, "alice", "wonderland")
            assert await grave_findings(page) == []
            await call.click()
            await expect(status).to_have_text("Talking")
            assert await grave_findings(page) == []
            await (await story.dialled_call(number)).hang_up()
            await expect(status).to_have_text(re.compile("^(Call ended|Talked for [0-9]+ s)$"))
            (record,) = (await story.client.get("/v1/calls", account))["data"]
            story.client.found(f"/v1/calls/{record['id']}", account)
            assert (record["user_id"], record["to_number"]) == (alice.id, number)
            await story.until_phones_are_free()
            assert len(desk.calls) == 1
            await the_session_is_that_of_who_is_signed_in(example, key, alice, bob)
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_label("Password")).to_be_visible()
        await proxy.cut()
        async with aiohttp.ClientSession(example.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as away:
            async with away.post("/api/login", json={"name": "bob", "password": "builder"}) as answer:
                assert answer.status == 204
            async with away.get(SESSION) as answer:
                assert (answer.status, await answer.json()) == (503, {"error": "calls are not possible now"})


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
        for path in ("/", "/crm.js", "/..%2fpython-flask%2fcrm_flask.py", "/%2e%2e/run"):
            async with browser.get(URL(example.url + path, encoded=True)) as answer:
                assert key not in await answer.text()
                assert "STAFF" not in await answer.text()
        async with browser.post("/api/logout") as answer:
            assert answer.status == 204
        async with browser.get(SESSION) as answer:
            assert answer.status == 401
