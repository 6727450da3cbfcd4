"""The programs of the product page, word for word (`snippets.md`), but for addresses, keys, ids and the name of the package.

What is around them is what the page leaves to the reader: who starts a server, where `useState` comes from.
"""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import unused_port
from playwright.async_api import Browser, expect

from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import Phone
from tests.browser.conftest import PATIENCE, OpenPage, opened
from tests.browser.site import Site
from tests.live.process import heed_signals
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually
from tests.node import NODE

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

expect.set_options(timeout=PATIENCE)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NUMBER = "+15551234567"
READY_WITHIN = 120.0  # seconds; one is usual, packages may have to be fetched first
SNIPPETS: dict[str, str] = dict(re.findall(r"```([^\n]+)\n(.*?)```", (HERE / "snippets.md").read_text(), re.DOTALL))
# What the page leaves to the application around its component.
REACT_AROUND = """
import { useState } from 'react';
import { createRoot } from 'react-dom/client';

function showNotification(text) {
  document.querySelector('[role=status]').textContent = text;
}
%(card)s
const { user, account, number } = document.querySelector('main').dataset;
const shown = { customer: { name: 'Grace Hopper', phone: number }, currentUser: { dialstackUserId: user }, accountId: account };
createRoot(document.querySelector('main')).render(<CustomerCard {...shown} />);
"""
REACT_PAGE = """<!doctype html><title>CRM</title><p role="status"></p>
<main data-user="%(user)s" data-account="%(account)s" data-number="%(number)s"></main>
<script type="module" src="crm.js"></script>
"""


@dataclass
class Office:
    """Alice, whose phone answers, and the customer whose number the page names."""

    story: Story
    alice: User
    phone: Phone

    def adapted(self, name: str) -> str:
        """A program of the page, for this service."""
        return (
            SNIPPETS[name]
            .replace("https://api.dialstack.ai", self.story.client.url)
            .replace("@dialstack/sdk", "/sdk/index.js")
            .replace(
                "loadDialStack('pk_test_...', {", f"loadDialStack('pk_test_page', {{ apiUrl: '{self.story.client.url}',"
            )
            .replace("sk_live_YOUR_SECRET_KEY", self.story.client.key)
            .replace("acct_01h2xcejqtf2nbrexx3vqjhp41", self.alice.account_id)
            .replace("user_01h2xcejqtf2nbrexx3vqjhp42", self.alice.id)
        )

    async def called(self) -> None:
        """The program led to this one call, and nothing else."""

        async def calls() -> list[dict[str, str]]:
            listed: list[dict[str, str]] = (await self.story.client.get("/v1/calls", self.alice.account_id))["data"]
            return listed

        (call,) = await eventually(calls, bool, "the call")
        record = await self.story.ended(self.story.client.found(f"/v1/calls/{call['id']}", self.alice.account_id))
        assert (record["user_id"], record["to_number"], record["outcome"]) == (self.alice.id, NUMBER, "completed")
        assert len(self.phone.calls) == len(self.story.dialled(NUMBER)) == 1


async def office(story: Story) -> Office:
    phone = await story.phone(ANSWERS_SOON)
    found = Office(story, await story.user(phone), phone)
    story.destination(TALKS_BRIEFLY, NUMBER)
    await story.open()
    return found


async def test_curl(story: Story) -> None:
    here = await office(story)

    process = await asyncio.create_subprocess_exec("sh", "-c", here.adapted("sh") + "\n", stdout=PIPE, stderr=DEVNULL)
    told, _ = await process.communicate()

    assert (process.returncode, told) == (0, b"")
    await here.called()


async def test_the_browser_sdk(story: Story, site: Site, open_page: OpenPage) -> None:
    here = await office(story)

    async def secret() -> str:
        return await here.story.client.user_session(here.alice)

    site.script, site.secret = here.adapted("js sdk"), secret
    await open_page()

    await here.called()


@asynccontextmanager
async def server(url: str, *command: str, **variables: str) -> AsyncIterator[None]:
    """A program while it serves at this address."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("C2C_")}
    process = await asyncio.create_subprocess_exec(
        *command,
        env=kept | variables,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=heed_signals,
    )
    reading = asyncio.create_task(process.communicate())

    async def answers_or_is_over() -> bool:
        if process.returncode is not None:
            return True
        try:
            async with aiohttp.ClientSession() as http, http.get(url):
                return True
        except aiohttp.ClientConnectionError:
            return False

    try:
        await eventually(answers_or_is_over, bool, "the server to answer", READY_WITHIN)
        assert process.returncode is None, (await reading)[0].decode()
        yield
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
        await reading


async def test_flask(story: Story, tmp_path: Path) -> None:
    here = await office(story)
    (tmp_path / "crm.py").write_text(here.adapted("python flask"))
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    program = (sys.executable, "-m", "flask", "--app", str(tmp_path / "crm.py"), "run", "--port", str(port))

    async with server(url, *program, DIALSTACK_API_KEY=story.client.key), aiohttp.ClientSession(url) as crm:
        asked = {"account_id": here.alice.account_id, "user_id": here.alice.id, "phone_number": NUMBER}
        async with crm.post("/api/call", json=asked) as answer:
            assert (answer.status, await answer.json()) == (200, {"success": True, "message": "Call initiated"})
        await here.called()
        async with crm.post("/api/call", json=asked | {"user_id": "nobody"}) as answer:
            assert (answer.status, (await answer.json())["error"]) == (400, "Invalid user_id format")


async def test_express_and_react(story: Story, browser: Browser, tmp_path: Path) -> None:
    here = await office(story)
    await made(
        "examples/node-express/node_modules/.package-lock.json", "examples/react/node_modules/.package-lock.json"
    )
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    started = f"app.use(express.static('page'));\napp.listen({port}, '127.0.0.1');\n"
    (tmp_path / "crm.mjs").write_text(here.adapted("js express") + started)
    (tmp_path / "node_modules").symlink_to(ROOT / "examples/node-express/node_modules")
    (tmp_path / "page").mkdir()
    told = {"user": here.alice.id, "account": here.alice.account_id, "number": NUMBER}
    (tmp_path / "page/index.html").write_text(REACT_PAGE % told)
    react = tmp_path / "react"
    react.mkdir()
    (react / "node_modules").symlink_to(ROOT / "examples/react/node_modules")
    (react / "crm.jsx").write_text(REACT_AROUND % {"card": here.adapted("jsx")})
    await bundled(react / "crm.jsx", tmp_path / "page/crm.js")

    async with (
        server(url, "sh", "-c", f"cd '{tmp_path}' && exec '{NODE}' crm.mjs", DIALSTACK_API_KEY=story.client.key),
        opened(browser, url) as page,
    ):
        button = page.get_by_role("button", name="Call")
        await button.click()
        await expect(page.get_by_role("status")).to_have_text("Calling Grace Hopper")
        await expect(button).to_be_enabled()
        await here.called()


async def made(*targets: str) -> None:
    """What the Makefile fetches for the examples."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    process = await asyncio.create_subprocess_exec(
        *("make", "--silent", *targets), cwd=ROOT, env=kept, stdout=PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()


async def bundled(entry: Path, to: Path) -> None:
    """The program as a browser takes it."""
    tool = ROOT / "examples/react/node_modules/esbuild/bin/esbuild"
    arguments = (str(entry), "--bundle", "--jsx=automatic", f"--outfile={to}", "--log-level=error")
    process = await asyncio.create_subprocess_exec(NODE, str(tool), *arguments)
    assert await process.wait() == 0
