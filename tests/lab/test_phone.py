"""What a scripted phone does: its script step by step, steps by hand, the choice of scripts, and its record."""

import asyncio
import time

import pytest

from c2c_stasis.lab.call import CallOver, CallState, EndedBy
from c2c_stasis.lab.phone import ANSWERS, RINGS, NotSeen, Phone, PhoneCall, Script, answer_together
from c2c_stasis.lab.sip import SipMessage
from tests.lab.phones import FAST, Wire, pair, start, statuses, stop

pytestmark = pytest.mark.usefixtures("nothing_is_left")


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


def replies(call: PhoneCall) -> set[tuple[int, str]]:
    return {(message.status, message.cseq.method) for message in call.messages if message.sent and message.status}


async def test_an_answer_crosses_a_cancel_that_a_slow_wire_holds_back() -> None:
    alice, bob = await pair(Script(ring_after=0.0, heed_cancel_after=0.02))
    for answers in (True, False):
        placed = alice.dial("100", to=bob.address)
        await placed.wait_ringing()
        call = await bob.next_call()
        hanging_up = asyncio.create_task(placed.hang_up())
        await call.wait_for(lambda call=call: call.cancelled, "the CANCEL")  # type: ignore[misc]
        if answers:
            await call.answer()
        await hanging_up
        await call.wait_ended()
        final = (200 if answers else 487, "INVITE")
        await call.wait_for(
            lambda call=call, final=final: {final, (200, "CANCEL")} <= replies(call),  # type: ignore[misc]
            "both replies", even_ended=True,
        )  # fmt: skip
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
    for tried in range(10):
        placed = [alice.dial("1", to=device.address) for device in devices]
        calls = [await device.next_call() for device in devices]
        for call in calls:
            await call.wait_ringing()
        times = answer_together(calls, apart=0.0005 if tried % 2 else 0.0)
        assert times[1] - times[0] >= (0.0005 if tried % 2 else 0.0)
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
