"""The service or Asterisk is killed in the middle of a call, and comes back."""

import asyncio
import logging
from dataclasses import replace

import pytest

from c2c_stasis.lab.phone import RINGS, Script
from tests.live.client import COMPLETED_BY_DESTINATION, Ending, ending, outcomes
from tests.live.process import ServiceProcess, as_toml
from tests.live.story import ANSWERED_ELSEWHERE, ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually

pytestmark = pytest.mark.live

logger = logging.getLogger(__name__)

SPEAKS = Script(ring_after=0.02, answer_after=0.1, tone_hz=1000)
SPEAKS_LOWER = Script(ring_after=0.02, answer_after=0.1, tone_hz=700)
BOTH_ANSWERED = {"a1": "answered", "b1": "answered"}


async def test_the_service_is_killed_while_they_talk_and_the_talk_goes_on(story: Story) -> None:
    desk = await story.phone(SPEAKS)
    alice = await story.user(desk)
    number = story.destination(SPEAKS_LOWER)
    service = await story.open_process()

    call = await story.place(alice, number)
    before = await call.reached("talking")
    await call.told("call.answered", "leg.bridged", "leg.bridged")
    (near,), (far,) = desk.calls, story.dialled(number)
    await near.wait_tone(700)
    await far.wait_tone(1000)
    await service.kill()
    killed_at = near.phone.now()
    await near.wait_tone(700, since=killed_at)
    await far.wait_tone(1000, since=killed_at)
    await story.start_process()
    back_at = near.phone.now()
    await near.wait_tone(700, since=back_at)
    await far.wait_tone(1000, since=back_at)
    assert (await call.record())["state"] == "talking"
    await far.hang_up()
    record = await story.ended(call)

    assert near.reasons == ["Q.850;cause=16"]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert not record["ended_at_estimated"]
    assert outcomes(record) == BOTH_ANSWERED
    assert [record[name] for name in ("started_at", "answered_at", "connected_at")] == [
        before[name] for name in ("started_at", "answered_at", "connected_at")
    ]


