"""Two carriers: when the second is asked for a destination, when it never is, and what each learns of who calls."""

import pytest

from c2c_stasis.config import RouteRule, Trunk, Words
from c2c_stasis.lab.phone import Phone, PhoneCall, Script
from tests.live.client import COMPLETED_BY_DESTINATION, Ending, ending, outcomes
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live

CONGESTED = Script(reject=503, reject_after=0.05)
TRIES = Script()  # 100, and nothing more

SHOWN, NAME = "+12025550142", "Bakery"
ANONYMOUS_URI = "sip:anonymous@anonymous.invalid"


def identity(call: PhoneCall) -> tuple[str, str, list[str], list[str]]:
    """Who calls, as the INVITE says: From's name and address, P-Asserted-Identity, Privacy."""
    invite = call.invite
    return invite.from_.name, invite.from_.uri, invite.headers_all("P-Asserted-Identity"), invite.headers_all("Privacy")


def asserted(phone: Phone) -> str:
    """The assertion that names our number, towards this carrier."""
    return f'"{NAME}" <sip:{SHOWN}@{phone.address[0]}>'


# --- the second is asked ---


@pytest.mark.parametrize("status", [503, 500, 408, 403])
async def test_a_trunk_that_fails_before_anything_rang_is_followed_by_the_next(story: Story, status: int) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(TALKS_BRIEFLY)
    number = story.destination(Script(reject=status, reject_after=0.05))
    await story.open()

    record = await story.ended(await story.place(alice, number))

    (first_invite,), (second_invite,) = story.dialled(number), second.calls
    assert second_invite.dialled == number
    assert first_invite.ended_at is not None
    assert first_invite.ended_at <= second_invite.invite.at
    assert ending(record) == COMPLETED_BY_DESTINATION
    b1, b2 = (leg for leg in record["legs"] if leg["side"] == "b")
    assert (b1["trunk"], b1["sip_code"], b1["ringing_at"]) == ("carrier", status, None)
    assert (b2["trunk"], b2["won"]) == ("second", True)


async def test_a_trunk_that_only_says_trying_is_given_up(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(TALKS_BRIEFLY)
    number = story.destination(TRIES)
    await story.open(attempt_timeout=1.0)

    record = await story.ended(await story.place(alice, number))

    (first_invite,), (second_invite,) = story.dialled(number), second.calls
    assert first_invite.cancelled
    assert 0.9 < second_invite.invite.at - first_invite.invite.at < 10
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "unreachable", "b2": "answered"}


async def test_a_trunk_that_replies_to_nothing_is_given_up_long_before_sip_does(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(Script(silent=True))
    number = story.destination(TALKS_BRIEFLY)
    story.trunks = story.trunks[::-1]
    await story.open(attempt_timeout=1.0)

    call = await story.place(alice, number)
    record = await call.ended()

    (first_invite,), (second_invite,) = second.calls, story.dialled(number)
    assert 0.9 < second_invite.invite.at - first_invite.invite.at < 10
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "unreachable", "b2": "answered"}
    second.dead = True  # who replied to nothing cannot be told of the end either


async def test_a_trunk_that_asterisk_does_not_know_is_followed_by_the_next_before_the_user_has_answered(
    story: Story,
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    story.trunks = (Trunk("nowhere", "PJSIP/{number}@nowhere"), *story.trunks)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    assert len(story.dialled(number)) == 1
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert [leg["trunk"] for leg in record["legs"]] == [None, "nowhere", "carrier"]


async def test_when_both_fail_the_last_one_tells_why(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(CONGESTED)
    number = story.destination(Script(reject=500, reject_after=0.05))
    await story.open()

    record = await story.ended(await story.place(alice, number))

    assert [len(story.dialled(number)), len(second.calls)] == [1, 1]
    assert ending(record) == Ending("failed", "failed", "congestion", "destination", "destination", 34, 503)
    assert [leg["sip_code"] for leg in record["legs"]] == [None, 500, 503]


async def test_a_route_says_which_carrier_is_asked_first(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(CONGESTED)
    number = story.destination(TALKS_BRIEFLY)
    story.routes = (
        RouteRule(Words(("carrier",)), Words(("international",))),
        RouteRule(Words(("second", "carrier")), Words(("+44", "national"))),
    )
    await story.open()

    record = await story.ended(await story.place(alice, number))

    (first_invite,), (second_invite,) = second.calls, story.dialled(number)
    assert first_invite.invite.at < second_invite.invite.at
    assert ending(record) == COMPLETED_BY_DESTINATION


# --- the second is not asked ---


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script(reject=486, reject_after=0.05), "destination_busy"),
        (Script(reject=603, reject_after=0.05), "destination_rejected"),
        (Script(reject=404, reject_after=0.05), "invalid_number"),
        (Script(ring_after=0.02, reject=503, reject_after=0.3), "congestion"),
        (Script(progress_after=0.02, reject=503, reject_after=0.3), "congestion"),
    ],
    ids=["busy", "declined", "no such number", "503 after 180", "503 after 183"],
)
async def test_a_destination_that_was_reached_is_not_called_again(story: Story, script: Script, reason: str) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(TALKS_BRIEFLY)
    number = story.destination(script)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    assert [len(story.dialled(number)), len(second.calls)] == [1, 0]
    assert (record["reason"], [leg["trunk"] for leg in record["legs"]]) == (reason, [None, "carrier"])


