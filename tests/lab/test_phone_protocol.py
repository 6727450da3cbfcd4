"""What a scripted phone says on the wire, to a socket that says exactly what a test wants said (RFC 3261)."""

import asyncio
from typing import Any

import pytest

from c2c_stasis.lab.call import EndedBy
from c2c_stasis.lab.phone import ANSWERS, Script
from c2c_stasis.lab.sip import SipMessage, request
from tests.lab.phones import FAST, OFFER, Wire, start, stop

pytestmark = pytest.mark.usefixtures("nothing_is_left")


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