async def test_a_talk_that_ends_while_the_service_is_dead_is_recorded_when_it_is_back(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    service = await story.open_process()

    call = await story.place(alice, number)
    await call.told("call.answered", "leg.bridged", "leg.bridged")
    (near,), (far,) = desk.calls, story.dialled(number)
    await service.kill()
    await far.hang_up()
    assert near.live  # nobody is there to tell it
    await story.start_process()
    record = await story.ended(call)

    assert near.reasons == ["Q.850;cause=16"]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == BOTH_ANSWERED
    assert record["ended_at_estimated"]
    assert (await call.events())[-1]["data"]["ended_at_estimated"]


async def test_the_service_is_killed_while_the_devices_ring_and_they_do_not_ring_for_ever(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    service = await story.open_process(ring_timeout=1.0)

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    await service.kill()
    for one in rung:
        await one.wait_ended(timeout=15)  # by Asterisk's own timer, five seconds after ours
        assert one.cancelled
        assert one.reasons == ["Q.850;cause=19"]
    await story.start_process()
    record = await story.ended(call)

    assert story.dialled(number) == []
    assert ending(record)._replace(ended_by="", hangup_cause=None) == Ending(
        "no-answer", "no_answer", "user_no_answer", "user", "", None
    )
    assert outcomes(record) == {"a1": "no_answer", "a2": "no_answer", "b1": "cancelled"}


async def test_after_a_planned_stop_devices_ring_until_asterisks_own_timer_and_nothing_of_the_call_is_left(
    story: Story,
) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    service = await story.open_process(ring_timeout=1.0)

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    rang_at = desk.now()
    await service.stop()
    for one in rung:
        await one.wait_ended(timeout=15)
        assert one.cancelled
    rang = desk.now() - rang_at
    unmade = f"{call.id}.b1"  # a destination that nobody will dial
    left = await eventually(  # a phone hears the CANCEL a moment before its channel is gone
        story.town.asterisk.channels, lambda found: {channel["id"] for channel in found} <= {unmade}, "phones let go"
    )
    logger.info("rang for %.1f s after the stop; left: %s", rang, (left, await story.town.asterisk.bridges()))
    assert rang < 1.0 + 5.0 + 1.0
    await story.start_process()
    await story.ended(call)
    assert story.dialled(number) == []


async def test_who_answers_after_a_planned_stop_is_taken_over_by_the_next_start(story: Story) -> None:
    desk = await story.phone(RINGS)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    service = await story.open_process()

    call = await story.place(alice, number)
    rung = await desk.next_call()
    await call.told("leg.ringing")
    await service.stop()
    await rung.answer()
    assert story.dialled(number) == []
    await story.start_process()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION


async def test_under_another_application_name_a_talk_goes_on_and_under_the_old_one_it_is_taken_over(
    story: Story,
) -> None:
    desk = await story.phone(SPEAKS)
    alice = await story.user(desk)
    number = story.destination(SPEAKS_LOWER)
    service = await story.open_process()

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    await near.wait_tone(700)
    await service.stop()
    config = story.config(None)
    service.rewrite(as_toml(replace(config, ari=replace(config.ari, app=f"{config.ari.app}-renamed"))))
    await story.start_process()
    since = near.phone.now()
    await near.wait_tone(700, since=since)
    await far.wait_tone(1000, since=since)
    story.expected_alarms = ["call left alone: its legs are in another Stasis application"]
    assert service.alarms() == story.expected_alarms
    await service.stop()
    service.rewrite(as_toml(config))
    await story.start_process()
    assert (await call.record())["state"] == "talking"
    await far.hang_up()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == BOTH_ANSWERED


async def test_a_second_service_on_the_same_database_is_refused_and_the_talk_goes_on(story: Story) -> None:
    desk = await story.phone(SPEAKS)
    alice = await story.user(desk)
    number = story.destination(SPEAKS_LOWER)
    await story.open_process()

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    config = story.config(None)
    second = ServiceProcess(replace(config, ari=replace(config.ari, app="second")), story.folder / "second")
    with pytest.raises(AssertionError, match="a running service has this database"):
        await second.start()
    assert second.returncode == 69
    since = near.phone.now()
    await near.wait_tone(700, since=since)
    await far.hang_up()
    assert ending(await story.ended(call)) == COMPLETED_BY_DESTINATION


async def test_devices_that_ring_when_the_service_is_back_can_still_be_answered(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    service = await story.open_process()

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    await service.kill()
    await story.start_process()
    await rung[0].answer()
    record = await story.ended(call)

    assert rung[1].reasons == ANSWERED_ELSEWHERE
    assert [len(phone.calls) for phone in (desk, mobile)] == [1, 1]
    assert len(story.dialled(number)) == 1
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}


async def test_a_device_that_answers_while_the_service_is_dead_is_connected_when_it_is_back(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    service = await story.open_process()

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    await service.kill()
    await rung[0].answer()
    await rung[0].wait_answered()
    await story.start_process()
    record = await story.ended(call)

    assert rung[1].reasons == ANSWERED_ELSEWHERE
    assert len(story.dialled(number)) == 1
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}


@pytest.mark.parametrize("moment", [0.0, 0.01, 0.03])
async def test_whenever_the_service_is_killed_the_call_ends_and_the_destination_is_dialled_once_at_most(
    story: Story, moment: float
) -> None:
    desk, mobile = await story.phone(ANSWERS_SOON), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    service = await story.open_process()

    call = await story.place(alice, number)
    await asyncio.sleep(moment)  # the length of this is the story
    await service.kill()
    await story.start_process()
    record = await story.ended(call)

    assert len(story.dialled(number)) <= 1
    assert [len(phone.calls) <= 1 for phone in (desk, mobile)] == [True, True]
    assert record["reason"] in ("normal", "service_restarted")


async def test_asterisk_is_killed_while_they_talk_and_the_record_ends_when_it_is_back(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    await story.open()

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    await story.town.asterisk.kill()
    await story.until_cut_off()
    assert (await call.record())["state"] == "talking"  # until we know better: this may have been the connection alone
    await story.town.restart_asterisk()
    await story.until_ready()
    record = await call.ended()

    assert near.live  # a crash says no goodbye
    assert far.live
    for one in (near, far):
        await one.hang_up()
    assert ending(record) == Ending("completed", "completed", "switch_lost", None, "system", None)
    assert outcomes(record) == BOTH_ANSWERED


async def test_asterisk_is_killed_while_the_devices_ring_and_the_next_call_works(story: Story) -> None:
    desk = await story.phone(RINGS)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    proxy = await story.open_through_proxy()

    lost = await story.place(alice, number)
    rung = await desk.next_call()
    await lost.told("leg.ringing")
    await story.town.asterisk.kill()
    await story.until_cut_off()
    await proxy.cut()
    await story.town.restart_asterisk()
    await rung.reject()
    await desk.register()
    desk.script = ANSWERS_SOON
    await proxy.mend()  # not before: the service shall find the phone there when it connects
    record = await lost.ended()
    await story.until_ready()
    next_record = await story.ended(await story.place(alice, number))

    assert ending(record) == Ending("failed", "failed", "switch_lost", "user", "system", None)
    assert ending(next_record) == COMPLETED_BY_DESTINATION
    assert outcomes(next_record) == BOTH_ANSWERED
