"""What the user hears until the destination answers, and what it means when it does not."""

import pytest

from c2c_stasis.lab.call import EndedBy
from c2c_stasis.lab.phone import Script
from c2c_stasis.lab.tones import UK_BUSY, UK_RINGBACK, US_BUSY, US_CONGESTION, US_RINGBACK, TonePattern
from tests.live.client import COMPLETED_BY_DESTINATION, Ending, ending, outcomes
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, TONE_SECONDS, Story, hears

pytestmark = pytest.mark.live

IN_REGION = {"US": "+12025550123", "GB": "+442079460018"}


@pytest.mark.parametrize(("region", "ringback"), [("US", US_RINGBACK), ("GB", UK_RINGBACK)], ids=["US", "GB"])
async def test_while_the_destination_rings_the_user_hears_the_ringback_of_the_account_s_region(
    story: Story, region: str, ringback: TonePattern
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, account=await story.account(region=region))
    number = story.destination(Script(ring_after=0.02, tone_hz=700), IN_REGION[region])
    await story.open()

    call = await story.place(alice, number)
    far = await story.dialled_call(number)
    (near,) = desk.calls
    await hears(near, ringback)
    answered_at = await far.answer()
    await near.wait_tone(700, since=answered_at)
    await far.hang_up()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}
    assert "leg.ringing" in [
        event["type"] for event in await call.events() if event["data"].get("leg", {}).get("side") == "b"
    ]


async def test_the_user_hears_the_early_media_of_the_carrier(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(progress_after=0.05, early_tone_hz=620, tone_hz=700))
    await story.open()

    call = await story.place(alice, number)
    far = await story.dialled_call(number)
    (near,) = desk.calls
    await near.wait_tone(620)
    assert far.answered_at is None
    assert near.heard((440, 480)) == 0
    await far.answer()
    await near.wait_tone(700)
    await far.hang_up()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}
    assert "leg.progress" in [event["type"] for event in await call.events()]


@pytest.mark.parametrize(
    ("status", "region", "expected", "outcome", "tone"),
    [
        (486, "US", Ending("busy", "busy", "destination_busy", "destination", "destination", 17, 486), "busy", US_BUSY),
        (486, "GB", Ending("busy", "busy", "destination_busy", "destination", "destination", 17, 486), "busy", UK_BUSY),
        (
            603,
            "US",
            Ending("busy", "rejected", "destination_rejected", "destination", "destination", 21, 603),
            "rejected",
            US_BUSY,
        ),
        (
            404,
            "US",
            Ending("failed", "failed", "invalid_number", "destination", "destination", 1, 404),
            "unreachable",
            US_CONGESTION,
        ),
        (
            503,
            "US",
            Ending("failed", "failed", "congestion", "destination", "destination", 34, 503),
            "unreachable",
            US_CONGESTION,
        ),
    ],
    ids=["busy", "busy in GB", "rejected", "unknown number", "trunk congested"],
)
async def test_a_destination_that_is_not_reached_gives_its_reason_and_a_tone(
    story: Story, status: int, region: str, expected: Ending, outcome: str, tone: TonePattern
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, account=await story.account(region=region))
    rings = 0.02 if status in (486, 603) else None  # a carrier that knows no such number does not say that it rings
    number = story.destination(Script(ring_after=rings, reject=status, reject_after=0.1), IN_REGION[region])
    await story.open()

    call = await story.place(alice, number)
    record = await story.ended(call)

    (near,), (far,) = desk.calls, story.dialled(number)
    await hears(near, tone)
    assert far.final_status == status
    assert near.ended_by is EndedBy.PEER
    assert near.ending is not None
    assert near.ending.method == "BYE"
    assert near.reasons == [f"Q.850;cause={expected.hangup_cause}"]
    assert far.ended_at is not None
    assert TONE_SECONDS - 0.3 < near.ending.at - far.ended_at < TONE_SECONDS + 3
    assert ending(record) == expected
    assert outcomes(record) == {"a1": "answered", "b1": outcome}


async def test_a_destination_that_never_answers_is_given_up(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.02))
    await story.open(answer_timeout=1.0)

    record = await story.ended(await story.place(alice, number))

    (near,), (far,) = desk.calls, story.dialled(number)
    assert far.cancelled
    assert far.reasons == ["Q.850;cause=19"]
    assert far.ending is not None
    assert 0.8 < far.ending.at - far.invite.at < 4
    await hears(near, US_CONGESTION)
    assert near.ended_by is EndedBy.PEER
    assert near.reasons == ["Q.850;cause=19"]
    assert ending(record) == Ending("no-answer", "no_answer", "destination_no_answer", "destination", "system", 19)
    assert outcomes(record) == {"a1": "answered", "b1": "no_answer"}


async def test_a_redirect_by_the_carrier_is_not_followed(story: Story) -> None:
    stranger = await story.stranger()
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(redirect_to=stranger.uri, reject_after=0.1))
    await story.open()

    record = await story.ended(await story.place(alice, number))

    assert [message.method for message in stranger.messages] == []
    assert len(story.town.carrier.calls) == 1
    assert ending(record) == Ending("failed", "failed", "trunk_failed", "destination", "destination", 23, 302)
    assert outcomes(record) == {"a1": "answered", "b1": "rejected"}


async def test_the_device_shows_the_destination_and_the_carrier_sees_the_account_s_number(story: Story) -> None:
    account = await story.account()
    own = await story.store.create_phone_number(account.id, "+12025550188", caller_id_name="Acme Ltd")
    await story.store.set_account_caller_number(account.id, own.id)
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, account=account)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    (near,), (far,) = desk.calls, story.dialled(number)
    assert near.display.number == number
    assert far.display == ("Acme Ltd", "+12025550188")
    assert "<sip:+12025550188@" in far.invite.require("P-Asserted-Identity")
    assert [record["from_number"], record["from_label"], record["to_number"]] == ["+12025550188", "Acme Ltd", number]
    assert ending(record) == COMPLETED_BY_DESTINATION


async def test_without_a_number_of_its_own_an_account_calls_anonymously(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    (near,), (far,) = desk.calls, story.dialled(number)
    assert near.display.number == number
    assert (far.display.name, far.display.number) == ("Anonymous", "anonymous")
    assert [record["from_number"], record["to_number"]] == [None, number]
    assert ending(record) == COMPLETED_BY_DESTINATION