async def test_a_user_who_hangs_up_while_the_first_is_silent_is_not_connected_through_the_second(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(TALKS_BRIEFLY)
    number = story.destination(TRIES)
    await story.open(attempt_timeout=3.0)

    call = await story.place(alice, number)
    first_invite = await story.dialled_call(number)
    await desk.calls[0].hang_up()
    record = await story.ended(call)

    assert (first_invite.cancelled, second.calls) == (True, [])
    assert record["reason"] == "cancelled_by_user"


async def test_a_user_who_hangs_up_while_the_second_rings_is_let_go_there(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(Script(ring_after=0.02))
    number = story.destination(CONGESTED)
    await story.open()

    call = await story.place(alice, number)
    await second.wait_for(lambda: bool(second.calls), "an INVITE")
    await call.reached("ringing_destination")
    await desk.calls[0].hang_up()
    record = await story.ended(call)

    assert second.calls[0].cancelled
    assert outcomes(record) == {"a1": "answered", "b1": "unreachable", "b2": "cancelled"}
    assert record["reason"] == "cancelled_by_user"


async def test_all_attempts_together_have_the_time_to_answer(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(Script(ring_after=0.02))
    number = story.destination(TRIES)
    await story.open(attempt_timeout=1.0, answer_timeout=2.5)

    record = await story.ended(await story.place(alice, number))

    (near,), (far,) = desk.calls, second.calls
    assert near.answered_at is not None
    assert far.ending is not None
    assert 2.4 < far.ending.at - near.answered_at < 10
    assert far.ending.at - far.invite.at < far.ending.at - near.answered_at - 0.9
    assert record["reason"] == "destination_no_answer"


# --- who calls ---


async def test_a_carrier_is_told_the_number_and_asserted_it_and_a_phone_is_only_shown_it(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    await story.shows(alice, SHOWN, NAME)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    carrier = story.town.carrier
    (far,), (near,) = story.dialled(number), desk.calls
    name, uri, pai, privacy = identity(far)
    assert (name, uri.partition("@")[0], pai, privacy) == (NAME, f"sip:{SHOWN}", [asserted(carrier)], [])
    assert identity(near)[2:] == ([], [])
    assert (record["from_number"], record["anonymous"]) == (SHOWN, False)


@pytest.mark.parametrize("marked", [True, False])
async def test_an_anonymous_call_is_asserted_to_a_trusted_carrier_alone(story: Story, marked: bool) -> None:
    """Asterisk itself would tell this carrier (`trust_id_outbound`); the mark in our configuration decides."""
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    await story.shows(alice, SHOWN, NAME)
    number = story.destination(TALKS_BRIEFLY)
    story.trunks = (Trunk("carrier", "PJSIP/{number}@carrier", trusted=marked),)
    await story.open()

    record = await story.ended(await story.place(alice, number, anonymous=True))

    carrier = story.town.carrier
    (far,) = story.dialled(number)
    name, uri, pai, privacy = identity(far)
    assert (name, uri, privacy) == ("Anonymous", ANONYMOUS_URI, ["id"])
    assert pai == [asserted(carrier) if marked else f"<sip:anonymous@{carrier.address[0]}>"]
    assert (SHOWN.encode() in far.invite.encode()) is marked
    assert identity(desk.calls[0])[2:] == ([], [])
    assert record["anonymous"] is True


async def test_the_number_that_a_trusted_carrier_was_told_does_not_reach_the_next(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    await story.shows(alice, SHOWN, NAME)
    second = await story.second_carrier(TALKS_BRIEFLY)
    number = story.destination(CONGESTED)
    story.trunks = (Trunk("carrier", "PJSIP/{number}@carrier", trusted=True), story.trunks[1])
    await story.open()

    record = await story.ended(await story.place(alice, number, anonymous=True))

    (first_invite,), (second_invite,) = story.dialled(number), second.calls
    assert identity(first_invite) == ("Anonymous", ANONYMOUS_URI, [asserted(story.town.carrier)], ["id"])
    assert identity(second_invite) == ("Anonymous", ANONYMOUS_URI, [], [])
    assert ending(record) == COMPLETED_BY_DESTINATION


async def test_a_colleague_sees_nobody_behind_an_anonymous_call(story: Story) -> None:
    desk, far_desk = await story.phone(ANSWERS_SOON), await story.phone(TALKS_BRIEFLY)
    alice = await story.user(desk)
    bob = await story.user(far_desk, name="Bob")
    await story.store.create_extension(alice.account_id, "1001", alice.id)
    await story.store.create_extension(alice.account_id, "1002", bob.id)
    await story.open()

    record = await story.ended(await story.place(alice, "1002", anonymous=True))

    assert identity(far_desk.calls[0]) == ("Anonymous", ANONYMOUS_URI, [], [])
    assert ending(record) == COMPLETED_BY_DESTINATION
