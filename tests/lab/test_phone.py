"""Scripted phones against each other and against a bare socket that says exactly what a test wants said."""

import asyncio
import gc
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Self

import pytest

from c2c_stasis.lab.addresses import Address
from c2c_stasis.lab.audio import media_clock
from c2c_stasis.lab.call import CallOver, CallState, EndedBy
from c2c_stasis.lab.phone import ANSWERS, RINGS, NotSeen, Phone, Script, answer_together
from c2c_stasis.lab.sip import SipMessage, parse, request
from c2c_stasis.lab.tones import US_BUSY

FAST = 0.05  # seconds of T1: retransmissions come ten times as quickly
OFFER = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"


class Wire:
    """A bare UDP socket that speaks SIP only as far as it is told to."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self.address: Address = self._socket.getsockname()
        self._number = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    def build(self, method: str, *, to_tag: str = "", cseq: int = 1, branch: str = "", **more: str) -> SipMessage:
        self._number += 1
        branch = branch or f"z9hG4bK-{self.address[1]}-{self._number}"
        headers = [
            ("Via", f"SIP/2.0/UDP 127.0.0.1:{self.address[1]};rport;branch={branch}"),
            ("From", '"Service" <sip:+15550100@127.0.0.1>;tag=wire'),
            ("To", f"<sip:{self.phone.name}@127.0.0.1>" + (f";tag={to_tag}" if to_tag else "")),
            ("Call-ID", more.pop("call_id", "wire-call")),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<{self.uri}>"),
        ]
        sdp = more.pop("sdp", OFFER if method == "INVITE" else "")
        return request(
            method,
            self.phone.uri,
            [*headers, *((name.title().replace("_", "-"), value) for name, value in more.items())],
            sdp,
        )

    def send(self, message: SipMessage) -> SipMessage:
        self._socket.sendto(message.encode(), self.phone.address)
        return message

    def ask(self, method: str, *, to_tag: str = "", cseq: int = 1, branch: str = "", **more: str) -> SipMessage:
        return self.send(self.build(method, to_tag=to_tag, cseq=cseq, branch=branch, **more))

    def answer(self, asked: SipMessage, status: int, *headers: tuple[str, str], sdp: str = "") -> None:
        copied = [(name, asked.require(name)) for name in ("Via", "From", "Call-ID", "CSeq")]
        copied += [("To", asked.require("To") + ("" if asked.to.tag else ";tag=wire")), ("Contact", f"<{self.uri}>")]
        message = SipMessage(f"SIP/2.0 {status} Whatever", (*copied, *headers), sdp)
        self._socket.sendto(message.encode(), self.phone.address)

    @property
    def uri(self) -> str:
        return f"sip:wire@127.0.0.1:{self.address[1]}"

    async def hear(self, timeout: float = 2.0) -> SipMessage:
        async with asyncio.timeout(timeout):
            return parse(await asyncio.get_running_loop().sock_recv(self._socket, 65535))

    async def hear_status(self, status: int) -> SipMessage:
        while True:
            message = await self.hear()
            if message.status == status:
                return message

    async def hear_nothing(self, seconds: float) -> None:
        with pytest.raises(TimeoutError):
            await self.hear(seconds)


_started: list[Phone] = []


async def start(name: str, **options: Any) -> Phone:
    """A phone that is stopped after the test, whatever happens in it."""
    phone = await Phone.start(name, **options)
    _started.append(phone)
    return phone


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    tasks = asyncio.all_tasks()
    yield
    while _started:
        await _started.pop().stop(quietly=True)
    gc.collect()  # an unclosed socket speaks up now
    assert asyncio.all_tasks() <= tasks | {asyncio.current_task()}


async def pair(callee: Script, **options: float) -> tuple[Phone, Phone]:
    """A phone with a script, and one to call it with."""
    t1 = options.get("t1", 0.5)
    return await start("alice", t1=t1, seed=1), await start("bob", script=callee, t1=t1, seed=2)


async def stop(*phones: Phone) -> None:
    for phone in phones:
        await phone.stop()
        assert phone.errors == []


def statuses(messages: Sequence[SipMessage], *, sent: bool) -> list[int]:
    return [message.status for message in messages if message.status is not None and message.sent is sent]


# The script, step by step.


async def test_a_phone_rings_shows_progress_and_answers_in_the_order_and_at_the_times_of_its_script() -> None:
    alice, bob = await pair(Script(ring_after=0.05, progress_after=0.1, answer_after=0.15, hang_up_after=0.1))
    placed = alice.dial("100", to=bob.address)
    call = await bob.next_call()
    await placed.wait_answered()
    await call.wait_ended()
    await placed.wait_ended()

    assert statuses(call.messages, sent=True)[:4] == [100, 180, 183, 200]
    assert call.rang_at is not None
    assert call.progress_at is not None
    assert call.answered_at is not None
    assert call.acked_at is not None
    assert call.ended_at is not None
    began = call.invite.at
    for at, wanted in ((call.rang_at, 0.05), (call.progress_at, 0.1), (call.answered_at, 0.15)):
        assert wanted <= at - began < wanted + 0.1
    assert call.ended_at - call.acked_at >= 0.1
    assert (call.ended_by, placed.ended_by) == (EndedBy.PHONE, EndedBy.PEER)
    assert (call.display, call.dialled) == (("alice", "alice"), "100")
    assert [message.method for message in placed.messages if message.sent and message.method] == ["INVITE", "ACK"]
    await stop(alice, bob)


@pytest.mark.parametrize("status", [404, 480, 486, 503, 603])
async def test_a_rejection_carries_its_cause_and_stops_with_its_ack(status: int) -> None:
    script = Script(ring_after=0.0, reject=status, reject_after=0.02, cause=17, reason='SIP;cause=486;text="x"')
    alice, bob = await pair(script, t1=FAST)
    placed = alice.dial("100", to=bob.address)
    await placed.wait_ended()
    call = await bob.next_call()
    await asyncio.sleep(3 * FAST)

    assert placed.final_status == status
    assert placed.reasons == ["Q.850;cause=17", 'SIP;cause=486;text="x"']
    assert statuses(call.messages, sent=True) == [100, 180, status]
    assert (call.ended_by, bob.counters.rejects) == (EndedBy.PHONE, 1)
    await stop(alice, bob)


async def test_a_redirection_names_its_target() -> None:
    alice, bob = await pair(Script(redirect_to="sip:else@127.0.0.1:1"))
    placed = alice.dial("100", to=bob.address)
    await placed.wait_ended()

    assert placed.final_status == 302
    assert placed.ending is not None
    assert placed.ending.headers_all("Contact") == ["<sip:else@127.0.0.1:1>"]
    await stop(alice, bob)


async def test_a_cancelled_call_ends_with_487_and_keeps_the_reasons() -> None:
    bob = await start("bob", script=RINGS)
    async with Wire(bob) as wire:
        invite = wire.ask("INVITE")
        ringing = await wire.hear_status(180)
        reason = 'SIP;cause=200;text="Call completed elsewhere"'
        wire.ask("CANCEL", branch=invite.via.branch, reason=reason)
        answers = [await wire.hear(), await wire.hear()]
        gone = next(message for message in answers if message.cseq.method == "INVITE")
        wire.ask("ACK", branch=invite.via.branch, to_tag=gone.to.tag)
        call = await bob.next_call()
        await call.wait_ended()

    assert [(message.status, message.cseq.method) for message in answers] == [(200, "CANCEL"), (487, "INVITE")]
    assert gone.to.tag == ringing.to.tag
    assert (call.cancelled, call.ended_by, call.reasons) == (True, EndedBy.PEER, [reason])
    assert bob.counters.cancels == 1
    await stop(bob)


async def test_a_placed_call_that_is_cancelled_ends_with_487() -> None:
    alice, bob = await pair(RINGS)
    placed = alice.dial("100", to=bob.address)
    await placed.wait_ringing()
    await placed.hang_up()
    await placed.wait_ended()
    call = await bob.next_call()
    await call.wait_ended()

    assert (placed.final_status, placed.ended_by, call.cancelled) == (487, EndedBy.PHONE, True)
    await stop(alice, bob)


async def test_the_answer_that_crosses_the_cancel() -> None:
    alice, bob = await pair(Script(ring_after=0.0, answer_on_cancel=True))
    placed = alice.dial("100", to=bob.address)
    await placed.wait_ringing()
    await placed.hang_up()
    call = await bob.next_call()
    await call.wait_ended()

    replies = [(m.status, m.cseq.method) for m in call.messages if m.sent and m.status]
    assert replies == [(100, "INVITE"), (180, "INVITE"), (200, "INVITE"), (200, "CANCEL"), (200, "BYE")]
    assert [m.method for m in call.messages if m.method and not m.sent] == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert (call.cancelled, call.answered_at is not None, call.ended_by) == (True, True, EndedBy.PEER)
    await placed.wait_ended()
    await stop(alice, bob)


async def test_a_silent_phone_and_a_dead_phone_say_nothing_at_all() -> None:
    silent = await start("bob", script=Script(silent=True, answer_after=0.0), t1=FAST)
    dead = await start("carol", script=ANSWERS, t1=FAST, dead=True)
    for phone in (silent, dead):
        async with Wire(phone) as wire:
            invite = wire.ask("INVITE")
            wire.send(invite)
            await wire.hear_nothing(0.1)
            wire.ask("CANCEL", branch=invite.via.branch)
            await wire.hear_nothing(0.05)
            if phone is dead:
                wire.ask("OPTIONS", call_id="qualify")
                await wire.hear_nothing(0.05)
            call = await phone.next_call()
            assert (call.cancelled, phone.counters.invites, phone.counters.repeats) == (True, 1, 1)
    await silent.stop()
    await dead.stop()


async def test_a_phone_that_dies_in_a_call_does_not_answer_the_bye() -> None:
    alice, bob = await pair(ANSWERS, t1=0.01)
    placed = alice.dial("100", to=bob.address)
    await placed.wait_answered()
    bob.die()

    with pytest.raises(NotSeen, match="a reply to BYE"):
        await placed.hang_up()
    assert len([m for m in placed.messages if m.method == "BYE"]) > 5
    await stop(alice, bob)


async def test_a_phone_may_leave_the_bye_unanswered() -> None:
    alice, bob = await pair(Script(answer_after=0.0, respond_bye=False), t1=0.01)
    placed = alice.dial("100", to=bob.address)
    await placed.wait_answered()
    with pytest.raises(NotSeen):
        await placed.hang_up()
    call = await bob.next_call()

    assert (call.state, call.ended_by) == (CallState.ENDED, EndedBy.PEER)
    await stop(alice, bob)


# Steps by hand.


async def test_a_test_takes_every_step_itself() -> None:
    alice, bob = await pair(Script())
    placed = alice.dial("100", to=bob.address)
    call = await bob.next_call()
    await call.ring()
    await placed.wait_ringing()
    await call.progress()
    sent_at = await call.answer()
    await call.wait_answered()
    await placed.wait_answered()
    with pytest.raises(CallOver, match="cannot ring a call that is answered"):
        await call.ring()
    await call.hang_up()
    with pytest.raises(CallOver, match="cannot hang up a call that is ended"):
        await call.hang_up()

    assert statuses(call.messages, sent=True) == [100, 180, 183, 200]
    assert sent_at == call.answered_at
    await placed.wait_ended()
    await stop(alice, bob)


async def test_hanging_up_before_the_answer_is_a_rejection() -> None:
    alice, bob = await pair(Script())
    first, second = alice.dial("1", to=bob.address), alice.dial("2", to=bob.address)
    await (await bob.next_call()).hang_up()
    await (await bob.next_call()).reject(486)
    await first.wait_ended()
    await second.wait_ended()

    assert (first.final_status, second.final_status) == (603, 486)
    await stop(alice, bob)


async def test_two_phones_answer_in_the_same_millisecond() -> None:
    alice = await start("alice")
    devices = [await start(name, script=RINGS) for name in ("desk", "cell")]
    spreads = []
    for _ in range(10):
        placed = [alice.dial("1", to=device.address) for device in devices]
        calls = [await device.next_call() for device in devices]
        for call in calls:
            await call.wait_ringing()
        times = answer_together(calls)
        spreads.append(max(times) - min(times))
        for one in placed:
            await one.wait_answered()
            await one.hang_up()
        for call in calls:
            await call.wait_ended()
        assert times == [call.answered_at for call in calls]
        with pytest.raises(CallOver):
            answer_together(calls)

    assert sorted(spreads)[len(spreads) // 2] <= 0.001
    await stop(alice, *devices)


# Protocol.


async def test_the_200_is_sent_again_until_its_ack() -> None:
    bob = await start("bob", script=ANSWERS, t1=FAST)
    async with Wire(bob) as wire:
        wire.ask("INVITE")
        first = await wire.hear_status(200)
        second, third = await wire.hear(), await wire.hear()
        wire.ask("ACK", to_tag=first.to.tag)
        await wire.hear_nothing(8 * FAST)
        call = await bob.next_call()
        await call.wait_answered()

    assert (second.status, third.status) == (200, 200)
    assert first.body == second.body == third.body
    gaps = [m.at for m in call.messages if m.status == 200]
    assert gaps[2] - gaps[1] > 1.5 * (gaps[1] - gaps[0])
    await bob.stop(quietly=True)


async def test_a_call_whose_ack_never_comes_is_hung_up() -> None:
    bob = await start("bob", script=ANSWERS, t1=0.005)
    async with Wire(bob) as wire:
        wire.ask("INVITE")
        bye = await wire.hear()
        while bye.method != "BYE":
            bye = await wire.hear()
        wire.answer(bye, 200)
        call = await bob.next_call()
        await call.wait_ended()

    assert (call.ended_by, bob.errors) == (EndedBy.TIMEOUT, [])
    await bob.stop()


async def test_a_repeated_invite_gets_the_last_response_again() -> None:
    bob = await start("bob", script=Script(ring_after=0.0))
    async with Wire(bob) as wire:
        invite = wire.ask("INVITE")
        first = await wire.hear_status(180)
        wire.send(invite)
        again = await wire.hear()

    assert again == first
    assert (len(bob.calls), bob.counters.invites, bob.counters.repeats) == (1, 1, 1)
    await bob.stop(quietly=True)


async def test_a_rejection_is_sent_again_until_its_ack() -> None:
    bob = await start("bob", script=Script(trying=False, reject=486), t1=FAST)
    async with Wire(bob) as wire:
        invite = wire.ask("INVITE")
        first, again = await wire.hear(), await wire.hear()
        wire.ask("ACK", branch=invite.via.branch, to_tag=first.to.tag)
        await wire.hear_nothing(5 * FAST)

    assert (first.status, again.status) == (486, 486)
    await stop(bob)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO"])
async def test_requests_of_unknown_dialogs_get_481(method: str) -> None:
    bob = await start("bob")
    async with Wire(bob) as wire:
        wire.ask(method, to_tag="unknown")
        assert (await wire.hear()).status == 481
        wire.ask("CANCEL")
        assert (await wire.hear()).status == 481
        wire.ask("ACK", to_tag="unknown")
        await wire.hear_nothing(0.02)
    await stop(bob)


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("NOTIFY", 200), ("SUBSCRIBE", 405), ("REFER", 405)])
async def test_requests_outside_of_calls(method: str, status: int) -> None:
    bob = await start("bob")
    async with Wire(bob) as wire:
        wire.ask(method)
        reply = await wire.hear()

    assert reply.status == status
    assert "INVITE" in (reply.header("Allow") or "")
    await stop(bob)


async def test_a_required_extension_that_is_not_known_is_refused() -> None:
    bob = await start("bob")
    async with Wire(bob) as wire:
        wire.ask("INVITE", require="timer, 100rel")
        reply = await wire.hear()

    assert (reply.status, reply.header("Unsupported")) == (420, "100rel")
    await stop(bob)


async def test_an_offer_without_g711_is_refused_and_an_empty_one_is_answered_with_ours() -> None:
    bob = await start("bob", script=Script(trying=False, answer_after=0.0))
    async with Wire(bob) as wire:
        opus = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n"
        refused = wire.ask("INVITE", sdp=opus)
        assert (await wire.hear()).status == 488
        wire.ask("ACK", branch=refused.via.branch)
        wire.ask("INVITE", call_id="late", sdp="")
        late = await wire.hear_status(200)
        wire.ask("ACK", call_id="late", to_tag=late.to.tag, sdp=OFFER)
        calls = [await bob.next_call() for _ in range(2)]
        await calls[1].wait_answered()
        assert "m=audio" in late.body
        assert calls[1].audio is not None
        assert calls[1].audio.sending
    await bob.stop(quietly=True)


async def test_the_same_invite_by_another_way_is_a_loop() -> None:
    bob = await start("bob")
    async with Wire(bob) as wire:
        wire.ask("INVITE")
        await wire.hear_status(180)
        wire.ask("INVITE")
        assert (await wire.hear()).status == 482
    await bob.stop(quietly=True)


async def test_a_re_invite_takes_the_call_off_and_back_on_hold() -> None:
    bob = await start("bob", script=Script(answer_after=0.0, tone_hz=700))
    async with Wire(bob) as wire:
        wire.ask("INVITE")
        answer = await wire.hear_status(200)
        wire.ask("ACK", to_tag=answer.to.tag)
        call = await bob.next_call()
        await call.wait_answered()
        assert call.audio is not None
        states = []
        for cseq, direction in ((2, "sendonly"), (3, "sendrecv")):
            wire.ask("INVITE", to_tag=answer.to.tag, cseq=cseq, sdp=f"{OFFER}a={direction}\r\n")
            answered = await wire.hear_status(200)
            wire.ask("ACK", to_tag=answer.to.tag, cseq=cseq)
            states.append((call.on_hold, call.audio.sending, answered.body.splitlines()[-1]))
        wire.ask("UPDATE", to_tag=answer.to.tag, cseq=4)
        assert (await wire.hear()).body == ""
        wire.ask("UPDATE", to_tag=answer.to.tag, cseq=5, sdp=OFFER)
        assert "m=audio" in (await wire.hear()).body

    assert states == [(True, False, "a=recvonly"), (False, True, "a=sendrecv")]
    await bob.stop(quietly=True)


async def test_routes_and_contact_lead_the_bye() -> None:
    bob = await start("bob", script=Script(answer_after=0.0, hang_up_after=0.0, cause=16))
    async with Wire(bob) as wire:
        route = f"<sip:127.0.0.1:{wire.address[1]};lr>"
        wire.send(wire.build("INVITE", record_route=f"{route}, <sip:10.0.0.1;lr>"))
        answer = await wire.hear_status(200)
        wire.ask("ACK", to_tag=answer.to.tag)
        bye = await wire.hear()
        wire.answer(bye, 200)
        call = await bob.next_call()
        await call.wait_ended()

    assert answer.headers_all("Record-Route") == [f"{route}, <sip:10.0.0.1;lr>"]
    assert bye.headers_all("Route") == [route, "<sip:10.0.0.1;lr>"]
    assert bye.request_uri == wire.uri
    assert (bye.from_.tag, bye.to.tag) == (answer.to.tag, "wire")
    assert bye.headers_all("Reason") == call.reasons == ["Q.850;cause=16"]
    await stop(bob)


async def test_a_response_without_rport_goes_to_the_port_of_the_via() -> None:
    bob = await start("bob")
    async with Wire(bob) as wire, Wire(bob) as other:
        asked = wire.build("OPTIONS")
        via = f"SIP/2.0/UDP 127.0.0.1:{other.address[1]};branch=old"
        headers = tuple((name, via if name == "Via" else value) for name, value in asked.headers)
        wire.send(SipMessage(asked.start_line, headers))
        assert (await other.hear()).status == 200
        wire.send(SipMessage(asked.start_line, headers))
        assert (await other.hear()).status == 200
    assert bob.counters.repeats == 1


async def test_a_placed_call_answers_a_challenge_and_acks_what_comes_again() -> None:
    alice = await start("alice", password="secret", t1=FAST)
    async with Wire(alice) as wire:
        placed = alice.dial("100", to=wire.address, headers=[("X-Story", "one")])
        first = await wire.hear()
        challenge = ("Proxy-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
        for _ in range(2):  # the second time as if the ACK was lost
            wire.answer(first, 407, challenge)
        heard = [await wire.hear() for _ in range(3)]
        second = next(message for message in heard if message.method == "INVITE")
        assert sorted(message.method or "" for message in heard) == ["ACK", "ACK", "INVITE"]
        assert (second.cseq.number, second.header("X-Story")) == (first.cseq.number + 1, "one")
        assert 'nonce="n"' in second.require("Proxy-Authorization")
        wire.answer(second, 180)
        for _ in range(2):
            wire.answer(second, 200, sdp=OFFER)
        acks = [await wire.hear(), await wire.hear()]
        await placed.wait_answered()

    assert [(message.method, message.request_uri) for message in acks] == [("ACK", wire.uri)] * 2
    assert acks[0] == acks[1]
    assert alice.errors == []


async def test_a_challenge_that_is_not_met_ends_the_call() -> None:
    alice = await start("alice")
    async with Wire(alice) as wire:
        placed = alice.dial("100", to=wire.address)
        wire.answer(await wire.hear(), 401, ("WWW-Authenticate", 'Digest realm="r", nonce="n"'))
        await placed.wait_ended()

    assert (placed.final_status, placed.ended_by) == (401, EndedBy.PEER)


async def test_a_cancel_waits_for_the_first_response_and_the_answer_that_crosses_it_is_hung_up() -> None:
    alice = await start("alice")
    async with Wire(alice) as wire:
        placed = alice.dial("100", to=wire.address)
        invite = await wire.hear()
        await placed.hang_up()
        await wire.hear_nothing(0.05)
        wire.answer(invite, 100)
        cancel = await wire.hear()
        wire.answer(invite, 200, sdp=OFFER)
        ack, bye = await wire.hear(), await wire.hear()
        wire.answer(cancel, 481)
        wire.answer(bye, 200)
        await placed.wait_ended()

    assert [message.method for message in (cancel, ack, bye)] == ["CANCEL", "ACK", "BYE"]
    assert cancel.via == invite.via
    assert (placed.cancelled, placed.ended_by, alice.errors) == (True, EndedBy.PHONE, [])


async def test_a_re_invite_without_an_offer_gets_ours_and_one_without_g711_changes_nothing() -> None:
    bob = await start("bob", script=Script(answer_after=0.0, tone_hz=700))
    async with Wire(bob) as wire:
        wire.ask("INVITE")
        answer = await wire.hear_status(200)
        wire.ask("ACK", to_tag=answer.to.tag)
        wire.ask("INVITE", to_tag=answer.to.tag, cseq=2, sdp="")
        ours = await wire.hear_status(200)
        wire.ask("ACK", to_tag=answer.to.tag, cseq=2, sdp=OFFER)
        wire.ask("INVITE", to_tag=answer.to.tag, cseq=3, sdp=OFFER.replace("AVP 0", "AVP 99"))
        assert (await wire.hear()).status == 488
        for method, status in (("INFO", 200), ("REFER", 405)):
            wire.ask(method, to_tag=answer.to.tag, cseq=4)
            assert (await wire.hear()).status == status
        wire.ask("BYE", to_tag=answer.to.tag, cseq=5)
        assert (await wire.hear()).status == 200
        wire.ask("INFO", to_tag=answer.to.tag, cseq=6)
        assert (await wire.hear()).status == 481

    assert "RTP/AVP 0 8 101" in ours.body
    assert [call.ended_by for call in bob.calls] == [EndedBy.PEER]


async def test_a_bye_before_the_answer_ends_the_call_too() -> None:
    bob = await start("bob")
    async with Wire(bob) as wire:
        wire.ask("INVITE")
        ringing = await wire.hear_status(180)
        wire.ask("BYE", to_tag=ringing.to.tag, cseq=2)
        replies = [await wire.hear(), await wire.hear()]

    assert {(message.status, message.cseq.method) for message in replies} == {(487, "INVITE"), (200, "BYE")}
    assert bob.calls[0].ended_by is EndedBy.PEER


async def test_what_is_not_sip_is_reported_and_harms_nobody() -> None:
    bob = await start("bob")
    async with Wire(bob) as wire:
        for junk in (b"\r\n\r\n", b"junk", b"INVITE x SIP/2.0\r\n\r\n"):
            wire._socket.sendto(junk, bob.address)
        wire.ask("OPTIONS")
        assert (await wire.hear()).status == 200

    assert len(bob.errors) == 2
    await bob.stop()


async def test_a_fault_in_a_script_or_an_observer_is_reported() -> None:
    def fault(*_: object) -> Any:
        raise RuntimeError("fault")

    bob = await start("bob", script=fault)
    carol = await start("carol", script=ANSWERS, on_message=fault)
    alice = await start("alice", t1=0.005)
    lost, won = alice.dial("1", to=bob.address), alice.dial("1", to=carol.address)
    await won.wait_answered()
    await won.hang_up()
    await lost.wait_ended()

    assert [str(error) for error in bob.errors] == ["fault"]
    assert {str(error) for error in carol.errors} == {"fault"}
    assert (lost.final_status, lost.ended_by) == (408, EndedBy.TIMEOUT)
    for phone in (alice, bob, carol):
        await phone.stop()


async def test_over_tcp_messages_are_told_apart_by_their_length_and_nothing_is_sent_twice() -> None:
    heard: list[bytes] = []
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        invite = parse_later("INVITE", OFFER).encode()
        both = b"\r\n\r\n" + invite + parse_later("OPTIONS", "").encode()
        for begin in range(0, len(both), 100):
            writer.write(both[begin : begin + 100])
            await asyncio.sleep(0.002)
        while data := await reader.read(65535):
            heard.append(data)
        writer.close()
        done.set()

    def parse_later(method: str, sdp: str) -> SipMessage:
        via = ("Via", f"SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK{method}")
        ends = [("From", "<sip:a@b>;tag=1"), ("To", "<sip:tcp@b>"), ("Call-ID", method), ("CSeq", f"1 {method}")]
        return request(method, "sip:tcp@127.0.0.1", [via, *ends], sdp)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    script = Script(trying=False, reject=486)
    phone = await start("tcp", server=address, transport="tcp", register=False, script=script, t1=FAST)
    await phone.wait_for(lambda: len(phone.messages) == 4, "two requests and their responses")
    await asyncio.sleep(4 * FAST)
    await stop(phone)
    await done.wait()
    server.close()
    await server.wait_closed()

    assert [str(message) for message in phone.messages] == [
        "INVITE sip:tcp@127.0.0.1 SIP/2.0",
        "SIP/2.0 486 Busy Here [1 INVITE]",
        "OPTIONS sip:tcp@127.0.0.1 SIP/2.0",
        "SIP/2.0 200 OK [1 OPTIONS]",
    ]
    assert b"".join(heard).count(b"SIP/2.0 486") == 1
    assert phone.uri.endswith(";transport=tcp")
    assert "SIP/2.0/TCP" in phone.new_via()


async def test_a_wire_needs_a_known_transport_and_a_server_that_is_there() -> None:
    with pytest.raises(ValueError, match="no tcp without a server"):
        await start("bob", transport="tcp")
    with pytest.raises(ValueError, match="no such transport: sctp"):
        await start("bob", transport="sctp")
    with pytest.raises(ConnectionRefusedError):
        await start("bob", transport="tcp", server=("127.0.0.1", 1))


# Choice of scripts, records and waiting.


async def test_a_carrier_chooses_by_number_and_a_queue_comes_first() -> None:
    def by_number(invite: SipMessage) -> Script:
        return {"100": ANSWERS, "486": Script(reject=486)}.get(invite.request_uri[4:7], Script(reject=404))

    alice, carrier = await pair(Script())
    carrier.script = by_number
    carrier.queue.append(Script(reject=503))
    calls = [alice.dial(number, to=carrier.address) for number in ("100", "100", "486", "999")]
    await calls[1].wait_answered()
    for call in (calls[0], *calls[2:]):
        await call.wait_ended()

    assert [call.final_status for call in calls] == [503, 200, 486, 404]
    carrier.script = Script(reject=600)
    last = alice.dial("100", to=carrier.address)
    await last.wait_ended()
    assert last.final_status == 600
    await stop(alice, carrier)


async def test_what_does_not_come_is_told_with_the_ladder_so_far() -> None:
    alice, bob = await pair(Script(ring_after=0.0, reject=486, reject_after=0.05))
    placed = alice.dial("100", to=bob.address)

    with pytest.raises(NotSeen, match=r"answer and ACK(?s:.)*INVITE sip:100@(?s:.)*180 Ringing(?s:.)*486 Busy Here"):
        await placed.wait_answered(timeout=2.0)
    await bob.next_call()
    with pytest.raises(TimeoutError, match=r"bob waited 0.0. s for a call"):
        await bob.next_call(timeout=0.01)
    await stop(alice, bob)


async def test_messages_are_shown_as_they_pass() -> None:
    seen: list[tuple[str, bool, str]] = []

    def observe(phone: Phone, message: SipMessage) -> None:
        seen.append((phone.name, message.sent, message.start_line.split(" sip:")[0]))

    alice, bob = await pair(Script(trying=False, reject=486))
    bob.on_message = observe
    placed = alice.dial("1", to=bob.address)
    await placed.wait_ended()
    await bob.wait_for(lambda: len(seen) == 3, "three messages")

    assert seen == [("bob", False, "INVITE"), ("bob", True, "SIP/2.0 486 Busy Here"), ("bob", False, "ACK")]
    assert [message.peer for message in bob.messages] == [alice.address] * 3
    assert abs(bob.messages[0].wall - time.time()) < 5
    await stop(alice, bob)


async def test_a_phone_that_keeps_nothing_only_counts() -> None:
    script = Script(answer_after=0.0, media=False, hang_up_after=0.0)
    alice = await start("alice", keep_messages=False, t1=0.01)
    bob = await start("bob", script=script, keep_messages=False, t1=0.01)
    for _ in range(20):
        alice.dial("1", Script(media=False), to=bob.address)
    await bob.wait_for(lambda: bob.counters.answers == 20 and not bob.calls, "the end of 20 calls")
    await alice.wait_for(lambda: alice.counters.byes == 20 and not alice.placed, "20 goodbyes")
    await asyncio.sleep(70 * 0.01)

    assert (bob.counters.invites, bob.messages, bob._by_call_id, alice._by_call_id) == (20, [], {}, {})
    await stop(alice, bob)


async def test_stop_ends_live_calls_politely_and_twice_is_once() -> None:
    alice, bob = await pair(ANSWERS)
    talking, ringing = alice.dial("1", to=bob.address), None
    await talking.wait_answered()
    bob.script = RINGS
    ringing = alice.dial("2", to=bob.address)
    await ringing.wait_ringing()
    await alice.stop()
    await alice.stop()
    for call in bob.calls:
        await call.wait_ended()

    assert [call.ended_by for call in bob.calls] == [EndedBy.PEER, EndedBy.PEER]
    assert [call.cancelled for call in bob.calls] == [False, True]
    await stop(bob)


async def test_a_taken_port_is_told_and_leaves_nothing_open() -> None:
    async with await start("alice") as alice:
        with pytest.raises(OSError, match="in use"):
            await start("bob", port=alice.port)


# Sound.


async def test_each_side_hears_the_tone_of_the_other_and_no_other() -> None:
    alice, bob = await pair(Script(answer_after=0.0, tone_hz=700))
    placed = alice.dial("1", Script(tone_hz=600), to=bob.address)
    call = await bob.next_call()
    await placed.wait_tone(700)
    await call.wait_tone(600)

    assert (placed.heard(600), call.heard(700)) == (0.0, 0.0)
    assert placed.dominant() == pytest.approx((700,), abs=3)
    assert call.dominant() == pytest.approx((600,), abs=3)
    with pytest.raises(NotSeen, match="heard 600 Hz in"):
        await call.wait_tone(1300, timeout=0.1)
    call.speak(850)
    await placed.wait_tone(850)
    await placed.hang_up()
    await stop(alice, bob)


async def test_a_muted_side_is_heard_as_silence() -> None:
    alice, bob = await pair(Script(answer_after=0.0, tone_hz=700, muted=True))
    placed = alice.dial("1", to=bob.address)
    await placed.wait_answered()
    with pytest.raises(NotSeen, match=r"heard silence in .. packets"):
        await placed.wait_tone(700, timeout=0.4)

    assert placed.heard_sound() == 0.0
    assert placed.heard_silence() == pytest.approx(0.4, abs=0.2)
    await stop(alice, bob)


async def test_early_media_is_heard_before_the_answer() -> None:
    script = Script(progress_after=0.0, early_tone_hz=US_BUSY.hz, cadence=US_BUSY.cadence, tone_hz=700)
    alice, bob = await pair(script)
    placed = alice.dial("1", to=bob.address)
    await placed.wait_pattern(US_BUSY, timeout=4.0)

    assert (placed.state, placed.answered_at) == (CallState.PROGRESS, None)
    call = await bob.next_call()
    await call.answer()
    await placed.wait_tone(700)
    await stop(alice, bob)


async def test_digits_are_pressed_and_read_once() -> None:
    alice, bob = await pair(Script(answer_after=0.0))
    placed = alice.dial("1", to=bob.address)
    await placed.wait_answered()
    call = await bob.next_call()
    placed.press("1#")
    await _until(lambda: call.pressed == "1#")

    assert (call.pressed, placed.pressed) == ("1#", "")
    await stop(alice, bob)


async def _until(ready: Callable[[], bool], timeout: float = 3.0) -> None:
    async with asyncio.timeout(timeout):
        while not ready():  # noqa: ASYNC110 sound wakes nobody
            await asyncio.sleep(0.02)


async def test_ten_percent_loss_and_twenty_milliseconds_of_jitter_are_reported_by_the_other_side() -> None:
    alice = await start("alice", seed=7)
    bob = await start("bob", script=Script(answer_after=0.0))
    placed = [alice.dial("1", Script(tone_hz=600, loss=0.1, jitter=0.03), to=bob.address) for _ in range(20)]
    for one in placed:
        await one.wait_answered()
    await _until(lambda: all(one.audio is not None and len(one.audio.reports) >= 3 for one in placed), 6.0)
    blocks = [one.audio.reports[-1][1] for one in placed if one.audio]
    expected = sum(call.audio.received.expected for call in bob.calls if call.audio)
    lost = sum(call.audio.received.lost for call in bob.calls if call.audio)

    assert lost / expected == pytest.approx(0.1, abs=0.03)
    assert sum(block.fraction_lost for block in blocks) / len(blocks) == pytest.approx(0.1, abs=0.04)
    assert 0.005 < sum(block.jitter_seconds for block in blocks) / len(blocks) < 0.03
    assert all(block.last_sender_report for block in blocks)
    assert min(call.heard(600) for call in bob.calls) > 1.5
    await stop(alice, bob)


async def test_forty_streams_keep_pace() -> None:
    """Twenty calls between two phones are forty streams; each is to have sent what the clock says, within a tenth."""
    alice, bob = await pair(Script(answer_after=0.0, tone_hz=700))
    placed = [alice.dial("1", Script(tone_hz=600), to=bob.address) for _ in range(20)]
    for one in placed:
        await one.wait_answered()
    clock, began, cpu = media_clock(), time.monotonic(), time.process_time()
    before = [stream.sent.packets for call in (*placed, *bob.calls) if (stream := call.audio)]
    await asyncio.sleep(1.5)
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    after = [stream.sent.packets for call in (*placed, *bob.calls) if (stream := call.audio)]

    assert len(after) == 40
    pace = [(b - a) / (wall * 50) for a, b in zip(before, after, strict=True)]
    assert min(pace) > 0.9
    assert max(pace) < 1.1
    assert clock.skipped == 0
    assert cpu / wall < 0.6
    received = [call.audio.received for call in (*placed, *bob.calls) if call.audio]
    assert sum(one.lost for one in received) == 0
    await stop(alice, bob)


async def test_a_process_that_was_late_leaves_packets_out_instead_of_flooding() -> None:
    alice, bob = await pair(Script(answer_after=0.0, tone_hz=700))
    placed = alice.dial("1", to=bob.address)
    await placed.wait_tone(700)
    clock = media_clock()
    time.sleep(0.5)  # noqa: ASYNC251 the fault that this is about
    await _until(lambda: clock.skipped > 0)
    await placed.wait_tone(700, seconds=0.3, since=time.monotonic())

    assert clock.skipped >= 10
    assert clock.worst_delay >= 0.4
    assert placed.audio is not None
    assert placed.audio.received.lost == 0
    await stop(alice, bob)
    assert media_clock() is not clock
