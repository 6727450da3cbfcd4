"""Somebody needs help: through which carriers the call goes, and what those learn who hear of it."""

import asyncio

import pytest

from c2c_stasis.config import Trunk
from c2c_stasis.directory.model import Location, User
from c2c_stasis.lab.phone import RINGS, Script
from tests.live.client import COMPLETED_BY_DESTINATION, Record, ending, outcomes
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually

pytestmark = pytest.mark.live

OFFICE = {"street": "Whitehall", "address_number": "1", "floor": "5", "city": "London", "country": "GB"}
DESK, SWITCHBOARD = "+442079460018", "+442079460019"


async def office(story: Story, user: User) -> Location:
    """Let a user be in London, where a number of its own can be called back."""
    number = await story.store.create_phone_number(user.account_id, SWITCHBOARD, outbound_enabled=False)
    place = await story.store.create_location(user.account_id, "London", OFFICE, primary_number_id=number.id)
    await story.store.update_user(user.account_id, user.id, {"location_id": place.id})
    return place


def emergency_event(events: list[Record]) -> Record:
    """What `call.emergency` told, which comes first."""
    assert events[0]["type"] == "call.emergency"
    told: Record = events[0]["data"]["emergency"]
    return told


@pytest.mark.parametrize(
    "first",
    [
        Script(reject=503, reject_after=0.05),
        Script(reject=404, reject_after=0.05),
        Script(reject=486, reject_after=0.05),
        Script(ring_after=0.02, reject=603, reject_after=0.3),
        Script(progress_after=0.02, reject=480, reject_after=0.3),
    ],
    ids=["503", "no such number", "busy", "declined after 180", "480 after 183"],
)
async def test_whatever_the_first_carrier_says_the_next_one_is_asked(story: Story, first: Script) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    number = story.destination(first, "911")
    second = await story.second_carrier(TALKS_BRIEFLY)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    (first_invite,), (second_invite,) = story.dialled(number), second.calls
    assert first_invite.ended_at is not None
    assert first_invite.ended_at <= second_invite.invite.at
    assert second_invite.dialled == "911"
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert [(leg["trunk"], leg["won"]) for leg in record["legs"]] == [
        (None, True),
        ("carrier", False),
        ("second", True),
    ]


