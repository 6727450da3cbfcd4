"""The event stream: its bytes, where it begins and goes on, who sees what in it, and how it ends."""

import asyncio
import contextlib
import json
import random
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from c2c_stasis.api import event_streams
from c2c_stasis.api.edge import ADMISSION
from c2c_stasis.api.event_streams import STREAMS
from c2c_stasis.api.metrics import METRICS
from c2c_stasis.call.model import Call
from c2c_stasis.config import Http
from c2c_stasis.directory.model import Key
from c2c_stasis.directory.sessions import new_claims, sign
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import CALL, USER, CallId, new_id
from c2c_stasis.ports import StoredEvent
from c2c_stasis.store import following
from tests.api.resources.office import Office
from tests.store import samples
from tests.store.samples import an_event, change, eventually
from tests.streams import Frame, Reader


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments come often, and patience with slow clients is short."""
    monkeypatch.setattr(event_streams, "BEAT", 0.1)
    monkeypatch.setattr(event_streams, "WRITE_WITHIN", 0.5)


@asynccontextmanager
async def following_events(
    office: Office, query: str = "", *, token: str = "", last: str | None = None
) -> AsyncIterator[Reader]:
    """A stream, past its greeting."""
    headers = {"Authorization": f"Bearer {token or office.key}"}
    headers |= {} if token else {"DialStack-Account": office.account.id}
    headers |= {} if last is None else {"Last-Event-ID": last}
    async with office._client.get(f"/v1/events{query}", headers=headers) as response:
        reader = Reader(response)
        first = await reader.next()
        assert first is not None
        assert first.name == "connected"
        assert first.data["account_id"] == office.account.id
        yield reader


async def happen(office: Office, call: Call, *types: str) -> list[StoredEvent]:
    """Let something happen to a call, in one commit."""
    events = [replace_type(an_event(call, next(_numbers)), one) for one in types]
    await office.store.record(call, events)
    return events


def replace_type(event: StoredEvent, type_: str, **data: object) -> StoredEvent:
    data = {"sequence": event.sequence, "leg": {"side": "a", "device": "desk"}} | data
    body = json.dumps({"id": event.id, "type": type_, "data": data}).encode()
    return StoredEvent(event.id, event.account_id, event.call_id, event.sequence, type_, event.created_at, body)


def _counted() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


_numbers = _counted()


def a_call(office: Office) -> Call:
    return samples.a_call(office.platform, office.account, office.user)


async def user_session(office: Office, user: str, **more: object) -> str:
    return str((await office.make("/v1/user_sessions", user=user, **more))["client_secret"])


# --- the bytes ---


async def test_the_first_bytes_of_a_stream_and_those_of_an_event(office: Office) -> None:
    headers = {"Authorization": f"Bearer {office.key}", "DialStack-Account": office.account.id}
    async with office._client.get("/v1/events", headers=headers) as response:
        assert response.status == 200
        assert "Transfer-Encoding" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["X-Request-Id"]
        greeting = b'id: 0\nevent: connected\ndata: {"account_id":"%s","after":0}\n\n: live\n\n'
        expected = greeting % office.account.id.encode()
        assert await response.content.readexactly(len(expected)) == expected
        (event,) = await happen(office, a_call(office), "call.ringing")
        frame = b"id: 1\nevent: call.ringing\ndata: " + event.body + b"\n\n"
        assert await response.content.readexactly(len(frame)) == frame


async def test_a_real_call_tells_what_its_log_has_byte_for_byte(office: Office) -> None:
    async with following_events(office, "?types=*") as stream:
        location = await office.call(office.user.id)
        frames: list[Frame] = []
        while not frames or frames[-1].name != "call.end":
            frames += await stream.take(1)
    log, _ = await office.text(f"{location}/events")
    stored = await office.store.call_events(office.account.id, CallId(location.rpartition("/")[2]))
    assert [frame.body for frame in frames] == [one.body for one in stored]
    assert f'"data":[{b",".join(one.body for one in stored).decode()}]' in log
    assert [frame.id for frame in frames] == list(range(1, len(frames) + 1))
    assert [frame.name for frame in frames] == [one.type for one in stored]


async def test_a_comment_comes_again_and_again(office: Office, quick: None) -> None:
    async with following_events(office) as stream:
        assert [await stream.block(), await stream.block(), await stream.block()] == [b": live", b":", b":"]


async def test_a_question_for_the_head_is_answered_and_over(office: Office) -> None:
    headers = {"Authorization": f"Bearer {office.key}", "DialStack-Account": office.account.id}
    async with office._client.head("/v1/events", headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")


# --- where it begins, and that it goes on there ---


async def test_without_a_cursor_it_begins_with_now(office: Office) -> None:
    call = a_call(office)
    await happen(office, call, "call.ringing", "call.initiated")
    async with following_events(office) as stream:
        await happen(office, call, "call.answered")
        frame = await stream.next()
        assert frame is not None
        assert (frame.id, frame.name) == (3, "call.answered")


@pytest.mark.parametrize(("query", "last"), [("?after=1", None), ("", "1"), ("?after=0", "1")])
async def test_with_a_cursor_it_begins_after_that(office: Office, query: str, last: str | None) -> None:
    call = a_call(office)
    kept = await happen(office, call, "call.ringing", "call.initiated", "leg.answered", "call.answered")
    async with following_events(office, query, last=last) as stream:
        frames = await stream.until_live()
        assert [(frame.id, frame.body) for frame in frames] == [(2, kept[1].body), (4, kept[3].body)]


async def test_much_is_replayed_in_pieces(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WINDOW", 7)
    call = a_call(office)
    await happen(office, call, *["call.ringing", "leg.created", "leg.dialled"] * 20)
    async with following_events(office, "?after=0") as stream:
        assert [frame.id for frame in await stream.until_live()] == list(range(1, 61, 3))
    async with following_events(office, "?after=0&types=*") as stream:
        assert [frame.id for frame in await stream.until_live()] == list(range(1, 61))


async def test_a_cursor_whose_events_are_gone_is_told_and_what_is_kept_follows(office: Office, tmp_path: Path) -> None:
    old, young = a_call(office), a_call(office)
    await happen(office, young, "call.ringing")
    await happen(office, old, "call.ringing", "call.end")
    await happen(office, young, "call.end")
    change(tmp_path / "c2c.db", "DELETE FROM events WHERE call_id = ?", old.id)
    async with following_events(office, last="1") as stream:
        reset, kept = await stream.until_live()
        assert (reset.name, reset.id, reset.data) == ("reset", 3, {"reason": "too_old", "after": 3})
        assert (kept.name, kept.id) == ("call.end", 4)
    async with following_events(office, "?after=0") as stream:
        assert [(one.name, one.id) for one in await stream.until_live()] == [
            ("reset", 0),
            ("call.ringing", 1),
            ("call.end", 4),
        ]
    async with following_events(office, last="3") as stream:
        assert [one.name for one in await stream.until_live()] == ["call.end"]


async def test_a_cursor_older_than_all_that_is_kept_is_told(office: Office, tmp_path: Path) -> None:
    call = a_call(office)
    await happen(office, call, "call.ringing", "call.end")
    change(tmp_path / "c2c.db", "DELETE FROM events")
    async with following_events(office, last="1") as stream:
        (reset,) = await stream.until_live()
        assert (reset.name, reset.id, reset.data["reason"]) == ("reset", 2, "too_old")
    async with following_events(office, last="2") as stream:
        assert await stream.until_live() == []


@pytest.mark.parametrize("last", ["3", "9" * 19, "9" * 30, "abc", "-1", "1.0"])
async def test_a_cursor_that_was_never_given_is_told_and_now_follows(office: Office, last: str) -> None:
    call = a_call(office)
    await happen(office, call, "call.ringing", "call.initiated")
    async with following_events(office, last=last) as stream:
        (reset,) = await stream.until_live()
        assert (reset.name, reset.id, reset.data) == ("reset", 2, {"reason": "unknown", "after": 2})
        await happen(office, call, "call.answered")
        assert [frame.id for frame in await stream.take(1)] == [3]


async def test_events_that_were_committed_without_a_word_are_found(office: Office) -> None:
    """A commit whose outcome is not known may have been one."""
    call = a_call(office)
    hear = office.store._writer.hear
    async with following_events(office) as stream:
        await stream.until_live()
        office.store._writer.hear = lambda _events: None
        await happen(office, call, "call.ringing")
        hear([])
        assert [frame.id for frame in await stream.take(1)] == [1]
        await happen(office, call, "call.initiated")
        office.store._writer.hear = hear
        await happen(office, call, "call.answered")  # is not what comes next for who missed one
        assert [frame.id for frame in await stream.take(2)] == [2, 3]


async def test_nobody_misses_or_gets_anything_twice_who_comes_and_goes_while_much_happens(office: Office) -> None:
    calls = [a_call(office) for _ in range(30)]
    seen: dict[int, list[int]] = {number: [] for number in range(8)}
    total = 30 * 10

    async def client(number: int) -> None:
        chance = random.Random(number)
        cursor = 0
        while cursor < total:
            async with following_events(office, "?types=*", last=str(cursor)) as stream:
                for _ in range(chance.randint(1, 40)):
                    frame = await stream.next()
                    assert frame is not None
                    assert frame.id is not None
                    seen[number].append(frame.id)
                    cursor = frame.id
                    if cursor == total:
                        break

    async def traffic() -> None:
        for _ in range(10):
            await asyncio.gather(*(happen(office, call, "leg.ringing") for call in calls))
            await asyncio.sleep(0.01)

    async with asyncio.timeout(30):
        await asyncio.gather(traffic(), *(client(number) for number in seen))
    for ids in seen.values():
        assert ids == list(range(1, total + 1))


# --- who sees what ---


async def test_filters_choose_types_users_and_calls(office: Office) -> None:
    bob = await office.store.create_user(office.account.id, "Bob")
    await office.service.directory_changed()
    hers = a_call(office)
    his = replace(a_call(office), user_id=bob.id)
    await happen(office, hers, "call.ringing", "leg.created")
    await happen(office, his, "call.ringing", "call.end")

    async def ids(query: str) -> list[int | None]:
        async with following_events(office, f"?after=0&{query}") as stream:
            return [frame.id for frame in await stream.until_live()]

    assert await ids("") == [1, 3, 4]
    assert await ids("types=*") == await ids("types=leg.*,call.*") == [1, 2, 3, 4]
    assert await ids("types=leg.*") == [2]
    assert await ids("types=call.end, leg.created".replace(" ", "%20")) == [2, 4]
    assert await ids(f"user_id={bob.id}") == await ids(f"user={bob.id}") == [3, 4]
    assert await ids(f"call_id={hers.id}&types=*") == await ids(f"call={hers.id}&types=*") == [1, 2]
    assert await ids(f"user_id={new_id(USER)}") == await ids(f"call_id={new_id(CALL)}") == []
    async with following_events(office, f"?user_id={bob.id}&types=call.end") as stream:
        await stream.until_live()
        await happen(office, hers, "call.end")
        await happen(office, his, "call.answered")
        await happen(office, replace(his, id=new_id(CALL)), "call.end")
        assert [frame.id for frame in await stream.take(1)] == [7]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("types=call.incoming", "types"),
        ("types=", "types"),
        ("after=-1", "after"),
        ("after=x", "after"),
        (f"after={2**63}", "after"),
        ("user_id=ann", "user_id"),
        ("call_id=user_01h2xcejqtf2nbrexx3vqjhp42", "call_id"),
        ("colour=red", "colour"),
    ],
)
async def test_what_is_no_filter_is_refused_by_name(office: Office, query: str, field: str) -> None:
    status, code, details = await office.refused("GET", f"/v1/events?{query}")
    assert (status, code, list(details)) == (400, "validation_error", [field])


async def test_a_user_session_sees_its_own_user_alone(office: Office) -> None:
    bob = await office.store.create_user(office.account.id, "Bob")
    await office.service.directory_changed()
    mine = await user_session(office, office.user.id)
    hers, his = a_call(office), replace(a_call(office), user_id=bob.id)
    await happen(office, his, "call.ringing")
    await happen(office, hers, "call.ringing")
    async with following_events(office, "?after=0", token=mine) as stream:
        assert [frame.id for frame in await stream.until_live()] == [2]
        await happen(office, his, "call.end")
        await happen(office, hers, "call.end")
        assert [frame.id for frame in await stream.take(1)] == [4]
    for user in (bob.id, new_id(USER)):
        status, code, _ = await office.refused("GET", f"/v1/events?user_id={user}", key=mine)
        assert (status, code) == (403, "not_allowed")


async def test_a_user_session_hears_nothing_of_the_phones_of_others(office: Office) -> None:
    mine = await user_session(office, office.user.id)
    call = a_call(office)
    for side, device in (("a", "desk"), ("b", None), ("b", "phone-of-bob")):
        event = replace_type(an_event(call, next(_numbers)), "leg.ringing", leg={"side": side, "device": device})
        await office.store.record(call, [event])
    async with following_events(office, "?after=0&types=*", token=mine) as stream:
        assert [frame.id for frame in await stream.until_live()] == [1, 2]
    async with following_events(office, "?after=0&types=*") as stream:
        assert [frame.id for frame in await stream.until_live()] == [1, 2, 3]


async def test_events_of_tests_are_for_test_credentials(office: Office) -> None:
    test_key, _ = await office.store.create_key(office.platform.id, livemode=False)
    await office.service.directory_changed()
    await happen(office, replace(a_call(office), livemode=False), "call.ringing")
    await happen(office, a_call(office), "call.ringing")
    async with following_events(office, "?after=0") as stream:
        assert [frame.id for frame in await stream.until_live()] == [2]
    office.key = test_key
    async with following_events(office, "?after=0") as stream:
        assert [frame.id for frame in await stream.until_live()] == [1]


async def test_accounts_are_counted_and_told_apart(office: Office) -> None:
    other = await office.store.create_account(office.platform.id, "Butcher")
    user = await office.store.create_user(other.id, "Bea")
    await office.service.directory_changed()
    theirs = replace(a_call(office), account_id=other.id, user_id=user.id)
    async with following_events(office) as stream:
        await happen(office, theirs, "call.ringing")
        await happen(office, a_call(office), "call.ringing")
        assert [frame.id for frame in await stream.take(1)] == [1]


# --- how it ends ---


async def last_of(stream: Reader) -> Frame:
    """The last event of a stream, which must end."""
    frames: list[Frame] = []
    while (frame := await stream.next()) is not None:
        frames.append(frame)
    return frames[-1]


async def test_a_stream_ends_when_its_session_is_revoked(office: Office, quick: None) -> None:
    mine = await user_session(office, office.user.id)
    async with following_events(office, token=mine) as stream:
        await office.ask("POST", f"/v1/users/{office.user.id}/revoke_sessions")
        end = await last_of(stream)
        assert (end.name, end.data, end.id) == ("closed", {"reason": "session_ended"}, None)
        assert end.retry is not None
        assert 1_000 <= end.retry <= 5_000


async def test_a_stream_ends_at_the_moment_at_which_its_session_does(office: Office) -> None:
    await user_session(office, office.user.id)  # so there is a key that signs
    key = office.service.authenticate(office.key)
    assert isinstance(key, Key)
    claims = new_claims(office.account, office.user.id, key.id, livemode=True, now=time.time() - 58, lasts=60)
    mine = sign(claims, office.service._directory.signing_keys[-1])
    async with following_events(office, token=mine) as stream:
        began = time.monotonic()
        assert (await last_of(stream)).data == {"reason": "session_ended"}
        assert time.monotonic() - began < 5


async def test_a_stream_of_a_key_ends_when_the_key_is_revoked(office: Office, quick: None) -> None:
    secret, key = await office.store.create_key(office.platform.id)
    await office.service.directory_changed()
    headers = {"Authorization": f"Bearer {secret}", "DialStack-Account": office.account.id}
    async with office._client.get("/v1/events", headers=headers) as response:
        await office.delete(f"/v1/keys/{key.id}")
        assert (await last_of(Reader(response))).data == {"reason": "session_ended"}


async def test_a_stop_ends_every_stream_at_once_and_sends_clients_back_at_different_times(office: Office) -> None:
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(following_events(office)) for _ in range(20)]
        stopping = asyncio.create_task(office.server.stop())
        async with asyncio.timeout(3):
            ends = [await last_of(stream) for stream in streams]
            await stopping
    assert {end.data["reason"] for end in ends} == {"stopping"}
    assert len({end.retry for end in ends}) > 5


async def test_a_client_that_takes_nothing_does_not_hold_up_the_stop(office: Office) -> None:
    call = a_call(office)
    with await sleeping(office):
        streams = office.app[STREAMS]
        await eventually(lambda: streams.count == 1)
        (stream,) = streams._streams[office.account.id]
        while not stream._protocol.writing_paused:
            await happen(office, call, *["leg.ringing"] * 200)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(event_streams.WRITE_WITHIN / 2):
            await office.server.stop()
    assert ended_streams(office) == {"stopping": 1}


async def sleeping(office: Office) -> socket.socket:
    """A client that asks for everything and takes nothing."""
    host, _, port = office.url.removeprefix("http://").partition(":")
    sleeper = socket.socket()
    sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    await asyncio.to_thread(sleeper.connect, (host, int(port)))
    head = f"Host: x\r\nAuthorization: Bearer {office.key}\r\nDialStack-Account: {office.account.id}\r\n\r\n"
    sleeper.sendall(f"GET /v1/events?types=* HTTP/1.1\r\n{head}".encode())
    return sleeper


def ended_streams(office: Office) -> dict[str, float]:
    """How many streams are over, by their reason."""
    found = office.app[METRICS].event_streams_ended.collect()
    return {sample.labels["reason"]: sample.value for one in found for sample in one.samples}


async def test_when_the_database_cannot_be_read_a_stream_ends_and_none_begins(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object) -> None:
        raise StoreUnavailable("the disk is gone")

    async with following_events(office) as stream:
        await stream.until_live()
        monkeypatch.setattr(office.service, "events_after", fail)
        office.store._writer.hear([])
        assert (await last_of(stream)).data == {"reason": "unavailable"}
    status, code, _ = await office.refused("GET", "/v1/events")
    assert (status, code) == (503, "unavailable")


async def test_a_client_that_takes_nothing_is_dropped_and_gets_all_of_it_later(office: Office, quick: None) -> None:
    call = a_call(office)
    with await sleeping(office):
        streams = office.app[STREAMS]
        await eventually(lambda: streams.count == 1)
        count = 0
        async with asyncio.timeout(20):
            while streams.count:
                await happen(office, call, *["leg.ringing"] * 200)
                count += 200
                await asyncio.sleep(0.01)
    async with following_events(office, "?types=*", last="0") as stream:
        assert [frame.id for frame in await stream.until_live()] == list(range(1, count + 1))
    assert ended_streams(office)["stalled"] == 1


async def test_a_client_that_leaves_is_forgotten_at_once(office: Office) -> None:
    async with following_events(office) as stream:
        await stream.until_live()
        assert office.app[STREAMS].count == 1
    await eventually(lambda: office.app[STREAMS].count == 0, within=2.0)
    assert office.service._feed._listeners == {}


async def test_a_connection_that_was_closed_a_moment_ago_harms_no_other_stream(office: Office) -> None:
    call = a_call(office)
    async with following_events(office) as gone, following_events(office) as stays:
        await gone.until_live()
        await stays.until_live()
        first, *_ = office.app[STREAMS]._streams[office.account.id]
        first._transport.abort()
        await happen(office, call, "call.ringing")
        await happen(office, call, "call.initiated")
        assert [frame.id for frame in await stays.take(2)] == [1, 2]


async def test_one_that_refuses_what_is_written_harms_no_other_stream(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        """As uvloop's transports are between their end and the news of it."""

        def is_closing(self) -> bool:
            return False

        def write(self, _data: bytes) -> None:
            raise RuntimeError("unable to perform operation; the handler is closed")

        def abort(self) -> None:
            """It is."""

    call = a_call(office)
    async with following_events(office) as gone, following_events(office) as stays:
        await gone.until_live()
        await stays.until_live()
        first, *_ = office.app[STREAMS]._streams[office.account.id]
        monkeypatch.setattr(first, "_transport", Closed())
        await happen(office, call, "call.ringing")
        await happen(office, call, "call.initiated")
        assert [frame.id for frame in await stays.take(2)] == [1, 2]
        await eventually(lambda: office.app[STREAMS].count == 1)


# --- how many ---


async def test_a_stream_is_no_request_that_is_being_answered(office: Office) -> None:
    admission = office.server._admission
    async with following_events(office) as stream:
        await stream.until_live()
        assert admission.requests == 0
    await eventually(lambda: office.app[STREAMS].count == 0)
    assert admission.requests == 0


async def test_one_credential_and_one_account_have_so_many_streams_and_no_more(office: Office) -> None:
    limits = Http(max_streams_per_account=3, max_streams_per_credential=2)
    office.app[ADMISSION]._most_of_account = limits.max_streams_per_account
    office.app[ADMISSION]._most_of_credential = limits.max_streams_per_credential
    mine = await user_session(office, office.user.id)
    hers = await user_session(office, office.user.id)
    async with following_events(office), following_events(office):
        status, code, _ = await office.refused("GET", "/v1/events")
        assert (status, code) == (429, "too_many_streams")
        async with following_events(office, token=mine):
            assert (await office.refused("GET", "/v1/events", key=hers))[:2] == (429, "too_many_streams")
    await eventually(lambda: office.app[STREAMS].count == 0)
    async with following_events(office, token=hers) as stream:
        assert await stream.until_live() == []
