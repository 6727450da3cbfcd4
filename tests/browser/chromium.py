"""Debian's Chromium, led by Playwright."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the pages of the tests is asked for: no updates, no lists, no look-ups of the maker's hosts.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


class NoChromium(Exception):
    """There is no browser on this machine."""


def executable() -> str:
    """The path of the browser. Raises `NoChromium`."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise NoChromium("no Chromium here: sudo apt-get install chromium")
    return found


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """A browser of its own, without a window, until the end of the block."""
    arguments: Sequence[str] = (*QUIET, *flags)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable(),
            args=arguments,
        )
        try:
            yield browser
        finally:
            await browser.close()
