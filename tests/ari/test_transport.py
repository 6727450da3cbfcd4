"""The transport: what is sent, what a failure says, and what it never says."""

import asyncio
import json
import logging
import socket
import time
import traceback
from collections.abc import AsyncIterator

import aiohttp
import pytest

from c2c_stasis.ari.transport import NeverSent, Transport
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from tests.ari.server import PASSWORD, USERNAME, Answer, AriServer

TIMEOUT = 0.2


@pytest.fixture
async def transport(server: AriServer) -> AsyncIterator[Transport]:
    transport = Transport(server.url, USERNAME, PASSWORD, connections=4, timeout=TIMEOUT)
    yield transport
    await transport.shut()


@pytest.fixture
async def nowhere() -> AsyncIterator[Transport]:
    """A transport to a port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        transport = Transport(url, USERNAME, PASSWORD, connections=4, timeout=TIMEOUT)
        yield transport
        await transport.shut()


async def dial(transport: Transport) -> None:
    await transport.request("POST", "http://any/ari/channels/x.a1/dial", params={"timeout": 35, "caller": "x.a2"})


# --- what is sent ---


async def test_parameters_of_a_post_travel_as_json_values_in_the_body(server: AriServer, transport: Transport) -> None:
    """Asterisk takes "35" for 0 and "true" for false there."""
    await transport.request(
        "POST",
        "http://any/ari/channels/create",
        params={"endpoint": "PJSIP/d1", "timeout": 35, "inhibit": True},
        data=json.dumps({"variables": {"X": "1"}}),
    )
    (request,) = server.requests
    assert request.body == {"endpoint": "PJSIP/d1", "timeout": 35, "inhibit": True, "variables": {"X": "1"}}
    assert request.query == {}


async def test_parameters_of_a_delete_travel_in_the_query(server: AriServer, transport: Transport) -> None:
    await transport.request("DELETE", "http://any/ari/channels/x.a1", params={"reason_code": "26", "flag": True})
    assert server.requests[0].query == {"reason_code": "26", "flag": "true"}
    assert server.requests[0].body is None


async def test_every_request_goes_to_the_configured_address(server: AriServer, transport: Transport) -> None:
    """Asterisk's documents name the host that it believes to have."""
    reply = await transport.request("GET", "http://asterisk.invalid:1/ari/channels")
    assert (reply.status, reply.json()) == (200, [])


async def test_a_reply_without_a_body(server: AriServer, transport: Transport) -> None:
    server.answer = lambda _: Answer(204, "")
    reply = await transport.request("DELETE", "http://any/ari/channels/x.a1")
    assert (reply.status, reply.json()) == (204, None)


async def test_connections_are_used_again(server: AriServer, transport: Transport) -> None:
    """A new connection for each request would cost Asterisk a session each."""
    for _ in range(5):
        await transport.request("GET", "http://any/ari/channels")
    assert len(server.requests) == 5
    assert server.connections == 1


async def test_no_more_connections_than_allowed(server: AriServer, transport: Transport) -> None:
    server.answer = lambda _: Answer(204, "", after=0.02)
    await asyncio.gather(*(transport.request("GET", "http://any/ari/channels") for _ in range(12)))
    assert (len(server.requests), server.connections) == (12, 4)


# --- refusals ---


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "Channel not found"}, "Channel not found"),
        ({"error": "Allocation failed"}, "Allocation failed"),
        ({"other": 1}, "{'other': 1}"),
        (["odd"], "['odd']"),
        ("<html>404 Not Found</html>", "<html>404 Not Found</html>"),
        ("", ""),
        ("x" * 500, "x" * 200),
    ],
)
async def test_a_refusal_keeps_status_and_message(
    server: AriServer, transport: Transport, body: object, message: str
) -> None:
    server.answer = lambda _: Answer(409, body)
    with pytest.raises(SwitchRefused) as refused:
        await dial(transport)
    assert (refused.value.status, refused.value.message) == (409, message)


