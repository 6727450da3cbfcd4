"""`<click-to-call-button>` as whoever clicks it sees it: every way in which a call can go, in Chromium, with real phones."""

from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import RINGS, Phone, Script
from tests.browser.accessibility import grave_findings
from tests.browser.conftest import PATIENCE, OpenPage
from tests.browser.site import SESSION, Site
from tests.live.client import CANCELLED_BY_API
from tests.live.client import ending as ending_of
from tests.live.proxy import CuttableProxy
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

expect.set_options(timeout=PATIENCE)

SCRIPT = """
import '/sdk/button.js';

window.phases = [];
document.addEventListener('callchange', ({ detail: { phase } }) => {
  if (window.phases.at(-1) !== phase) window.phases.push(phase);
});
"""
PICKS_UP = "Calling your phones – pick one up"


@dataclass
class Button:
    """The button of a page, and what it says."""

    page: Page

    async def click(self) -> None:
        await self.page.get_by_role("button", name="Call +1").click()

    async def says(self, text: str) -> None:
        """The words beside it become these."""
        await expect(self.page.get_by_role("status")).to_have_text(text)

    async def warns(self, text: str) -> None:
        """Its alert becomes this."""
        await expect(self.page.get_by_role("alert")).to_have_text(text)

    async def phases(self) -> list[str]:
        """What it went through."""
        phases: list[str] = await self.page.evaluate("window.phases")
        return phases


