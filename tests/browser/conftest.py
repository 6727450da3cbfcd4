"""Stories in a real browser: Debian's Chromium, the service, a real Asterisk, scripted phones. Without a browser they fail."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page

from c2c_stasis.config import Address, Http
from c2c_stasis.config.sections.network import parse_origins
from tests.browser.chromium import chromium
from tests.browser.page_phone import started_chromium
from tests.browser.site import Site
from tests.live.conftest import FAILED, pytest_runtest_makereport, story, town
from tests.live.story import Story

__all__ = ["pytest_runtest_makereport", "story", "town"]  # what the live stories have, these have too

PATIENCE = 30_000  # ms; what comes at all comes in a fraction of it, but a machine may stand still for a while

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all stories of this process; each has a profile of its own."""
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
async def browser_with_microphone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """One browser more, for pages that are phones: its microphone is a file."""
    async with started_chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
async def site(browser: Browser, story: Story) -> AsyncIterator[Site]:
    """A web site that the service of the story lets in. It is asked for before the service opens."""
    site = Site()
    await site.open()
    story.http = Http(Address("127.0.0.1", 0), cors_origins=parse_origins(site.url))
    yield site
    await site.close()


@pytest.fixture
async def open_page(
    browser: Browser, site: Site, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[OpenPage]:
    """Opens the page of the site, in a profile of its own; options are those of a Playwright context.

    Whatever the page complains about fails the story.
    """
    opened: list[Page] = []
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # That a request failed or was refused is told by the browser itself; what the page makes of it, its story tells.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    async def open_one(**options: Any) -> Page:
        context = await browser.new_context(**{"locale": "en-US", "reduced_motion": "reduce"} | options)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        opened.append(page)
        await page.goto(site.url)
        return page

    yield open_one
    failed = request.node.stash.get(FAILED, False)
    for number, page in enumerate(opened):
        if failed and not page.is_closed():
            shown = tmp_path / f"page-{number}.png"
            await page.screenshot(path=shown, full_page=True)
            logging.getLogger(__name__).warning("the page when it failed: %s", shown)
        await page.context.close()
    assert complaints == [] or failed, f"the page complained: {complaints}"


@asynccontextmanager
async def opened(browser: Browser, url: str) -> AsyncIterator[Page]:
    """The page in a profile of its own."""
    context = await browser.new_context(locale="en-US")
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    try:
        yield page
        assert complaints == []
    finally:
        await context.close()
