"""Asterisk refuses, forgets or keeps us waiting; nobody at a phone is left ringing, or in silence, because of it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from c2c_stasis.lab.phone import RINGS, Script
from tests.live.client import CANCELLED_BY_API, COMPLETED_BY_DESTINATION, ending, leg, outcomes
from tests.live.meddler import Asked, Meddler, Meddling
from tests.live.story import ANSWERED_ELSEWHERE, ANSWERS_SOON, Story

pytestmark = pytest.mark.live


@pytest_asyncio.fixture(loop_scope="session")
async def meddler(story: Story) -> AsyncIterator[Meddler]:
    meddler = await Meddler.start(story.town.asterisk.http_url)
    yield meddler
    await story.until_asterisk_is_empty()  # the last request of a call comes after its end is told
    await meddler.stop()


def first_of(wanted: Callable[[Asked], bool], meddling: Meddling) -> Callable[[Asked], Meddling | None]:
    """Meddle with the first request of a kind and let all others pass."""
    done: list[Asked] = []

    def meddle(asked: Asked) -> Meddling | None:
        if done or not wanted(asked):
            return None
        done.append(asked)
        return meddling

    return meddle


def hangs_up(name: str) -> Callable[[Asked], bool]:
    return lambda asked: asked.method == "DELETE" and asked.path.endswith(f".{name}")


def joins(name: str) -> Callable[[Asked], bool]:
    return lambda asked: asked.path.endswith("/addChannel") and str(asked.body["channel"]).endswith(f".{name}")


async def test_a_phone_whose_hang_up_asterisk_refused_stops_ringing_while_the_others_talk(
    story: Story, meddler: Meddler
) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(Script(ring_after=0.02, answer_after=0.1, tone_hz=700))
    meddler.meddle = first_of(hangs_up("a2"), Meddling(503))
    await story.open(ari_url=meddler.url)

    call = await story.place(alice, number)
    await story.answered(call, desk)
    far = await story.dialled_call(number)
    (near,) = desk.calls
    await near.wait_tone(700)
    (lost,) = mobile.calls
    assert not lost.cancelled
    await lost.wait_ended()
    assert lost.reasons == ANSWERED_ELSEWHERE
    assert near.ended_at is None
    first, second = (asked.at for asked in meddler.asked if hangs_up("a2")(asked))
    assert 2.9 < second - first < 4.5
    await far.hang_up()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}


async def test_a_user_whom_asterisk_forgot_to_put_into_the_bridge_hears_the_destination(
    story: Story, meddler: Meddler
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.02, answer_after=0.3, tone_hz=700))
    meddler.meddle = first_of(joins("a1"), Meddling(204))
    await story.open(ari_url=meddler.url)

    call = await story.place(alice, number)
    far = await story.dialled_call(number)
    (near,) = desk.calls
    await near.wait_tone(700)
    first, second = (asked.at for asked in meddler.asked if joins("a1")(asked))
    assert 0.9 < second - first < 2.5
    await far.hang_up()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}


async def test_a_leg_that_is_put_into_the_bridge_twice_stays_there(story: Story, meddler: Meddler) -> None:
    """What a repeated request does when the first was carried out and only its report came late."""
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.02, answer_after=0.1, tone_hz=700))
    await story.open(ari_url=meddler.url)

    call = await story.place(alice, number)
    far = await story.dialled_call(number)
    (near,) = desk.calls
    await near.wait_tone(700)
    channel = f"{(await call.record())['id']}.a1"
    await story.put_into_bridge(channel)
    again = asyncio.get_running_loop().time()
    await near.wait_tone(700, since=again)
    assert near.ended_at is None
    await far.hang_up()

    assert ending(await story.ended(call)) == COMPLETED_BY_DESTINATION


async def test_a_request_that_hangs_keeps_no_other_phone_ringing_after_a_delete(story: Story, meddler: Meddler) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(RINGS)
    meddler.meddle = first_of(joins("a1"), Meddling(204, after=2.5))
    await story.open(ari_url=meddler.url)

    call = await story.place(alice, number)
    far = await story.dialled_call(number)
    await far.wait_ringing()
    asked_at = asyncio.get_running_loop().time()
    await call.cancel()
    await far.wait_ended()
    assert asyncio.get_running_loop().time() - asked_at < 0.5
    (near,) = desk.calls
    await near.wait_ended()
    assert asyncio.get_running_loop().time() - asked_at < 1.5
    record = await story.ended(call)

    assert far.cancelled
    assert ending(record) == CANCELLED_BY_API
    assert outcomes(record) == {"a1": "answered", "b1": "cancelled"}


async def test_a_leg_has_the_status_that_its_far_end_sent_and_no_other(story: Story) -> None:
    """Asterisk reports one for each leg that it hangs up itself, made from the cause: 403, 500, 603."""
    desk, mobile = await story.phone(ANSWERS_SOON), await story.phone(RINGS)
    busy = await story.phone(Script(ring_after=0.02, reject=486, reject_after=0.05))
    alice = await story.user(desk, mobile, busy)
    number = story.destination(Script(ring_after=0.02, reject=603, reject_after=0.1))
    await story.open()

    record = await story.ended(await story.place(alice, number))

    assert [one.calls[0].final_status for one in (desk, mobile, busy)] == [200, 487, 486]
    assert [call.final_status for call in story.dialled(number)] == [603]
    assert {name: leg(record, name)["sip_code"] for name in ("a1", "a2", "a3", "b1")} == {
        "a1": None,
        "a2": None,  # 487 is its answer to our CANCEL
        "a3": 486,
        "b1": 603,
    }


async def test_phones_that_nobody_answered_and_a_carrier_that_was_never_dialled_have_no_status(story: Story) -> None:
    desk = await story.phone(RINGS)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    await story.open(ring_timeout=1.0)

    record = await story.ended(await story.place(alice, number))

    assert story.dialled(number) == []
    assert [(leg(record, name)["hangup_cause"], leg(record, name)["sip_code"]) for name in ("a1", "b1")] == [
        (19, None),
        (19, None),
    ]
