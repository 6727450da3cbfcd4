"""The connection between the service and Asterisk is cut and comes back; the call ends right all the same."""

import pytest

from c2c_stasis.lab.phone import RINGS, Script
from tests.live.client import (
    COMPLETED_BY_DESTINATION,
    COMPLETED_BY_USER,
    Ending,
    ending,
    outcomes,
)
from tests.live.story import ANSWERED_ELSEWHERE, ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually

pytestmark = pytest.mark.live


async def test_cut_while_the_devices_ring_and_mended_before_anyone_answers(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    proxy = await story.open_through_proxy()

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    await proxy.cut()
    await story.until_cut_off()
    await proxy.mend()
    await story.until_ready()
    assert all(one.live for one in rung)
    await rung[0].answer()
    record = await story.ended(call)

    assert rung[1].reasons == ANSWERED_ELSEWHERE
    assert len(story.dialled(number)) == 1
    assert [len(phone.calls) for phone in (desk, mobile)] == [1, 1]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}


async def test_a_device_that_answers_while_the_connection_is_cut_is_connected_when_it_is_mended(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    proxy = await story.open_through_proxy()

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    await proxy.cut()
    await story.until_cut_off()
    await rung[0].answer()
    await rung[0].wait_answered()
    assert story.dialled(number) == []
    await proxy.mend()
    record = await story.ended(call)

    assert rung[1].reasons == ANSWERED_ELSEWHERE
    assert len(story.dialled(number)) == 1
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}


async def test_devices_that_all_reject_while_the_connection_is_cut_end_the_call(story: Story) -> None:
    desk = await story.phone(RINGS)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    proxy = await story.open_through_proxy()

    call = await story.place(alice, number)
    rung = await desk.next_call()
    await call.told("leg.ringing")
    await proxy.cut()
    await story.until_cut_off()
    await rung.reject()
    await proxy.mend()
    record = await story.ended(call)

    assert story.dialled(number) == []
    found = ending(record)
    assert (found.status, found.outcome, found.failed_leg) == ("no-answer", "no_answer", "user")
    assert outcomes(record) == {"a1": "no_answer", "b1": "cancelled"}  # how it ended was said while nobody could hear


async def test_a_destination_that_answers_while_the_connection_is_cut_is_talked_to(story: Story) -> None:
    desk = await story.phone(Script(ring_after=0.02, answer_after=0.1, tone_hz=1000))
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.02, tone_hz=700))
    proxy = await story.open_through_proxy()

    call = await story.place(alice, number)
    far = await story.dialled_call(number)
    await call.reached("ringing_destination")
    await proxy.cut()
    await story.until_cut_off()
    answered_at = await far.answer()
    (near,) = desk.calls
    await near.wait_tone(700, since=answered_at)
    await far.wait_tone(1000, since=answered_at)
    await proxy.mend()
    await call.reached("talking")
    await far.hang_up()
    record = await story.ended(call)

    assert near.reasons == ["Q.850;cause=16"]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}


async def test_cut_while_they_talk_the_talk_goes_on(story: Story) -> None:
    desk = await story.phone(Script(ring_after=0.02, answer_after=0.1, tone_hz=1000))
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.02, answer_after=0.1, tone_hz=700))
    proxy = await story.open_through_proxy()

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    await proxy.cut()
    await story.until_cut_off()
    cut_at = near.phone.now()
    await near.wait_tone(700, since=cut_at)
    await far.wait_tone(1000, since=cut_at)
    await proxy.mend()
    await story.until_ready()
    mended_at = near.phone.now()
    await near.wait_tone(700, since=mended_at)
    await near.hang_up()
    record = await story.ended(call)

    assert far.reasons == ["Q.850;cause=16"]
    assert ending(record) == COMPLETED_BY_USER
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}


async def test_a_far_end_that_hangs_up_while_the_connection_is_cut_ends_the_call_when_it_is_mended(
    story: Story,
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    proxy = await story.open_through_proxy()

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    await proxy.cut()
    await story.until_cut_off()
    await far.hang_up()
    assert near.live
    await proxy.mend()
    record = await story.ended(call)

    assert near.reasons == ["Q.850;cause=16"]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}


async def test_while_the_connection_is_cut_no_call_is_accepted_and_a_delete_is_kept_for_later(story: Story) -> None:
    desk, office = await story.phone(RINGS), await story.phone(RINGS)
    alice, bob = await story.user(desk), await story.user(office, name="Bob")
    number = story.destination(TALKS_BRIEFLY)
    proxy = await story.open_through_proxy()

    call = await story.place(alice, number)
    rung = await desk.next_call()
    await call.told("leg.ringing")
    await proxy.cut()
    await story.until_cut_off()
    body = {"user_id": bob.id, "dial_string": number}
    status, _, _ = await story.client.ask("POST", "/v1/calls", bob.account_id, json=body)
    await call.cancel()
    await proxy.mend()
    record = await story.ended(call)

    assert rung.reasons == ["Q.850;cause=16"]
    assert status == 503
    assert office.calls == []
    assert ending(record) == Ending("no-answer", "cancelled", "cancelled_by_api", None, "api", 16)
    assert outcomes(record) == {"a1": "cancelled", "b1": "cancelled"}


async def test_what_is_left_of_ended_calls_is_released_at_the_next_connect_and_nothing_of_strangers(
    story: Story,
) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    number = story.destination(TALKS_BRIEFLY)
    proxy = await story.open_through_proxy()

    call = await story.place(alice, number)
    await story.ended(call)
    await story.until_asterisk_is_empty()
    leftover, stranger = f"{call.id}.a9", "somebody-else.a1"
    await story.make_channel(stranger)
    await eventually(story.stasis_ids, lambda ids: stranger in ids, "the stranger's channel to be in its application")
    await story.make_channel(leftover)
    await proxy.cut()
    await story.until_cut_off()
    await proxy.mend()
    await story.until_ready()

    left = await eventually(story.channel_ids, lambda ids: leftover not in ids, "the leftover to be released")
    assert left == {stranger}
    await story.end_channel(stranger)