class Desk:
    """Alice's phone, a number she may click, and the page on which she does."""

    def __init__(self, story: Story, site: Site, phone: Phone | None, alice: User, number: str) -> None:
        self.story, self.site, self.phone, self.alice, self.number = story, site, phone, alice, number

    @classmethod
    async def set_up(
        cls,
        story: Story,
        site: Site,
        script: Script | None = ANSWERS_SOON,
        far: Script = TALKS_BRIEFLY,
        ring_timeout: float = 60.0,
    ) -> "Desk":
        """The service with her phone, which is not there at all without a script."""
        phone = None if script is None else await story.phone(script)
        alice = await story.user(phone or story.absent_device())
        desk = cls(story, site, phone, alice, story.destination(far))
        await story.open(ring_timeout=ring_timeout)
        site.script, site.secret = SCRIPT, desk.secret
        site.body = desk.button(story.client.url)
        return desk

    def button(self, api: str) -> str:
        """The element, for a service at this address."""
        asked = f'number="{self.number}" user="{self.alice.id}" api-url="{api}" session-url="{SESSION}"'
        return f"<h1>Customers</h1><p>Example Ltd <click-to-call-button {asked}></click-to-call-button></p>"

    async def secret(self) -> str:
        """A session of Alice's."""
        return await self.story.client.user_session(self.alice)

    async def record(self) -> dict[str, object]:
        """The final record of the one call there was, when no phone hears anything of it any more."""
        (listed,) = (await self.story.client.get("/v1/calls", self.alice.account_id))["data"]
        call = self.story.client.found(f"/v1/calls/{listed['id']}", self.alice.account_id)
        return await self.story.ended(call)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_an_answered_call_from_the_click_to_the_last_word(
    story: Story, site: Site, open_page: OpenPage, scheme: str, width: int
) -> None:
    desk = await Desk.set_up(story, site, RINGS, RINGS)
    page = await open_page(color_scheme=scheme, viewport={"width": width, "height": 640})
    button = Button(page)
    assert await grave_findings(page) == []

    await button.click()
    await button.says(PICKS_UP)
    assert await grave_findings(page) == []
    assert desk.phone is not None
    await (await desk.phone.next_call()).answer()
    far = await story.dialled_call(desk.number)
    await button.says("Ringing…")
    await far.answer()
    await button.says("Talking")
    await expect(page.get_by_role("timer")).to_have_text("0:01")
    assert await grave_findings(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await far.hang_up()
    await button.says("Call ended")

    assert await grave_findings(page) == []
    assert await button.phases() == ["starting", "calling", "dialling", "ringing", "talking", "ended"]
    assert (await desk.record())["outcome"] == "completed"


@pytest.mark.parametrize(
    ("near", "far", "words"),
    [
        (ANSWERS_SOON, Script(ring_after=0.02, reject=486, reject_after=0.2), "The line is busy"),
        (ANSWERS_SOON, Script(ring_after=0.02, reject=480, reject_after=0.2), "Nobody answered"),
        (ANSWERS_SOON, Script(reject=404, reject_after=0.1), "This number does not exist"),
        (Script(ring_after=0.02, reject=603, reject_after=0.2), RINGS, "You declined the call"),
        (RINGS, RINGS, "You did not pick up"),
        (None, RINGS, "No phone is connected"),
    ],
)
async def test_how_a_call_failed_is_told_in_words(
    story: Story, site: Site, open_page: OpenPage, near: Script | None, far: Script, words: str
) -> None:
    desk = await Desk.set_up(story, site, near, far, ring_timeout=2.0)
    button = Button(await open_page())

    await button.click()
    await button.says(words)

    assert await grave_findings(button.page) == []
    await desk.record()
    await expect(button.page.get_by_role("button", name="Call +1")).to_have_attribute("aria-disabled", "false")


async def test_whoever_clicks_cancel_hears_no_phone_any_more(story: Story, site: Site, open_page: OpenPage) -> None:
    desk = await Desk.set_up(story, site, RINGS)
    button = Button(await open_page())

    await button.click()
    await button.says(PICKS_UP)
    assert desk.phone is not None
    await (await desk.phone.next_call()).wait_ringing()
    await button.page.get_by_role("button", name="Cancel").click()
    await button.says("Cancelled")

    assert ending_of(await desk.record()) == CANCELLED_BY_API
    assert [call.cancelled for call in desk.phone.calls] == [True]


async def test_whoever_has_no_mouse_calls_and_hangs_up_and_keeps_the_focus(
    story: Story, site: Site, open_page: OpenPage
) -> None:
    desk = await Desk.set_up(story, site, ANSWERS_SOON, ANSWERS_SOON)
    button = Button(await open_page())
    keys = button.page.keyboard

    await keys.press("Tab")
    await keys.press("Enter")
    await button.says("Talking")
    await keys.press("Tab")
    await expect(button.page.get_by_role("button", name="Hang up")).to_be_focused()
    await keys.press("Space")
    await button.says("Call ended")

    await expect(button.page.get_by_role("button", name="Call +1")).to_be_focused()
    assert (await desk.record())["outcome"] == "completed"


async def test_however_often_it_is_clicked_one_phone_rings_once(story: Story, site: Site, open_page: OpenPage) -> None:
    desk = await Desk.set_up(story, site, RINGS)
    button = Button(await open_page())

    await button.page.evaluate(
        """() => {
          const inside = document.querySelector('click-to-call-button').shadowRoot.querySelector('button');
          for (let times = 0; times < 20; times++) inside.click();
        }"""
    )
    await button.says(PICKS_UP)
    assert desk.phone is not None
    await (await desk.phone.next_call()).wait_ringing()
    await button.page.get_by_role("button", name="Call +1").dblclick(force=True)  # though it says that it is disabled
    await button.page.get_by_role("button", name="Cancel").click()
    await button.says("Cancelled")

    await desk.record()  # of the only call
    assert len(desk.phone.calls) == 1


async def test_a_session_that_was_ended_is_opened_again_and_without_one_nobody_calls(
    story: Story, site: Site, open_page: OpenPage
) -> None:
    desk = await Desk.set_up(story, site, ANSWERS_SOON, ANSWERS_SOON)
    assert desk.phone is not None
    button = Button(await open_page())
    for sessions in (1, 2):
        await button.click()
        await button.says("Talking")
        await desk.phone.live_calls[0].hang_up()
        await button.says("Call ended")
        await story.until_phones_are_free()
        assert site.sessions == sessions
        await story.client.ask("POST", f"/v1/users/{desk.alice.id}/revoke_sessions", desk.alice.account_id)

    site.secret = None
    await button.click()
    await button.warns("Your session has ended. Sign in again.")
    assert await grave_findings(button.page) == []
    assert len(desk.phone.calls) == 2
    for record in (await story.client.get("/v1/calls", desk.alice.account_id))["data"]:
        await story.ended(story.client.found(f"/v1/calls/{record['id']}", desk.alice.account_id))


async def test_a_service_that_is_away_is_told_and_the_call_that_it_has_is_found_again(
    story: Story, site: Site, open_page: OpenPage
) -> None:
    desk = await Desk.set_up(story, site, ANSWERS_SOON, ANSWERS_SOON)
    proxy = await CuttableProxy.start(story.client.url)
    site.body = desk.button(proxy.url.rstrip("/"))
    button = Button(await open_page())
    await proxy.cut()
    await button.click()
    await button.warns("No answer from the service. If your phone does not ring, try again.")
    assert await grave_findings(button.page) == []
    assert desk.phone is not None
    assert desk.phone.calls == []

    await proxy.mend()
    await button.click()
    await button.says("Talking")
    await proxy.cut()
    await button.warns("Connection lost – the call goes on")
    assert await grave_findings(button.page) == []
    await (await story.dialled_call(desk.number)).hang_up()
    await proxy.mend()
    await button.says("Call ended")
    await button.warns("")

    assert (await desk.record())["outcome"] == "completed"
    await proxy.cut()


async def test_a_page_that_is_closed_takes_nothing_with_it(story: Story, site: Site, open_page: OpenPage) -> None:
    desk = await Desk.set_up(story, site, ANSWERS_SOON, ANSWERS_SOON)
    button = Button(await open_page())
    await button.click()
    await button.says("Talking")

    await button.page.close()
    assert desk.phone is not None
    (near,), far = desk.phone.calls, await story.dialled_call(desk.number)
    await until(lambda: near.live and far.live, "both to talk on")
    await near.hang_up()

    assert (await desk.record())["outcome"] == "completed"


@pytest.mark.parametrize(
    ("language", "direction", "call", "calling"),
    [
        ("es", "ltr", "Llamar al", "Llamando a sus teléfonos: descuelgue uno"),
        ("fr", "ltr", "Appeler le", "Vos téléphones sonnent : décrochez"),
        ("de", "ltr", "anrufen", "Ihre Telefone klingeln – bitte abheben"),
        ("he", "rtl", "Call", PICKS_UP),  # which it does not speak
    ],
)
async def test_it_speaks_the_language_of_the_page(
    story: Story, site: Site, open_page: OpenPage, language: str, direction: str, call: str, calling: str
) -> None:
    desk = await Desk.set_up(story, site, RINGS)
    site.language, site.direction = language, direction
    page = await open_page(viewport={"width": 360, "height": 640})

    await page.get_by_role("button", name=call).click()
    await expect(page.get_by_role("status")).to_have_text(calling)

    assert await grave_findings(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.keyboard.press("Escape")
    await desk.record()
