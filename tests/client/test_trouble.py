"""What both clients make of a service that is away, slow, cut off or another one; and that nothing is sent twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import MappingProxyType

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from c2c_stasis.client import (
    AsyncClient,
    BrokenOff,
    Client,
    Error,
    NotAllowed,
    NotReachable,
    NotUnderstood,
    Refused,
    TimedOut,
    TooMany,
    Unavailable,
)
from c2c_stasis.client.records import StreamEvent
from tests.api.resources.office import Office
from tests.live.proxy import CuttableProxy

USER, NUMBER = "user_01h2xcejqtf2nbrexx3vqjhp42", "+15551234567"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Places = Callable[[str], Awaitable[object]]


async def async_places(url: str) -> object:
    async with AsyncClient(url, "sk_test_x", timeout=0.5) as client:
        return await client.calls.create(user_id=USER, dial_string=NUMBER)


async def blocking_places(url: str) -> object:
    return await asyncio.to_thread(
        lambda: Client(url, "sk_test_x", timeout=0.5).calls.create(user_id=USER, dial_string=NUMBER)
    )


@pytest.fixture(params=[async_places, blocking_places], ids=["async", "blocking"])
def places(request: pytest.FixtureRequest) -> Places:
    """Either client, which places a call."""
    found: Places = request.param
    return found


class Stand:
    """A server that answers as a test says, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.answer: Answer
        self.url = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.asked.append(request)
        return await self.answer(request)

    def says(self, status: int, text: str = "", **headers: str) -> None:
        """One answer for all."""

        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(
                status=status, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )

        self.answer = answer


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    stand = Stand()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", stand.take)
    async with TestServer(app) as server:
        stand.url = str(server.make_url("/deep"))
        yield stand


async def error_of(places: Places, url: str) -> Error:
    with pytest.raises(Error) as raised:
        await places(url)
    return raised.value


async def test_where_nobody_answers_nothing_was_done(places: Places) -> None:
    error = await error_of(places, f"http://127.0.0.1:{unused_port()}")
    assert isinstance(error, NotReachable)
    assert "nobody answers at http://127.0.0.1:" in str(error)