async def test_a_trunk_for_emergency_calls_comes_first_and_a_silent_one_is_given_up(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    second = await story.second_carrier(Script())  # 100, and nothing more
    number, ordinary = story.destination(TALKS_BRIEFLY, "911"), story.destination(TALKS_BRIEFLY)
    story.trunks = (story.trunks[0], Trunk("second", "PJSIP/{number}@second", emergency=True))
    await story.open(attempt_timeout=1.0)

    record = await story.ended(await story.place(alice, number))
    assert [leg["trunk"] for leg in record["legs"]] == [None, "second", "carrier"]
    assert second.calls[0].cancelled
    assert second.calls[0].invite.at < story.dialled(number)[0].invite.at
    assert record["emergency"]["missing"] == ["callback_number", "location"]
    assert ending(record) == COMPLETED_BY_DESTINATION

    await story.ended(await story.place(alice, ordinary))
    assert len(second.calls) == 1


async def test_when_no_carrier_takes_it_the_user_hears_so_and_may_ask_again_at_once(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    number = story.destination(Script(reject=503, reject_after=0.05), "911")
    second = await story.second_carrier(Script(reject=503, reject_after=0.05))
    await story.open()

    call = await story.place(alice, number)
    await call.reached("playing_tone")
    again = await story.place(alice, number)
    assert again.id != call.id
    for one in (call, again):
        assert (await story.ended(one))["reason"] == "congestion"
        story.expected_alarms.append("call.end")
    assert [len(story.dialled(number)), len(second.calls)] == [2, 2]


async def test_the_number_is_one_of_where_the_user_is_and_everybody_learns_where_that_is(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    await story.shows(alice, DESK, "Alice")
    place = await office(story, alice)
    story.destination(TALKS_BRIEFLY, "999")
    await story.open()

    call = await story.place(alice, "9 999")
    record = await story.ended(call)

    (far,) = story.dialled("999")
    assert far.invite.from_.uri.partition("@")[0] == f"sip:{DESK}"
    assert record["emergency"] == {
        "test": False,
        "callback_number": DESK,
        "location": place.id,
        "location_id": place.id,
        "location_name": "London",
        "address": OFFICE,
        "missing": ["emergency_trunk"],
    }
    assert emergency_event(await call.events()) == record["emergency"]
    assert (record["to_number"], ending(record)) == ("999", COMPLETED_BY_DESTINATION)


async def test_the_number_of_the_place_is_shown_by_a_user_who_has_none_and_never_withheld(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    await office(story, alice)
    story.destination(TALKS_BRIEFLY, "112")
    await story.open()

    record = await story.ended(await story.place(alice, "112", anonymous=True, did="no id", colour="red"))

    (far,) = story.dialled("112")
    assert far.invite.from_.uri.partition("@")[0] == f"sip:{SWITCHBOARD}"
    assert (record["from_number"], record["anonymous"]) == (SWITCHBOARD, False)


async def test_a_test_call_takes_the_same_road_and_says_that_nobody_needs_help(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    number = story.destination(TALKS_BRIEFLY, "933")
    await story.open()

    call = await story.place(alice, "9-933")
    record = await story.ended(call)

    assert len(story.dialled(number)) == 1
    assert (record["rule"], record["emergency"]["test"]) == ("emergency", True)
    assert emergency_event(await call.events())["test"] is True


async def test_what_looks_like_an_outside_line_is_an_extension_where_there_is_one(story: Story) -> None:
    desk, far = await story.phone(ANSWERS_SOON), await story.phone(TALKS_BRIEFLY)
    alice, bob = await story.user(desk), await story.user(far, name="Bob")
    await story.store.create_extension(bob.account_id, "9911", bob.id)
    await story.open()

    record = await story.ended(await story.place(alice, "9911"))

    assert len(far.calls) == 1
    assert story.town.carrier.calls == []
    assert (record["direction"], record["emergency"]) == ("internal", None)


async def test_whoever_has_no_phone_gets_no_call_and_it_is_told_all_the_same(story: Story) -> None:
    alice = await story.user(story.absent_device())
    await story.open()

    call = await story.place(alice, "911")
    record = await call.ended()

    assert record["reason"] == "no_device"
    story.expected_alarms = ["call.end"]
    assert emergency_event(await call.events())["missing"] == ["emergency_trunk", "callback_number", "location"]


async def test_all_phones_ring_and_nothing_ends_the_talk_but_those_who_talk(story: Story) -> None:
    quick, slow = await story.phone(ANSWERS_SOON), await story.phone(RINGS)
    alice = await story.user(quick, slow)
    number = story.destination(ANSWERS_SOON, "911")
    await story.open(max_duration=1.0)

    call = await story.place(alice, number, max_duration=5)
    await call.reached("talking")
    await asyncio.sleep(2.0)  # twice as long as other calls may last
    assert (await call.record())["state"] == "talking"
    await story.dialled(number)[0].hang_up()
    record = await story.ended(call)

    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}
    assert ending(record) == COMPLETED_BY_DESTINATION


async def test_a_phone_that_lost_a_packet_and_is_unreachable_for_others_rings_for_help(story: Story) -> None:
    phone = await story.phone(ANSWERS_SOON)
    alice = await story.user(phone)
    number, ordinary = story.destination(TALKS_BRIEFLY, "911"), story.destination(TALKS_BRIEFLY)
    await story.open()
    phone.dead = True
    await story.town.asterisk.cli(f"pjsip qualify {phone.name}")

    async def status() -> str:
        return await story.town.asterisk.cli(f"pjsip show aor {phone.name}")

    await eventually(status, lambda said: "Unavail" in said, "the silence of the phone")
    phone.dead = False
    assert (await story.ended(await story.place(alice, ordinary)))["reason"] == "device_unreachable"

    record = await story.ended(await story.place(alice, number))

    assert outcomes(record) == {"a1": "answered", "b1": "answered"}
    assert ending(record) == COMPLETED_BY_DESTINATION


async def test_a_carrier_that_gives_up_while_the_service_is_dead_is_followed_by_the_next(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(RINGS, "911")
    second = await story.second_carrier(TALKS_BRIEFLY)
    service = await story.open_process()

    call = await story.place(alice, number)
    await call.reached("ringing_destination")
    await call.told("leg.ringing", "leg.ringing")
    (near,), (first,) = desk.calls, story.dialled(number)
    await service.kill()
    await first.reject(503)
    assert near.live
    await story.start_process()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert [(leg["trunk"], leg["won"]) for leg in record["legs"]] == [
        (None, True),
        ("carrier", False),
        ("second", True),
    ]
    assert [one.dialled for one in second.calls] == ["911"]
