"""The scripted phones against a real Asterisk: what they prove on loopback must be what Asterisk sees."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp
import pytest

from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.call import EndedBy
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.phone import ANSWERS, RINGS, NotSeen, Phone, PhoneCall, RegistrationRefused, Script, answer_together
from c2c_stasis.lab.tones import KNOWN_PATTERNS, UK_RINGBACK, US_BUSY, US_CONGESTION, US_RINGBACK, TonePattern
from tests.live.waiting import until

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

DEVICES = [DeviceAccount("desk", "d;sk secret"), DeviceAccount("cell", "cell-secret")]


_NUMBERS = itertools.count(1)


class Ari:
    """As much of ARI as it takes to make a phone ring and talk."""

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk
        login = aiohttp.encode_basic_auth(asterisk.ari_username, asterisk.ari_password)
        self._http = aiohttp.ClientSession(headers={"Authorization": login})
        self._events: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        self._socket = await self._http.ws_connect(f"{self._asterisk.ari_url}/events", params={"app": "phones"})
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()
        await self._listening
        await self._http.close()

    async def _listen(self) -> None:
        async for message in self._socket:
            self._events.append(json.loads(message.data))

    async def ask(self, method: str, path: str, **params: str) -> Any:
        async with self._http.request(method, f"{self._asterisk.ari_url}/{path}", params=params) as answer:
            assert answer.status < 300, f"{method} {path}: {answer.status} {await answer.text()}"
            return await answer.json() if answer.status == 200 else None

    async def ring(self, endpoint: str, **dial: str) -> str:
        """Create a channel to an endpoint, wait until it is ours, and dial it; gives its id."""
        channel = f"phones-{next(_NUMBERS)}"  # never twice: Asterisk knows an id for a moment longer than the channel
        await self.ask("POST", "channels/create", endpoint=f"PJSIP/{endpoint}", app="phones", channelId=channel)
        await until(lambda: self._saw("StasisStart", channel), f"StasisStart of {channel}")
        await self.ask("POST", f"channels/{channel}/dial", timeout="20", **dial)
        return channel

    def _saw(self, kind: str, channel: str, state: str = "") -> bool:
        events = [event["channel"] for event in self._events if event["type"] == kind]
        return any(one["id"] == channel and state in ("", one["state"]) for one in events)

    async def wait_ringing(self, channel: str) -> None:
        """Wait until Asterisk has heard that it rings: a CANCEL that it sends later than asked, then, has no reason."""
        await until(lambda: self._saw("ChannelStateChange", channel, "Ringing"), f"{channel} to ring")

    async def wait_up(self, channel: str) -> None:
        """Wait until Asterisk takes a channel for answered, which is a little after its ACK."""
        await until(lambda: self._saw("ChannelStateChange", channel, "Up"), f"{channel} to be answered")

    async def wait_destroyed(self, channel: str) -> int:
        """Wait until a channel is gone; gives its hangup cause."""
        await until(lambda: self._saw("ChannelDestroyed", channel), f"the end of {channel}")
        ends = [event for event in self._events if event["type"] == "ChannelDestroyed"]
        return next(int(event["cause"]) for event in ends if event["channel"]["id"] == channel)


@pytest.fixture(scope="module")
async def carrier() -> AsyncIterator[Phone]:
    async with await Phone.start("carrier") as phone:
        yield phone
        assert phone.errors == []


@pytest.fixture(scope="module")
async def asterisk(carrier: Phone) -> AsyncIterator[Asterisk]:
    async with await Asterisk.start(await obtain(), DEVICES, carrier.address) as one:
        yield one


@pytest.fixture
async def ari(asterisk: Asterisk) -> AsyncIterator[Ari]:
    async with Ari(asterisk) as one:
        yield one
        assert [(left["name"], left["state"]) for left in await one.ask("GET", "channels")] == []


async def phone_of(asterisk: Asterisk, device: DeviceAccount, **options: Any) -> Phone:
    return await Phone.start(device.name, server=asterisk.sip_address, password=device.password, **options)


@pytest.fixture
async def desk(asterisk: Asterisk) -> AsyncIterator[Phone]:
    async with await phone_of(asterisk, DEVICES[0]) as phone:
        yield phone
        assert phone.errors == []


@pytest.fixture
async def cell(asterisk: Asterisk) -> AsyncIterator[Phone]:
    async with await phone_of(asterisk, DEVICES[1]) as phone:
        yield phone
        assert phone.errors == []


async def test_two_phones_at_one_account_are_two_contacts_that_answer_and_go_again(
    asterisk: Asterisk, desk: Phone
) -> None:
    async with await phone_of(asterisk, DEVICES[0]) as second:
        shown = ""
        for _ in range(100):
            shown = await asterisk.cli("pjsip show contacts")
            if shown.count("Avail") == 2:
                break
            await asyncio.sleep(0.05)
        assert all(phone.uri in shown for phone in (desk, second)), shown
        assert shown.count("Avail") == 2, shown
        await second.register()

    shown = await asterisk.cli("pjsip show contacts")
    assert desk.uri in shown
    assert second.uri not in shown


async def test_a_wrong_password_is_refused(asterisk: Asterisk) -> None:
    with pytest.raises(RegistrationRefused) as refusal:
        await phone_of(asterisk, DeviceAccount("desk", "wrong"))

    assert refusal.value.status == 401


async def test_a_phone_proves_itself_when_it_dials_and_when_it_hangs_up(desk: Phone) -> None:
    placed = desk.dial("100")
    await placed.wait_ended()

    assert [message.status for message in placed.messages if message.status] == [401, 404]


async def test_a_released_phone_is_told_that_another_answered(ari: Ari, cell: Phone) -> None:
    channel = await ari.ring("cell")
    call = await cell.next_call()
    await ari.wait_ringing(channel)
    await ari.ask("DELETE", f"channels/{channel}", reason_code="26")
    await call.wait_ended()
    cause = await ari.wait_destroyed(channel)

    assert call.cancelled
    assert call.reasons == ['SIP;cause=200;text="Call completed elsewhere"', "Q.850;cause=26"]
    assert (cause, call.ended_by, call.final_status) == (26, EndedBy.PEER, 487)


@pytest.mark.parametrize(("status", "cause"), [(486, 17), (603, 21), (404, 1), (503, 34)])
async def test_a_rejection_gives_its_cause(ari: Ari, cell: Phone, status: int, cause: int) -> None:
    cell.script = Script(reject=status)
    channel = await ari.ring("cell")

    assert await ari.wait_destroyed(channel) in (cause, 38 if status == 503 else cause)


async def test_the_answer_that_crosses_a_cancel_is_hung_up(ari: Ari, cell: Phone) -> None:
    cell.script = Script(ring_after=0.0, answer_on_cancel=True)
    channel = await ari.ring("cell")
    call = await cell.next_call()
    await call.wait_ringing()
    await ari.ask("DELETE", f"channels/{channel}", reason_code="26")
    await call.wait_ended()
    await ari.wait_destroyed(channel)

    received = [message.method for message in call.messages if message.method and not message.sent]
    assert received == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert call.answered_at is not None


async def test_two_phones_that_answer_in_the_same_millisecond_both_get_their_ack(
    ari: Ari, desk: Phone, cell: Phone
) -> None:
    channels = [await ari.ring(name) for name in ("desk", "cell")]
    calls = [await desk.next_call(), await cell.next_call()]
    for call in calls:
        await call.wait_ringing()
    times = answer_together(calls)
    for call in calls:
        await call.wait_answered()
    for channel in channels:
        await ari.ask("DELETE", f"channels/{channel}")
        await ari.wait_destroyed(channel)

    assert max(times) - min(times) <= 0.001


async def test_a_dead_phone_is_called_in_vain(ari: Ari, asterisk: Asterisk) -> None:
    async with await phone_of(asterisk, DEVICES[1], dead=True, script=ANSWERS) as phone:
        channel = await ari.ring("cell")
        call = await phone.next_call()
        await phone.wait_for(lambda: phone.counters.repeats > 0, "the INVITE again")
        with pytest.raises(NotSeen):
            await call.wait_ringing(timeout=0.1)
        await ari.ask("DELETE", f"channels/{channel}")
        await ari.wait_destroyed(channel)


@pytest.mark.parametrize(
    ("tone", "pattern"),
    [
        ("ring;tonezone=us", US_RINGBACK),
        ("ring;tonezone=uk", UK_RINGBACK),
        ("busy;tonezone=us", US_BUSY),
        ("congestion;tonezone=us", US_CONGESTION),
    ],
)
async def test_asterisks_own_tones_are_known(ari: Ari, cell: Phone, tone: str, pattern: TonePattern) -> None:
    cell.script = ANSWERS
    channel = await ari.ring("cell")
    call = await cell.next_call()
    await ari.wait_up(channel)
    await ari.ask("POST", f"channels/{channel}/play", media=f"tone:{tone}")
    await call.wait_pattern(pattern, timeout=10.0)
    heard = [known.name for known in KNOWN_PATTERNS if call.heard_pattern(known)]
    await ari.ask("DELETE", f"channels/{channel}")
    await ari.wait_destroyed(channel)

    assert heard == [pattern.name]


async def test_two_sides_hear_each_other_through_a_bridge_and_asterisk_sees_the_loss(
    ari: Ari, cell: Phone, carrier: Phone
) -> None:
    cell.script = Script(ring_after=0.0, answer_after=0.0, tone_hz=600)
    carrier.script = Script(ring_after=0.0, answer_after=0.1, tone_hz=850, loss=0.1, codecs=("PCMA",))
    a_side = await ari.ring("cell")
    near = await cell.next_call()
    await ari.wait_up(a_side)
    b_side = await ari.ring("+14155550100@carrier")
    far = await carrier.next_call()
    await ari.wait_up(b_side)
    await ari.ask("POST", "bridges", type="mixing", bridgeId="phones-bridge")
    for channel in (a_side, b_side):
        await ari.ask("POST", "bridges/phones-bridge/addChannel", channel=channel)
    await near.wait_tone(850, seconds=1.0)
    await far.wait_tone(600, seconds=1.0)
    await until(lambda: bool(far.audio and far.audio.reports), "a report")  # Asterisk reports every five seconds
    statistics = await ari.ask("GET", f"channels/{b_side}/rtp_statistics")
    for call, other in ((near, 600), (far, 850)):
        assert call.heard(other) == 0.0
    await far.hang_up()
    await ari.ask("DELETE", f"channels/{a_side}")
    await near.wait_ended()
    for channel in (a_side, b_side):
        await ari.wait_destroyed(channel)
    await ari.ask("DELETE", "bridges/phones-bridge")

    assert far.dialled == "+14155550100"
    assert statistics["rxploss"] / (statistics["rxcount"] + statistics["rxploss"]) == pytest.approx(0.1, abs=0.06)
    assert loss_of(far) == pytest.approx(0.1, abs=0.06)


def loss_of(call: PhoneCall) -> float:
    """The loss of our packets by the other side's report."""
    assert call.audio is not None
    block = call.audio.reports[-1][1]
    return block.lost / (call.audio.sent.packets + call.audio.dropped)


