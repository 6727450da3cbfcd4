"""Two things happen at the same moment; one of them counts."""

import pytest

from c2c_stasis.lab.call import EndedBy
from c2c_stasis.lab.phone import RINGS, PhoneCall, Script, answer_together
from tests.live.client import COMPLETED_BY_DESTINATION, Ending, PlacedCall, ending, leg, outcomes
from tests.live.story import ANSWERED_ELSEWHERE, ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live

TRIALS = 50
MOST_TRIALS = 200  # those in which this machine paused between the two answers are no trials
SAME_MOMENT = 0.001  # seconds


async def test_when_two_devices_answer_in_the_same_millisecond_one_wins_fifty_times(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    numbers = [story.destination(Script(answer_after=0.0, hang_up_after=0.02)) for _ in range(MOST_TRIALS)]
    await story.open()

    valid = 0
    wins: dict[str, int] = {desk.name: 0, mobile.name: 0}
    for number in numbers:
        placed = await story.place(alice, number)
        rung = [await desk.next_call(), await mobile.next_call()]
        for one in rung:
            await one.wait_ringing()
        # Each phone is first in every other trial.
        times = answer_together(rung if valid % 2 else rung[::-1])
        winner = await assert_one_winner(story, placed, number, rung)
        wins[winner] += 1
        valid += abs(times[0] - times[1]) <= SAME_MOMENT
        if valid == TRIALS:
            break

    assert valid == TRIALS
    assert len(story.town.carrier.calls) == sum(wins.values())


async def assert_one_winner(story: Story, placed: PlacedCall, number: str, rung: list[PhoneCall]) -> str:
    """Of two devices that answered, one talks and the other gets a BYE; gives the name of the one."""
    record = await placed.ended()
    assert ending(record) == COMPLETED_BY_DESTINATION
    (far,) = story.dialled(number)
    won = {name: leg(record, name)["won"] for name in ("a1", "a2")}
    assert sorted(won.values()) == [False, True]
    winner = next(leg(record, name)["device"] for name, value in won.items() if value)
    assert sorted(str(outcome) for outcome in outcomes(record).values()) == [
        "answered",
        "answered",
        "answered_elsewhere",
    ]
    for call in rung:
        await call.wait_ended()
        assert call.acked_at is not None
        assert call.ended_by is EndedBy.PEER
        assert call.ending is not None
        assert call.ending.method == "BYE"
        if call.phone.name == winner:
            assert call.reasons == ["Q.850;cause=16"]
            assert call.ending.at > far.invite.at
        else:
            assert call.reasons == ANSWERED_ELSEWHERE
    return str(winner)


async def test_the_answer_of_a_loser_that_crosses_its_cancel_gets_a_bye(story: Story) -> None:
    desk, mobile = await story.phone(ANSWERS_SOON), await story.phone(Script(ring_after=0.02, answer_on_cancel=True))
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    (won,), (lost,), (far,) = desk.calls, mobile.calls, story.dialled(number)
    assert methods(lost) == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert lost.cancel is not None
    assert lost.cancel.headers_all("Reason") == ANSWERED_ELSEWHERE
    assert won.final_status == 200
    assert won.acked_at is not None
    assert far.final_status == 200
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}


async def test_the_answer_of_a_destination_that_crosses_its_cancel_gets_a_bye_and_is_no_talk(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.02, answer_on_cancel=True))
    await story.open()

    call = await story.place(alice, number)
    far = await story.dialled_call(number)
    await far.wait_ringing()
    (near,) = desk.calls
    await near.hang_up()
    record = await story.ended(call)

    assert methods(far) == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert ending(record) == Ending("no-answer", "cancelled", "cancelled_by_user", None, "user", 16)
    assert outcomes(record) == {"a1": "answered", "b1": "cancelled"}
    assert record["connected_at"] is None


def methods(call: PhoneCall) -> list[str]:
    """The requests that a phone got in a call, in their order, each once."""
    return list(dict.fromkeys(message.method for message in call.messages if message.method and not message.sent))
