"""When all connections are taken, and everybody presents wrong credentials: an emergency call reaches the carrier."""

import asyncio
import time
from dataclasses import replace

import aiohttp
import pytest

from c2c_stasis.api.admission import RESERVED
from c2c_stasis.config import Networks
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live


async def test_an_emergency_call_finds_a_place_when_others_hold_all_of_them(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    emergency, ordinary = story.destination(TALKS_BRIEFLY, "911"), story.destination(TALKS_BRIEFLY)
    story.http = replace(
        story.http, max_connections=10, max_failed_logins=1, max_requests=1, trusted_proxies=Networks()
    )
    await story.open()
    url = story.client.url
    host, port = url.removeprefix("http://").split(":")
    holders = [await asyncio.open_connection(host, int(port)) for _ in range(10 + 2 * RESERVED)]

    async def asked(dial_string: str, key: str) -> tuple[int, str, str]:
        """Status, path and code of a call that is asked for over a connection of its own."""
        headers = {"Authorization": f"Bearer {key}", "DialStack-Account": alice.account_id}
        body = {"user_id": alice.id, "dial_string": dial_string}
        async with (
            aiohttp.ClientSession(headers=headers) as one,
            one.post(f"{url}/v1/calls", json=body) as answer,
        ):
            answered = await answer.json() if answer.status != 202 else {}
            return answer.status, answer.headers.get("Location", ""), answered.get("code", "")

    wrong = [await asked(emergency, "sk_live_wrong") for _ in range(3)]
    assert [(status, code) for status, _, code in wrong] == [
        (401, "unauthorized"),
        *[(429, "too_many_failed_logins")] * 2,
    ]
    status, _, code = await asked(ordinary, story.client.key)
    assert (status, code) == (503, "overloaded")

    asked_at = time.monotonic()
    status, location, _ = await asked(emergency, story.client.key)
    assert status == 202
    call = await story.dialled_call(emergency)
    assert call.invite.request_uri.startswith("sip:911@")
    for _, writer in holders:
        writer.close()
    record = await story.client.found(location, alice.account_id, asked_at).ended()
    assert record["outcome"] == "completed"
    assert story.dialled(ordinary) == []
