"""The recipe for other machines: a page whose service and websocket are behind nginx, with a certificate."""

import re
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser

from c2c_stasis.config import Address, Http, Sip
from c2c_stasis.config.sections.network import parse_origins
from c2c_stasis.lab.phone import Script
from c2c_stasis.lab.ports import free_ports
from tests.browser.page_phone import MICROPHONE_HZ, PagePhone, PageServer
from tests.live.story import Story
from tests.live.town import Town
from tests.live.waiting import eventually
from tests.surface import nginx
from tests.surface.test_tls import certify

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]  # the first run on a machine fetches Asterisk and nginx

RECIPE = Path(__file__).parents[2] / "docs/browser-phone.md"
CARRIER_HZ = 1004.0
WITHIN = 30.0  # seconds
NEAR = 15.0  # Hz


def location(asterisk: int) -> str:
    """The recipe for the websocket, as the document has it, with this port of Asterisk."""
    found = re.search(r"^```nginx\n(.*?)^```$", RECIPE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    assert found[1].count("127.0.0.1:8088") == 1
    return found[1].replace("127.0.0.1:8088", f"127.0.0.1:{asterisk}")


async def test_a_page_is_a_phone_through_nginx_and_ari_is_not_to_be_reached(
    story: Story, town: Town, browser_with_microphone: Browser, tmp_path: Path
) -> None:
    port, (certificate, key) = free_ports().http, certify(tmp_path)
    base = f"localhost:{port}"
    server = PageServer(f"wss://{base}/ws")
    await server.start()
    story.sip = Sip(websocket_url=f"wss://{base}/ws")
    story.http = Http(Address("127.0.0.1", 0), cors_origins=parse_origins(server.url))
    alice = await story.user(name="Alice")
    number = story.destination(Script(ring_after=0.1, answer_after=0.5, tone_hz=CARRIER_HZ))
    await story.open(ring_timeout=60.0)
    server.user_id, server.account, server.client = alice.id, alice.account_id, story.client
    server.service = f"https://{base}"
    path, body = f"/v1/users/{alice.id}/endpoints", {"type": "browser"}
    assert (await story.client.ask("POST", path, alice.account_id, json=body))[0] == 201
    service = int(story.client.url.rpartition(":")[2])
    more = location(town.asterisk.ports.http)
    async with nginx.before(service, tmp_path / "nginx", certificate, key, more=more, port=port):
        context = await browser_with_microphone.new_context(ignore_https_errors=True)
        phone = PagePhone(await context.new_page())
        await phone.open(server.url)

        call = await story.place(alice, number)
        await phone.until("ringing")
        await phone.click("Answer")
        far = await story.dialled_call(number, WITHIN)
        await far.wait_tone(MICROPHONE_HZ, WITHIN)
        await eventually(phone.hears, lambda peak: abs(peak - CARRIER_HZ) < NEAR, "the carrier's tone", WITHIN)
        await phone.click("Hang up")
        assert (await story.ended(call, WITHIN))["outcome"] == "completed"

        async with aiohttp.ClientSession(f"https://{base}") as client:
            for elsewhere in ("/ari/asterisk/info", "/ws/../ari/asterisk/info", "/ws/", "/httpstatus"):
                async with client.get(elsewhere, ssl=False) as answer:
                    assert answer.status == 404, elsewhere
        await context.close()
    await server.stop()