@pytest.mark.parametrize("status", [400, 404, 412, 422, 500, 503])
async def test_a_refusal_is_not_repeated(server: AriServer, transport: Transport, status: int) -> None:
    server.answer = lambda _: Answer(status, {"message": "no"})
    with pytest.raises(SwitchRefused):
        await dial(transport)
    assert len(server.requests) == 1


async def test_whoever_is_sent_elsewhere_was_not_served(server: AriServer, transport: Transport) -> None:
    server.answer = lambda _: Answer(301, "moved")
    with pytest.raises(SwitchRefused) as refused:
        await dial(transport)
    assert refused.value.status == 301


# --- no answer ---


async def test_no_answer_in_time(server: AriServer, transport: Transport) -> None:
    server.answer = lambda _: Answer(after=5.0)
    began = time.monotonic()
    with pytest.raises(SwitchUnavailable) as failed:
        await dial(transport)
    assert TIMEOUT <= time.monotonic() - began < TIMEOUT + 1.0
    assert not isinstance(failed.value, NeverSent)
    assert len(server.requests) == 1


async def test_an_answer_that_gets_lost_is_not_a_request_that_was_never_sent(
    server: AriServer, transport: Transport
) -> None:
    server.answer = lambda _: Answer(lost=True)
    with pytest.raises(SwitchUnavailable) as failed:
        await dial(transport)
    assert not isinstance(failed.value, NeverSent)
    assert len(server.requests) == 1


async def test_a_request_on_a_connection_that_was_just_closed_is_not_repeated(
    server: AriServer, transport: Transport
) -> None:
    """The second request meets a connection that the server closes on it: only the server could know whether it was read."""
    await dial(transport)
    server.answer = lambda _: Answer(lost=True)
    with pytest.raises(SwitchUnavailable):
        await dial(transport)
    assert len(server.requests) == 2


async def test_nobody_listens(nowhere: Transport) -> None:
    with pytest.raises(NeverSent):
        await dial(nowhere)


async def test_an_event_stream_that_is_refused(server: AriServer, transport: Transport) -> None:
    server.answer = lambda _: Answer(403, {"message": "no"})
    with pytest.raises(SwitchRefused) as refused:
        await transport.ws_connect("ws://any/ari/events", params={"app": "c2c"})
    assert refused.value.status == 403


async def test_an_event_stream_from_nobody(nowhere: Transport) -> None:
    with pytest.raises(NeverSent):
        await nowhere.ws_connect("ws://any/ari/events", params={"app": "c2c"})


async def test_an_event_stream_that_does_not_open_in_time(server: AriServer, transport: Transport) -> None:
    server.answer = lambda _: Answer(after=5.0)
    with pytest.raises(SwitchUnavailable):
        await transport.ws_connect("ws://any/ari/events", params={"app": "c2c"})


# --- the password ---


async def test_the_password_travels_in_a_header_and_is_never_told(
    server: AriServer, transport: Transport, nowhere: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    socket = await transport.ws_connect("ws://any/ari/events", params={"app": "c2c"})
    await socket.close()
    await dial(transport)
    for answer in (Answer(401, {"message": "no"}), Answer(lost=True), Answer(after=5.0)):
        server.answer = lambda _, answer=answer: answer  # type: ignore[misc]  # bound now
        told += [await _told(dial(transport)), await _told(transport.ws_connect("ws://any/ari/events"))]
    told += [await _told(dial(nowhere)), await _told(nowhere.ws_connect("ws://any/ari/events"))]
    assert all(told)
    login = aiohttp.encode_basic_auth(USERNAME, PASSWORD)
    assert {request.authorization for request in server.requests} == {login}
    everything = "\n".join([*told, caplog.text, *(request.url for request in server.requests)])
    for secret in (PASSWORD, login, login.removeprefix("Basic "), "s3cret"):
        assert secret not in everything


async def _told(attempt: object) -> str:
    """Everything that a failure says about itself and its causes."""
    try:
        await attempt  # type: ignore[misc]  # one of two kinds of coroutines
    except (SwitchUnavailable, SwitchRefused) as error:
        return "".join(traceback.format_exception(error)) + repr(error)
    return ""
