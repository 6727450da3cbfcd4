"""The Call button in all of its states at once: whoever cannot see well, or has little room, can use each of them."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.browser.accessibility import grave_findings
from tests.browser.gallery import STATES, hang, visit
from tests.browser.site import Site

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """One that needs no service."""
    site = Site()
    await site.open()
    yield site
    await site.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_every_state_is_accessible_and_has_room(browser: Browser, site: Site, scheme: str, width: int) -> None:
    hang(site)
    page = await visit(browser, site, scheme, width)

    assert await grave_findings(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    said = await page.get_by_role("status").all_text_contents(), await page.get_by_role("alert").all_text_contents()
    told = [status or alert for status, alert in zip(*said, strict=True)]
    assert told[0] == ""
    assert len(set(told)) == len(STATES) - 1, "no two of them say the same, but for the talk that is not heard of"
    await page.context.close()


@pytest.mark.parametrize(("language", "direction"), [("es", "ltr"), ("fr", "ltr"), ("de", "ltr"), ("ar", "rtl")])
async def test_every_language_has_room_on_a_telephone(
    browser: Browser, site: Site, language: str, direction: str
) -> None:
    hang(site, language, direction)
    page = await visit(browser, site, "light", 360)

    assert await grave_findings(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    texts = "[...document.querySelectorAll('click-to-call-button')].map((one) => one.shadowRoot.querySelector('[role=alert]'))"
    sides = await page.evaluate(f"{texts}.map((text) => getComputedStyle(text).textAlign)")
    assert ("right" in sides) == (direction == "rtl")
    assert await page.evaluate(f"{texts}.every((text) => text.matches(':dir(ltr)'))"), "which is the way of its words"
    await page.context.close()


async def test_nothing_moves_for_those_who_want_no_motion(browser: Browser, site: Site) -> None:
    hang(site)
    page = await visit(browser, site, "light", 1280)
    icons = "[...document.querySelectorAll('click-to-call-button')].map((one) => one.shadowRoot.querySelector('svg'))"
    moving = f"{icons}.filter((icon) => getComputedStyle(icon).animationName !== 'none').length"

    assert await page.evaluate(moving) > 0
    await page.emulate_media(reduced_motion="reduce")
    assert await page.evaluate(moving) == 0
    await page.context.close()


async def test_the_keyboard_comes_to_every_button_and_sees_where_it_is(browser: Browser, site: Site) -> None:
    hang(site)
    page = await visit(browser, site, "dark", 1280)
    stops = await page.get_by_role("button").count()
    reached = []

    for _ in range(stops):
        await page.keyboard.press("Tab")
        focus = "document.activeElement.shadowRoot.activeElement"
        reached.append(await page.evaluate(f"{focus}.ariaLabel ?? {focus}.textContent"))
        assert await page.evaluate(f"getComputedStyle({focus}).outlineStyle") == "solid"

    calls = [name for name in reached if name not in ("Cancel", "Hang up")]
    assert calls == [f"Call +155512345{at:02}" for at in range(len(STATES))]
    assert reached[STATES.index("talking") :].count("Hang up") == 2
    await page.context.close()
