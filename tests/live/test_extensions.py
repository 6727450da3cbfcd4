"""A user calls a colleague by extension: all the colleague's devices ring."""

import pytest

from c2c_stasis.lab.phone import RINGS, Script
from c2c_stasis.lab.tones import US_BUSY, US_RINGBACK
from tests.live.client import COMPLETED_BY_DESTINATION, COMPLETED_BY_USER, Ending, ending, outcomes
from tests.live.story import ANSWERED_ELSEWHERE, ANSWERS_SOON, Story, hears
from tests.live.waiting import until

pytestmark = pytest.mark.live

RINGBACK = US_RINGBACK.hz


async def test_an_extension_rings_all_devices_of_the_colleague_who_is_heard_and_hears(story: Story) -> None:
    desk = await story.phone(Script(ring_after=0.02, answer_after=0.1, tone_hz=1000))
    office = await story.phone(Script(ring_after=0.02, tone_hz=700))
    mobile = await story.phone(RINGS)
    alice, bob = await story.user(desk), await story.user(office, mobile, name="Bob")
    await story.store.create_extension(alice.account_id, "1001", alice.id)
    await story.store.create_extension(alice.account_id, "1002", bob.id)
    await story.open()

    call = await story.place(alice, "1002")
    rung = [await phone.next_call() for phone in (office, mobile)]
    for one in rung:
        await one.wait_ringing()
    (near,) = desk.calls
    await near.wait_tone(RINGBACK)
    assert near.heard(700) == 0
    answered_at = await rung[0].answer()  # in the middle of the two seconds that the ringback sounds
    await near.wait_tone(700, since=answered_at)
    await rung[0].wait_tone(1000, since=answered_at)
    await rung[0].hang_up()
    record = await story.ended(call)

    assert rung[1].cancelled
    assert rung[1].reasons == ANSWERED_ELSEWHERE
    assert near.display == ("Bob", "1002")
    assert {one.display for one in rung} == {("Alice", "1001")}
    assert story.town.carrier.calls == []
    assert record["direction"] == "internal"
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered", "b2": "answered_elsewhere"}


async def test_the_ringback_ends_with_the_answer_of_a_colleague_who_sends_no_sound(story: Story) -> None:
    # Sound from the far end would interrupt the ringback by itself (Asterisk 22.10.1).
    desk = await story.phone(ANSWERS_SOON)
    office, mobile = await story.phone(Script(ring_after=0.02, media=False)), await story.phone(RINGS)
    alice, bob = await story.user(desk), await story.user(office, mobile, name="Bob")
    await story.store.create_extension(alice.account_id, "1002", bob.id)
    await story.open()

    call = await story.place(alice, "1002")
    far = await office.next_call()
    await far.wait_ringing()
    (near,) = desk.calls
    await near.wait_tone(RINGBACK)
    heard_at = near.phone.now()
    await far.answer()
    await call.reached("talking")
    await until(lambda: near.phone.now() > heard_at + 2.2, "more time than one ring takes")
    assert near.heard(RINGBACK) < 1.8  # of the two seconds of a whole ring
    await far.hang_up()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered", "b2": "answered_elsewhere"}


async def test_an_extension_with_one_device_is_heard_and_hears_too(story: Story) -> None:
    desk = await story.phone(Script(ring_after=0.02, answer_after=0.1, tone_hz=1000))
    office = await story.phone(Script(ring_after=0.02, tone_hz=700))
    alice, bob = await story.user(desk), await story.user(office, name="Bob")
    await story.store.create_extension(alice.account_id, "1002", bob.id)
    await story.open()

    call = await story.place(alice, "1002")
    far = await office.next_call()
    await far.wait_ringing()
    (near,) = desk.calls
    await near.wait_tone(RINGBACK)
    answered_at = await far.answer()
    await near.wait_tone(700, since=answered_at)
    await far.wait_tone(1000, since=answered_at)
    await near.hang_up()
    record = await story.ended(call)

    assert far.reasons == ["Q.850;cause=16"]
    assert ending(record) == COMPLETED_BY_USER
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}


async def test_when_all_devices_of_the_colleague_reject_the_user_hears_it(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    rejects = Script(ring_after=0.02, reject=603, reject_after=0.2)
    office, mobile = await story.phone(rejects), await story.phone(rejects)
    alice, bob = await story.user(desk), await story.user(office, mobile, name="Bob")
    await story.store.create_extension(alice.account_id, "1002", bob.id)
    await story.open()

    record = await story.ended(await story.place(alice, "1002"))

    (near,) = desk.calls
    await hears(near, US_BUSY)
    assert near.reasons == ["Q.850;cause=21"]
    assert [call.final_status for phone in (office, mobile) for call in phone.calls] == [603, 603]
    assert ending(record) == Ending("busy", "rejected", "destination_rejected", "destination", "destination", 21, 603)
    assert outcomes(record) == {"a1": "answered", "b1": "rejected", "b2": "rejected"}


async def test_a_colleague_who_does_not_want_to_be_disturbed_is_busy_and_nobody_rings(story: Story) -> None:
    desk, office = await story.phone(ANSWERS_SOON), await story.phone(RINGS)
    alice, bob = await story.user(desk), await story.user(office, name="Bob")
    await story.store.create_extension(alice.account_id, "1002", bob.id)
    await story.store.set_do_not_disturb(alice.account_id, bob.id, True)
    await story.open()

    record = await story.ended(await story.place(alice, "1002"), within=1.0)

    assert desk.calls == office.calls == []
    found = ending(record)
    assert (found.status, found.outcome, found.reason) == ("busy", "busy", "destination_busy")
    assert found.failed_leg == "destination"
    assert outcomes(record)["b1"] == "busy"


async def test_a_user_who_does_not_want_to_be_disturbed_may_still_call(story: Story) -> None:
    desk, office = await story.phone(ANSWERS_SOON), await story.phone(Script(answer_after=0.1, hang_up_after=0.2))
    alice, bob = await story.user(desk), await story.user(office, name="Bob")
    await story.store.create_extension(alice.account_id, "1002", bob.id)
    await story.store.set_do_not_disturb(alice.account_id, alice.id, True)
    await story.open()

    record = await story.ended(await story.place(alice, "1002"))

    assert len(desk.calls) == len(office.calls) == 1
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}
