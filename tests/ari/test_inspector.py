"""The helper channel of the doctor leaves no trace in Asterisk's log: it comes after its event stream, and goes before it."""

import asyncio

import pytest

from c2c_stasis.ari.inspector import Inspector
from c2c_stasis.errors import SwitchUnavailable
from tests.ari.server import PASSWORD, USERNAME, AriServer
from tests.fakes.waiting import until


async def held(inspector: Inspector, done: asyncio.Event) -> None:
    """Have a helper until it is done."""
    async with inspector.helper():
        await done.wait()


@pytest.fixture
def serving(server: AriServer) -> asyncio.Event:
    """An Asterisk that says that there is an event stream before there is one."""
    server.serving = asyncio.Event()
    return server.serving


async def test_no_channel_is_made_before_its_event_stream_is_served(server: AriServer, serving: asyncio.Event) -> None:
    inspector = Inspector(server.url, USERNAME, PASSWORD, timeout=3.0)
    done = asyncio.Event()
    holding = asyncio.create_task(held(inspector, done))
    await until(lambda: server.connects, "the event stream")
    await inspector.get("asterisk/info")  # a request later, it waits still

    assert server.asked("channels.create") == []
    serving.set()
    await until(lambda: server.asked("channels.create"), "the channel")

    done.set()
    await until(lambda: server.asked("channels.hangup"), "its end")
    await server.send({"type": "ChannelDestroyed"})
    await holding
    await inspector.close()


async def test_the_event_stream_stays_until_the_end_of_the_channel_was_told(server: AriServer) -> None:
    inspector = Inspector(server.url, USERNAME, PASSWORD, timeout=3.0)
    done = asyncio.Event()
    done.set()
    holding = asyncio.create_task(held(inspector, done))
    await until(lambda: server.asked("channels.hangup"), "its end")
    await server.send({"type": "StasisEnd"})

    assert server.sockets
    assert not server.asked("applications.get")
    await server.send({"type": "ChannelDestroyed"})
    await holding

    assert server.asked("applications.get")
    await until(lambda: not server.sockets, "the end of the event stream")
    await inspector.close()


@pytest.mark.parametrize("nonsense", ["no JSON", "[]", "{}", '{"type":["ChannelDestroyed"]}', "[" * 100_000, "null"])
async def test_nonsense_on_the_event_stream_is_passed_by(server: AriServer, nonsense: str) -> None:
    inspector = Inspector(server.url, USERNAME, PASSWORD, timeout=3.0)
    done = asyncio.Event()
    done.set()
    holding = asyncio.create_task(held(inspector, done))
    await until(lambda: server.asked("channels.hangup"), "its end")
    await server.send(nonsense)
    assert not server.asked("applications.get")
    await server.send({"type": "ChannelDestroyed"})
    await holding
    assert server.asked("applications.get")
    await inspector.close()


async def test_an_event_stream_that_is_never_served_is_no_answer(server: AriServer, serving: asyncio.Event) -> None:
    inspector = Inspector(server.url, USERNAME, PASSWORD, timeout=0.05)

    with pytest.raises(SwitchUnavailable):
        await held(inspector, asyncio.Event())

    assert server.asked("channels.create") == []
    await inspector.close()
