"""Who of the user's devices answers, who does not, and what each of them sees of it."""

import pytest

from c2c_stasis.lab.call import EndedBy
from c2c_stasis.lab.phone import RINGS, Phone, Script
from tests.live.client import COMPLETED_BY_DESTINATION, Ending, ending, leg, outcomes
from tests.live.story import ANSWERED_ELSEWHERE, ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live


async def test_of_two_devices_one_wins_and_the_other_is_told_that_the_call_was_answered_elsewhere(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    call = await story.place(alice, number)
    await story.answered(call, desk)
    record = await story.ended(call)

    (won,), (lost,), (reached,) = desk.calls, mobile.calls, story.dialled(number)
    assert [won.final_status, lost.cancelled, lost.final_status] == [200, True, 487]
    assert lost.reasons == ANSWERED_ELSEWHERE
    assert lost.ended_by is EndedBy.PEER
    assert won.answered_at is not None
    assert won.answered_at < reached.invite.at
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}
    assert leg(record, "a1")["device"] == desk.name


async def test_when_nobody_answers_the_carrier_never_sees_an_invite(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    await story.open(ring_timeout=1.0)

    record = await story.ended(await story.place(alice, number))

    for phone in (desk, mobile):
        (call,) = phone.calls
        assert call.cancelled
        assert call.reasons == ["Q.850;cause=19"]
        assert call.ending is not None
        assert 0.8 < call.ending.at - call.invite.at < 4
    assert story.dialled(number) == []
    assert ending(record) == Ending("no-answer", "no_answer", "user_no_answer", "user", "system", 19)
    assert outcomes(record) == {"a1": "no_answer", "a2": "no_answer", "b1": "cancelled"}


async def test_when_all_devices_reject_it_is_over_at_once(story: Story) -> None:
    desk = await story.phone(Script(ring_after=0.02, reject=603, reject_after=0.1))
    mobile = await story.phone(Script(ring_after=0.02, reject=486, reject_after=0.15))
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    assert [call.final_status for phone in (desk, mobile) for call in phone.calls] == [603, 486]
    assert story.dialled(number) == []
    assert ending(record) == Ending("no-answer", "rejected", "user_rejected", "user", "user", 21, 603)
    assert outcomes(record) == {"a1": "rejected", "a2": "busy", "b1": "cancelled"}
    assert record["timings"]["ended_ms"] < 1000


async def test_without_a_registered_device_it_is_over_within_a_second(story: Story) -> None:
    alice = await story.user(story.absent_device(), story.absent_device())
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    call = await story.place(alice, number)
    record = await story.ended(call, within=1.0)

    assert story.dialled(number) == []
    assert ending(record) == Ending("failed", "failed", "no_device", "user", "system", None)
    assert outcomes(record)["a1"] == outcomes(record)["a2"] == "unreachable"
    assert record["timings"]["ended_ms"] < 1000


async def test_a_device_that_went_away_is_known_to_be_gone(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()
    await desk.unregister()

    record = await story.ended(await story.place(alice, number))

    assert desk.calls == []
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "unreachable", "a2": "answered", "b1": "answered"}


async def test_a_device_without_power_does_not_keep_the_other_from_answering(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()
    desk.die()

    record = await story.ended(await story.place(alice, number))

    (silent,), (won,), (reached,) = desk.calls, mobile.calls, story.dialled(number)
    assert silent.answered_at is None
    assert won.answered_at is not None
    assert won.answered_at - won.invite.at < 1
    assert reached.invite.at - won.answered_at < 1
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered_elsewhere", "a2": "answered", "b1": "answered"}


async def test_a_device_registered_in_two_places_rings_in_both(story: Story) -> None:
    here = await story.phone(RINGS)
    there = await story.phone(RINGS, device=here.name)
    alice = await story.user(here)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    call = await story.place(alice, number)
    await story.answered(call, here)
    record = await story.ended(call)

    (won,), (lost,) = here.calls, there.calls
    assert won.final_status == 200
    assert lost.rang_at is not None
    assert lost.cancelled
    assert lost.reasons == ANSWERED_ELSEWHERE
    assert len(story.dialled(number)) == 1
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert sorted(outcomes(record).values(), key=str) == ["answered", "answered", "answered_elsewhere"]
    assert {one["device"] for one in record["legs"]} == {here.name, None}
    assert {one["contact"] for one in record["legs"]} == {here.uri, there.uri, None}


async def test_a_redirect_by_a_device_is_not_followed(story: Story) -> None:
    stranger = await story.stranger()
    desk = await story.phone(Script(ring_after=0.02, redirect_to=stranger.uri, reject_after=0.1))
    mobile = await story.phone(Script(ring_after=0.02, answer_after=0.4))
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    assert [call.final_status for call in desk.calls] == [302]
    assert invites(stranger) == 0
    assert len(story.dialled(number)) == 1
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "rejected", "a2": "answered", "b1": "answered"}
    assert leg(record, "a1")["sip_code"] == 302


async def test_a_redirect_by_the_only_device_ends_the_call(story: Story) -> None:
    stranger = await story.stranger()
    desk = await story.phone(Script(ring_after=0.02, redirect_to=stranger.uri, reject_after=0.1))
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    assert invites(stranger) == 0
    assert story.dialled(number) == []
    assert ending(record) == Ending("no-answer", "rejected", "user_rejected", "user", "user", 23, 302)
    assert outcomes(record) == {"a1": "rejected", "b1": "cancelled"}


def invites(phone: Phone) -> int:
    """How many INVITEs a phone has seen."""
    return sum(message.method == "INVITE" for message in phone.messages)
