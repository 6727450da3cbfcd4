"""A real call, told to a real receiver over TLS."""

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from c2c_stasis.config import Networks, Ports, Webhooks
from c2c_stasis.lab.phone import RINGS
from c2c_stasis.policy.webhook_urls import FORBIDDEN
from tests.live.client import COMPLETED_BY_DESTINATION, ending
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import until
from tests.publish.receiver import Receiver, certify, verify

pytestmark = pytest.mark.live

THE_STORY = ["call.ringing", "call.initiated", "call.answered", "call.end"]


@pytest.fixture
async def receiver(story: Story) -> AsyncIterator[Receiver]:
    """A receiver on loopback that the service of the story may reach."""
    tls = await asyncio.to_thread(certify, story.folder)
    receiver = await Receiver().start(tls)
    loopback = Networks((ip_network("127.0.0.0/8"),))
    story.webhooks = Webhooks(loopback, ports=Ports((receiver.port,)), ca_file=str(tls[0]))
    yield receiver
    await receiver.stop()


async def make(story: Story, account: str, receiver: Receiver, **fields: object) -> Any:
    """An endpoint at the receiver, made over HTTP."""
    body = {"url": receiver.url("localhost")} | fields
    status, _, text = await story.client.ask("POST", "/v1/webhook_endpoints", account, json=body)
    assert status == 201, text
    return json.loads(text)


async def test_a_call_is_told_in_order_signed_and_with_the_bytes_of_its_log(story: Story, receiver: Receiver) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()
    endpoint = await make(story, alice.account_id, receiver, enabled_events=["*", "leg.*"])

    call = await story.place(alice, number)
    record = await story.ended(call)
    log = await call.events()
    await until(lambda: len(receiver.got) == len(log), "every event to arrive")

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert [one.event for one in receiver.got] == log
    assert [one.event["type"] for one in receiver.got if one.event["type"] in THE_STORY] == THE_STORY
    for one in receiver.got:
        verify(one, endpoint["secret"])
    path = f"/v1/webhook_endpoints/{endpoint['id']}/deliveries?limit=100"
    sent = (await story.client.get(path, alice.account_id))["data"]
    assert {one["status"] for one in sent} == {"delivered"}
    assert {one["attempts"][0]["status_code"] for one in sent} == {200}
    assert endpoint["secret"] not in story.journal.text()
    assert "localhost" not in story.journal.text()
    _, _, figures = await story.client.ask("GET", "/metrics")
    assert f'c2c_webhook_results_total{{result="delivered"}} {float(len(log))}' in figures
    assert endpoint["id"] not in figures


async def test_that_somebody_calls_for_help_is_told_while_the_phone_still_rings(
    story: Story, receiver: Receiver
) -> None:
    desk = await story.phone(RINGS)
    alice = await story.user(desk)
    address = {"street": "Main Street", "city": "Springfield", "country": "US"}
    place = await story.store.create_location(alice.account_id, "Head office", address)
    await story.store.update_user(alice.account_id, alice.id, {"location_id": place.id})
    await story.open()
    await make(story, alice.account_id, receiver, enabled_events=["call.emergency"])

    call = await story.place(alice, "911")
    await desk.next_call()
    await until(lambda: len(receiver.got) == 1, "the alarm")

    (told,) = receiver.got
    assert (told.event["type"], told.event["data"]["call_id"]) == ("call.emergency", call.id)
    assert told.event["data"]["emergency"]["address"] == address
    assert told.event["data"]["answered_at"] is None
    assert (await call.record())["state"] == "ringing_user"
    await call.cancel()


async def test_what_happened_while_the_receiver_was_down_is_told_after_the_service_was_killed(
    story: Story, receiver: Receiver
) -> None:
    down = True

    async def comes_back(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503 if down else 200)

    receiver.behave = comes_back
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    process = await story.open_process()
    endpoint = await make(story, alice.account_id, receiver)
    call = await story.place(alice, number)
    await story.ended(call)
    await until(lambda: len(receiver.got) > 0, "a first attempt")

    await process.kill()
    down = False
    await story.start_process()
    await until(lambda: len(receiver.accepted) == len(THE_STORY), "every event to arrive")

    assert [one.event["type"] for one in receiver.accepted] == THE_STORY
    assert {one.event_id for one in receiver.got if one.status == 503} == {receiver.accepted[0].event_id}
    for one in receiver.accepted:
        verify(one, endpoint["secret"])


async def test_asterisks_own_server_is_no_place_for_webhooks(story: Story, receiver: Receiver) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    asterisk = story.town.asterisk.http_url.rstrip("/")
    story.webhooks = Webhooks(
        story.webhooks.allow_subnets, allow_http=True, ports=Ports((int(asterisk.split(":")[2]),))
    )
    await story.open()
    for url in (f"{asterisk}/ari/channels", asterisk.replace("127.0.0.1", "localhost")):
        status, _, text = await story.client.ask("POST", "/v1/webhook_endpoints", alice.account_id, json={"url": url})
        assert (status, json.loads(text)["details"]) == (
            400,
            {"url": FORBIDDEN},
        )
