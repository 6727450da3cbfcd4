"""The SDK follows calls in a page whose connection is cut again and again: no event is missed, none comes twice.

A short run is part of the tests; with C2C_CUTS=long it is cut 200 times.
"""

import asyncio
import itertools
import json
import os
import random

import pytest
from playwright.async_api import Page

from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import Script
from tests.browser.conftest import PATIENCE, OpenPage
from tests.browser.site import Site
from tests.live.proxy import CuttableProxy
from tests.live.story import Story
from tests.store.samples import rows

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

CUTS = 200 if os.environ.get("C2C_CUTS") == "long" else 10
AT_ONCE = 4  # users who call
TALKS = Script(ring_after=0.02, answer_after=0.1, hang_up_after=0.1)
SHORTEST_LIFE, LONGEST_LIFE = 0.02, 1.0  # seconds of a connection until it is cut
LONGEST_AWAY = 0.6  # seconds until it is mended

FOLLOWS = """
import {{ loadDialStack }} from '/sdk/index.js';

const fetchClientSecret = async () => (await fetch('/api/dialstack/session')).json();
const dialstack = await loadDialStack('pk_live_page', {{ apiUrl: {api}, fetchClientSecret }});
window.heard = [];
window.resets = 0;
window.connections = 0;
dialstack.on('*', (event) => window.heard.push([event.id, event.type]));
dialstack.on('reset', () => window.resets++);
dialstack.on('connected', () => window.connections++);
"""


async def test_a_page_that_is_cut_off_again_and_again_hears_every_event_once(
    story: Story, site: Site, open_page: OpenPage
) -> None:
    people: list[tuple[User, str]] = []
    for at in range(AT_ONCE):
        phone = await story.phone(TALKS)
        people.append((await story.user(phone, name=f"User {at}"), story.destination(TALKS)))
    account = people[0][0].account_id
    await story.open()
    proxy = await CuttableProxy.start(story.client.url)

    async def secret() -> str:
        _, _, text = await story.client.ask("POST", "/v1/account_sessions", account, json={"account": account})
        return str(json.loads(text)["client_secret"])

    site.script, site.secret = FOLLOWS.format(api=json.dumps(proxy.url.rstrip("/"))), secret
    page = await open_page(bypass_csp=True)  # whose waits are evaluated in the page
    await page.wait_for_function("window.connections > 0")
    cutting = asyncio.create_task(cut(page, proxy))
    await asyncio.gather(*(call_again_and_again(story, user, number, until=cutting) for user, number in people))
    await cutting
    kept = rows(story.folder / "story.db", "SELECT id, type FROM events ORDER BY account_sequence")
    await page.wait_for_function("(all) => window.heard.length >= all", arg=len(kept), timeout=2 * PATIENCE)

    assert [tuple(one) for one in await page.evaluate("window.heard")] == kept
    assert await page.evaluate("window.resets") == 0
    assert await page.evaluate("window.connections") > CUTS
    assert sum(kind == "call.end" for _, kind in kept) == len(story.client.placed)
    await page.context.close()
    await proxy.cut()


async def cut(page: Page, proxy: CuttableProxy) -> None:
    """Cut what the page has just connected; the browser tells it when the network is back."""
    chance = random.Random(4711)
    for times in range(1, CUTS + 1):
        await page.wait_for_function("(times) => window.connections >= times", arg=times)
        await asyncio.sleep(chance.uniform(SHORTEST_LIFE, LONGEST_LIFE))
        await proxy.cut()
        await asyncio.sleep(chance.uniform(0, LONGEST_AWAY))
        await proxy.mend()
        await page.evaluate("dispatchEvent(new Event('online'))")


async def call_again_and_again(story: Story, user: User, number: str, *, until: asyncio.Task[None]) -> None:
    """One call after the other, as long as the connection is cut; and one more, after the last cut."""
    for round_ in itertools.count():
        last = until.done()
        call = await story.place(user, number)
        await call.ended()
        if last and round_:
            return
