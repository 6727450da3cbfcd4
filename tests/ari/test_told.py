"""What of the traffic with Asterisk gets into the ARI log: every request however it ended, every event however it looks."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from c2c_stasis.ari.client import Client, RawEvent
from c2c_stasis.ari.transport import Transport
from c2c_stasis.arilog import AriLog
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from tests.ari.server import PASSWORD, USERNAME, Answer, AriServer
from tests.fakes.ari_log import KeptLog

TIMEOUT = 0.2
DIAL = "/ari/channels/call_01h2xcejqtf2nbrexx3vqjhp41.a1/dial"


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    return []


@pytest.fixture
async def transport(server: AriServer, lines: list[dict[str, Any]]) -> AsyncIterator[Transport]:
    transport = Transport(server.url, USERNAME, PASSWORD, connections=4, timeout=TIMEOUT, log=KeptLog(lines))
    yield transport
    await transport.shut()


async def test_a_request_that_was_carried_out(transport: Transport, lines: list[dict[str, Any]]) -> None:
    await transport.send("POST", DIAL, {"timeout": 35})
    (line,) = lines
    assert (line["method"], line["path"], line["parameters"]) == ("POST", DIAL, {"timeout": 35})
    assert line["call"] == "call_01h2xcejqtf2nbrexx3vqjhp41"
    assert line["status"] < 300
    assert 0 < line["ms"] < 1000 * TIMEOUT


async def test_a_request_that_was_refused(server: AriServer, transport: Transport, lines: list[dict[str, Any]]) -> None:
    server.answer = lambda _: Answer(500, {"message": "Allocation failed: PJSIP/15551234567@carrier"})
    with pytest.raises(SwitchRefused):
        await transport.send("POST", DIAL, {})
    (line,) = lines
    assert (line["status"], line["message"]) == (500, "Allocation failed: PJSIP/1555•••4567@carrier")


@pytest.mark.parametrize("answer", [Answer(lost=True), Answer(after=5.0)], ids=["lost", "late"])
async def test_a_request_that_got_no_answer(
    server: AriServer, transport: Transport, lines: list[dict[str, Any]], answer: Answer
) -> None:
    server.answer = lambda _: answer
    with pytest.raises(SwitchUnavailable):
        await transport.send("POST", DIAL, {})
    (line,) = lines
    assert line["status"] is None
    assert line["message"].startswith("no answer from Asterisk to POST: ")


async def test_a_log_that_is_off_is_told_nothing(server: AriServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("it is off")

    monkeypatch.setattr(AriLog, "_put", fail)
    transport = Transport(server.url, USERNAME, PASSWORD, connections=4, timeout=TIMEOUT)
    await transport.send("POST", DIAL, {})
    await transport.shut()


async def test_every_event_is_told_before_anybody_acts_on_it_and_also_if_it_is_none(
    transport: Transport, lines: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []

    def hear(event: RawEvent) -> None:
        heard.append(len(lines))
        if event["type"] == "Bad":
            raise KeyError("channel")

    async with anyio.create_task_group() as group:
        client = Client(group, "http://any", ["c2c"], transport, hear, KeptLog(lines))
        for text in ('{"type":"Dial"}', '{"type":"Bad"}', "no JSON"):
            client._take(text.encode())
    assert [json.dumps(line["event"]) for line in lines] == ['{"type": "Dial"}', '{"type": "Bad"}', '"no JSON"']
    assert heard == [1, 2]
    assert len(caplog.records) == 2