async def test_what_takes_too_long_is_given_up_and_not_asked_for_again(places: Places, stand: Stand) -> None:
    over = asyncio.Event()

    async def never(_request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    stand.answer = never
    error = await error_of(places, stand.url)
    over.set()
    assert isinstance(error, TimedOut)
    assert error.seconds == 0.5
    assert len(stand.asked) == 1


async def test_an_answer_that_breaks_off_is_no_answer_and_nothing_is_sent_twice(places: Places, stand: Stand) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def halved(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=400, headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"error": ')
        assert request.transport is not None
        request.transport.close()
        return response

    for at, answer in enumerate((cut, halved), 1):
        stand.answer = answer
        assert isinstance(await error_of(places, stand.url), BrokenOff)
        assert len(stand.asked) == at


async def test_a_refusal_that_may_be_over_soon_is_told_with_its_seconds_and_not_repeated(
    places: Places, stand: Stand
) -> None:
    text = '{"error": "Limit reached: 2 calls", "code": "limit_reached", "details": {"rule": "user_starts"}, "new": 1}'
    stand.says(429, text, Retry_After="7", X_Request_Id="abc")
    error = await error_of(places, stand.url)
    assert isinstance(error, TooMany)
    assert (error.retry_after, error.rule, error.field, error.request_id) == (7.0, "user_starts", None, "abc")
    stand.says(503, '{"error": "Service unavailable, please retry", "code": "unavailable"}')
    error = await error_of(places, stand.url)
    assert isinstance(error, Unavailable)
    assert error.retry_after is None
    assert len(stand.asked) == 2


@pytest.mark.parametrize(
    ("status", "text"), [(200, "<html>"), (404, "<html>"), (500, "\xff"), (202, ""), (204, ""), (302, ""), (400, "[]")]
)
async def test_what_is_another_service_is_not_taken_for_this_one(
    places: Places, stand: Stand, status: int, text: str
) -> None:
    elsewhere = "http://127.0.0.1:9/v1/calls/call_x"
    stand.says(status, text, **({"Location": elsewhere} if status in (202, 302) else {}))
    assert isinstance(await error_of(places, stand.url), NotUnderstood)
    (asked,) = stand.asked
    assert asked.path == "/deep/v1/calls"
    assert asked.headers["Authorization"] == "Bearer sk_test_x"


@pytest.mark.parametrize("status", [200, 302])
async def test_what_was_not_removed_is_not_taken_for_removed(stand: Stand, status: int) -> None:
    stand.says(status, "{}")
    async with AsyncClient(stand.url, "sk_test_x") as client:
        with pytest.raises(NotUnderstood):
            await client.users.delete(USER)
    with pytest.raises(NotUnderstood):
        await asyncio.to_thread(lambda: Client(stand.url, "sk_test_x").users.delete(USER))


async def test_the_key_goes_to_no_other_address_for_the_next_page(stand: Stand) -> None:
    stand.says(200, '{"data": [], "next_page_url": "@127.0.0.1:9/v1/users"}')
    async with AsyncClient(stand.url, "sk_test_x") as client:
        with pytest.raises(NotUnderstood, match="next page"):
            await anext(aiter(client.users.list()))
    with pytest.raises(NotUnderstood, match="next page"):
        await asyncio.to_thread(lambda: list(Client(stand.url, "sk_test_x").users.list()))


async def test_fields_that_a_later_version_adds_are_ignored_and_missing_ones_are_not_made_up(stand: Stand) -> None:
    user = '{"id": "user_x", "name": "Ann", "do_not_disturb": false, "shoe_size": 44}'
    stand.says(200, user)
    async with AsyncClient(stand.url, "sk_test_x") as client:
        assert (await client.users.retrieve("../x")).name == "Ann"
        assert stand.asked[0].raw_path == "/deep/v1/users/..%2Fx"
        stand.says(200, '{"id": "user_x"}')
        with pytest.raises(NotUnderstood):
            await client.users.retrieve("user_x")


async def test_every_event_is_told_once_through_cuts(office: Office) -> None:
    proxy = await CuttableProxy.start(office.url)
    told: list[StreamEvent] = []
    enough = asyncio.Event()

    async def follow() -> None:
        async with AsyncClient(proxy.url, office.key, account=office.account.id) as client:
            async for one in client.events.follow(after=0, types=["call.end"]):
                assert isinstance(one, StreamEvent)
                told.append(one)
                enough.set()

    following = asyncio.create_task(follow())
    try:
        for at in range(3):
            await office.call(office.user.id, f"+1555123456{at}")
            await asyncio.wait_for(enough.wait(), 20)
            enough.clear()
            await proxy.cut()
            await office.call(office.user.id, f"+1555123457{at}")
            await proxy.mend()
            await asyncio.wait_for(enough.wait(), 20)
            enough.clear()
    finally:
        following.cancel()
        await asyncio.wait({following})
        await proxy.cut()
    assert [one.event.type for one in told] == ["call.end"] * 6
    assert len({one.event.id for one in told}) == 6
    assert [one.number for one in told] == sorted(one.number for one in told)


async def test_what_waiting_does_not_mend_ends_the_following(office: Office) -> None:
    def follow(url: str, key: str) -> None:
        for _ in Client(url, key, account=office.account.id).events.follow():
            raise AssertionError("there is nothing to tell")

    session = (await office.make("/v1/account_sessions", account=office.account.id))["client_secret"]
    with pytest.raises(Refused) as refused:
        await asyncio.to_thread(follow, office.url, "sk_live_x")
    assert refused.value.status == 401
    with pytest.raises(NotAllowed):
        await asyncio.to_thread(lambda: Client(office.url, session).sessions.create_for_user(office.user.id))


async def test_a_text_that_is_no_text_is_the_services_to_refuse(office: Office) -> None:
    async with AsyncClient(office.url, office.key, account=office.account.id) as client:
        with pytest.raises(Refused):
            await client.users.create(name="\udcff")
        assert (await client.users.create(name="Zoë", config=MappingProxyType({"of": ("a", "b")}))).config == {
            "of": ["a", "b"]
        }