async def test_digits_are_heard_both_ways(ari: Ari, cell: Phone) -> None:
    cell.script = ANSWERS
    channel = await ari.ring("cell")
    call = await cell.next_call()
    await ari.wait_up(channel)
    call.press("1#")
    await until(
        lambda: [e["digit"] for e in ari._events if e["type"] == "ChannelDtmfReceived"] == ["1", "#"],
        "the digits at Asterisk",
    )
    await ari.ask("POST", f"channels/{channel}/dtmf", dtmf="42")
    await until(lambda: call.pressed == "42", "the digits at the phone")
    await ari.ask("DELETE", f"channels/{channel}")
    await ari.wait_destroyed(channel)


async def test_twenty_calls_at_once(ari: Ari, carrier: Phone) -> None:
    carrier.script = Script(ring_after=0.0, answer_after=0.1, tone_hz=850, hang_up_after=1.5)
    before = len(carrier.calls)
    channels = await asyncio.gather(*(ari.ring(f"+1415555{n:04}@carrier") for n in range(20)))
    await carrier.wait_for(lambda: len(carrier.calls) == before + 20, "20 calls")
    calls = carrier.calls[before:]
    for call in calls:
        await call.wait_ended()
    for channel in channels:
        await ari.wait_destroyed(channel)

    assert {call.ended_by for call in calls} == {EndedBy.PHONE}
    assert len({call.dialled for call in calls}) == 20


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_phone_behind_a_connection_rings_and_talks(ari: Ari, asterisk: Asterisk, transport: str) -> None:
    server = asterisk.sip_address if transport == "tcp" else asterisk.tls_address
    assert server is not None, "no openssl here"
    device, script = DEVICES[1], Script(ring_after=0.0, answer_after=0.0, tone_hz=600, hang_up_after=0.3)
    async with await Phone.start(
        device.name, server=server, password=device.password, transport=transport, script=script
    ) as phone:
        channel = await ari.ring("cell")
        call = await phone.next_call()
        await call.wait_ended()
        await ari.wait_destroyed(channel)
        await phone.register()

        assert call.ended_by is EndedBy.PHONE
        assert f"SIP/2.0/{transport.upper()}" in call.invite.vias[0]
        assert phone.counters.repeats == 0
        assert phone.errors == []


async def test_a_silent_phone_hears_the_invite_again_and_again(ari: Ari, cell: Phone) -> None:
    cell.queue.append(Script(silent=True))
    cell.script = RINGS
    channel = await ari.ring("cell")
    await cell.wait_for(lambda: cell.counters.repeats >= 1, "the INVITE again")
    await ari.ask("DELETE", f"channels/{channel}")
    await ari.wait_destroyed(channel)

    assert all(not message.sent for message in cell.calls[-1].messages)
