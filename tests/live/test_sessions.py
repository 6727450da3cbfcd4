"""Calls that a browser places with a session; and what happens to the session, and to the calls, when it ends."""

import asyncio
import time
from typing import Any

import jwt
import pytest
from msgspec import structs

from c2c_stasis.directory.model import SigningKey, User
from c2c_stasis.directory.sessions import LEEWAY, new_claims, sign
from c2c_stasis.lab.phone import RINGS
from tests.live.client import CANCELLED_BY_API, COMPLETED_BY_DESTINATION, Client, PlacedCall, ending
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.store.samples import rows

pytestmark = pytest.mark.live


async def opened(story: Story, user: User, kind: str, **fields: object) -> str:
    """A session, as a server with the platform's key opens it."""
    body = {kind: user.id if kind == "user" else user.account_id} | fields
    headers = {"DialStack-Account": user.account_id} if kind == "user" else {}
    async with story.client._http.post(f"{story.client.url}/v1/{kind}_sessions", json=body, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["client_secret"])


class Browser:
    """Has a session and nothing else."""

    def __init__(self, story: Story, token: str) -> None:
        self._story = story
        self._client = Client(token)
        self._client.url = story.client.url

    async def close(self) -> None:
        await self._client.close()

    async def ask(self, method: str, path: str, **options: Any) -> int:
        """The status of a request without an account header: the session has its account with it."""
        return (await self._client.ask(method, path, **options))[0]

    async def place(self, user: User, number: str) -> PlacedCall:
        """Place a call, which must be accepted; the platform, too, can follow it."""
        asked_at = time.monotonic()
        body = {"user_id": user.id, "dial_string": number}
        status, location, text = await self._client.ask("POST", "/v1/calls", json=body)
        assert (status, text) == (202, "")
        call = PlacedCall(self._story.client, location, user.account_id, asked_at)
        self._story.client.placed.append(call)
        return call


async def test_both_kinds_of_session_place_a_call_that_talks_and_see_what_they_may(story: Story) -> None:
    desk, office = await story.phone(ANSWERS_SOON), await story.phone(ANSWERS_SOON)
    alice, bob = await story.user(desk, name="Alice"), await story.user(office, name="Bob")
    number = story.destination(TALKS_BRIEFLY)
    await story.open()
    whole = Browser(story, await opened(story, alice, "account"))
    hers = Browser(story, await opened(story, alice, "user"))
    try:
        of_bob = await whole.place(bob, number)
        of_alice = await hers.place(alice, number)
        for call in (of_bob, of_alice):
            assert ending(await story.ended(call)) == COMPLETED_BY_DESTINATION
        assert [len(phone.calls) for phone in (desk, office)] == [1, 1]
        assert len(story.dialled(number)) == 2
        assert [await hers.ask("GET", call.location) for call in (of_alice, of_bob)] == [200, 404]
        assert [await whole.ask("GET", call.location) for call in (of_alice, of_bob)] == [200, 200]
        refused = {"user_id": bob.id, "dial_string": number}
        assert await hers.ask("POST", "/v1/calls", json=refused) == 403
        assert len(office.calls) == 1
    finally:
        await asyncio.gather(whole.close(), hers.close())


async def test_a_session_that_is_revoked_opens_nothing_more_and_its_call_goes_on(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    await story.open()
    hers = Browser(story, await opened(story, alice, "user"))
    try:
        call = await hers.place(alice, number)
        await call.reached("talking")
        revoke = f"/v1/users/{alice.id}/revoke_sessions"
        assert (await story.client.ask("POST", revoke, alice.account_id))[0] == 204
        assert await hers.ask("DELETE", call.location) == 401
        assert await hers.ask("POST", "/v1/calls", json={"user_id": alice.id, "dial_string": number}) == 401
        assert (await call.record())["state"] == "talking"
        (far,) = story.dialled(number)
        await far.hang_up()
        assert ending(await story.ended(call)) == COMPLETED_BY_DESTINATION
    finally:
        await hers.close()


async def test_a_session_that_has_expired_rings_nobody(story: Story) -> None:
    desk = await story.phone(RINGS)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    await story.open()
    good = await opened(story, alice, "user", ttl_seconds=60)
    ((key_id, private_key),) = rows(story.folder / "story.db", "SELECT id, private_key FROM signing_keys")
    claims = jwt.decode(good, options={"verify_signature": False})
    (account,) = (await story.app.service._store.directory()).accounts if story.app else ()
    old = new_claims(account, alice.id, claims["key"], livemode=True, now=time.time() - LEEWAY - 62, lasts=60)
    signer = SigningKey(key_id, private_key, 0.0)
    late = Browser(story, sign(old, signer))
    fresh = Browser(story, sign(structs.replace(old, exp=int(time.time()) + 60), signer))
    try:
        assert await late.ask("POST", "/v1/calls", json={"user_id": alice.id, "dial_string": number}) == 401
        assert desk.calls == []
        call = await fresh.place(alice, number)  # the same, but for when it ends
        await desk.wait_for(lambda: bool(desk.calls), "an INVITE")
        await call.cancel()
        assert ending(await story.ended(call)) == CANCELLED_BY_API
    finally:
        await asyncio.gather(late.close(), fresh.close())
