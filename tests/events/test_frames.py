"""Frames of the event connection that no Asterisk sends: the service hears on, on this connection or on the next."""

import asyncio
import json
import logging
import struct
from collections.abc import AsyncIterator

import pytest

from c2c_stasis.ari import client
from c2c_stasis.ari import connection as module
from c2c_stasis.ari.connection import Connection
from c2c_stasis.ari.transport import MAX_EVENT
from c2c_stasis.call.signals import LegEnded
from tests.ari.server import AriServer, ari_server
from tests.ari.test_connection import Ear, running
from tests.ari.test_translate import recorded
from tests.call.stories import A1
from tests.fakes.waiting import until

TEXT, BINARY, CONTINUED, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
LAST = recorded("busy")[-1]  # a phone was busy
GENUINE = json.dumps(LAST).encode()


def frame(
    opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, size: int | None = None, mask: bool = False
) -> bytes:
    """A frame (RFC 6455 §5.2), right or wrong."""
    size = len(payload) if size is None else size
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 2**16:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    return head + (b"\x00\x00\x00\x00" if mask else b"") + payload


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.02)


@pytest.fixture
async def server() -> AsyncIterator[AriServer]:
    async with ari_server() as server:
        yield server


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def connection(server: AriServer, ear: Ear) -> AsyncIterator[Connection]:
    async with running(server.url, ear) as (connection, _):
        await until(lambda: ear.connects, "a connection")
        yield connection


def write(server: AriServer, data: bytes) -> None:
    """Put bytes onto the wire of the event connection."""
    for socket in server.sockets:
        assert socket._writer is not None
        transport = socket._writer.transport
        assert transport is not None
        transport.write(data)


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"\xed\xa0\x80"),
        frame(TEXT, b""),
        frame(TEXT, b"NaN"),
        frame(TEXT, b"[" * 100_000),
        frame(TEXT, b'{"application":"c2c","type":"ChannelDestroyed","cause":' + b"9" * 4_000 + b"}"),
        frame(TEXT, b'{"application":"c2c","type":"' + b"x" * 900_000 + b'"}'),
        frame(BINARY, GENUINE),
        frame(BINARY, b"\x00" * 70_000),
        frame(PONG, b"unasked"),
        frame(PING, b"\xff" * 125),
        frame(PING, b"") * 200,
        frame(TEXT, b"", fin=False) + frame(CONTINUED, b"", fin=False) * 500 + frame(CONTINUED, b""),
    ],
    ids=lambda data: f"{bytes(data[:12])!r}",
)
async def test_a_message_that_is_no_event_costs_nothing_but_itself(
    server: AriServer, connection: Connection, ear: Ear, data: bytes
) -> None:
    write(server, data + frame(TEXT, GENUINE))
    await until(lambda: ear.heard, "the event after it")
    assert ear.heard == [LegEnded(A1, 17, 486)]
    assert server.connects == 1


async def test_an_event_in_which_a_name_is_no_utf8_is_heard_all_the_same(
    server: AriServer, connection: Connection, ear: Ear
) -> None:
    """Who sends such a name must not be able to hang up unheard."""
    write(server, frame(TEXT, GENUINE.replace(b"User", b"\xff\xfe\xed\xa0\x80")))
    await until(lambda: ear.heard, "the event")
    assert ear.heard == [LegEnded(A1, 17, 486)]
    assert server.connects == 1


async def test_an_event_that_comes_in_pieces_is_one_event(server: AriServer, connection: Connection, ear: Ear) -> None:
    pieces = [GENUINE[at : at + 7] for at in range(0, len(GENUINE), 7)]
    write(server, frame(TEXT, pieces[0], fin=False))
    for piece in pieces[1:]:
        write(server, frame(CONTINUED, piece, fin=False) + frame(PING, b"between"))
    write(server, frame(CONTINUED, b""))
    await until(lambda: ear.heard, "the event")
    assert ear.heard == [LegEnded(A1, 17, 486)]


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x" * (MAX_EVENT + 1)),
        frame(TEXT, b"x", size=2**62),
        frame(TEXT, b"x", size=2**64 - 1),
        frame(TEXT, b"x" * 600_000, fin=False) + frame(CONTINUED, b"x" * 600_000),
        frame(3, b"reserved"),
        frame(11, b"reserved"),
        frame(TEXT, GENUINE, rsv=4),
        frame(TEXT, GENUINE, rsv=2),
        frame(CONTINUED, b"of nothing"),
        frame(TEXT, b"one", fin=False) + frame(TEXT, b"another"),
        frame(PING, b"x" * 126),
        frame(PING, b"x", fin=False),
        frame(CLOSE, b"\x00"),
        frame(CLOSE, struct.pack("!H", 5)),
        frame(CLOSE, struct.pack("!H", 1000) + b"\xff\xfe"),
        frame(CLOSE, b""),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00" * 1_000,
        b"\xff" * 1_000,
    ],
    ids=lambda data: f"{bytes(data[:12])!r}",
)
async def test_what_is_no_websocket_any_more_costs_the_connection_and_the_next_one_is_heard(
    server: AriServer, connection: Connection, ear: Ear, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write(server, data)
    await until(lambda: ear.connects == 2 and connection.connected, "a second connection")
    await server.send(LAST)
    await until(lambda: ear.heard, "the event after it")
    assert ear.heard[-1] == LegEnded(A1, 17, 486)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_burst_keeps_nobody_waiting_and_is_not_told_line_by_line(
    server: AriServer,
    connection: Connection,
    ear: Ear,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "AT_A_TIME", 0.0)  # each message is a time of its own, however fast this machine is
    messages, turns = 5_000, 0
    write(server, frame(TEXT, b"x") * messages + frame(TEXT, GENUINE))
    while not ear.heard:
        await asyncio.sleep(0)
        turns += 1
    assert turns > messages / 2
    told = [record for record in caplog.records if "not understood" in record.message]
    assert len(told) == client.MOST_TOLD
    assert server.connects == 1


async def test_what_was_not_told_is_counted_in_the_next_line(
    server: AriServer,
    connection: Connection,
    ear: Ear,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "MOST_TOLD", 1)
    write(server, frame(TEXT, b"x") * 5 + frame(TEXT, GENUINE))
    await until(lambda: ear.heard, "the event after them")
    monkeypatch.setattr(client, "TOLD_EVERY", 0.0)
    write(server, frame(TEXT, b"x"))
    await until(lambda: len(caplog.records) >= 2, "another line")
    assert [record.__dict__.get("others") for record in caplog.records if "not understood" in record.message] == [
        None,
        4,
    ]
