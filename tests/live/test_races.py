"""Two things happen at the same moment; one of them counts. How many times is said in `races.py`."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from bench.measure import quantile

from c2c_stasis.lab.call import CallOver, EndedBy
from c2c_stasis.lab.phone import RINGS, PhoneCall, Script, answer_together
from tests.live.client import (
    COMPLETED_BY_DESTINATION,
    COMPLETED_BY_USER,
    Ending,
    PlacedCall,
    Record,
    ending,
    leg,
    outcomes,
)
from tests.live.races import TOLD, histogram, percentiles, races
from tests.live.story import ANSWERED_ELSEWHERE, Story
from tests.live.waiting import until
from tests.store.samples import rows

pytestmark = [pytest.mark.live, pytest.mark.timeout(3600)]

SAME_MOMENT = 0.001  # seconds
MOST_TRIALS = 4  # for each that is wanted: those in which this machine paused between the two answers are no trials
WIDEST_GAP = 0.0009  # seconds
AROUND = 0.003  # seconds before and after a CANCEL in which somebody answers
TIMER_LATE = 0.001  # seconds by which a timer of the event loop is late, up to
SLOW_WIRE = Script(ring_after=0.0, heed_cancel_after=2 * AROUND)
AS_IT_COMES = Script(ring_after=0.0, answer_on_cancel=True)
LATEST_BYE = 0.1  # seconds from the answer of a loser to its BYE; p99 of the long run
LATEST_CANCEL = 0.05  # seconds from the user's BYE to the CANCEL at the destination; p99 of the long run
CANCELLED_BY_USER = Ending("no-answer", "cancelled", "cancelled_by_user", None, "user", 16)
TALKS_FOR_A_MOMENT = Script(answer_after=0.0, hang_up_after=0.02)


@races("answers")
async def test_when_two_devices_answer_in_the_same_millisecond_one_wins(story: Story, trials: int) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    numbers = [story.destination(TALKS_FOR_A_MOMENT) for _ in range(MOST_TRIALS * trials)]
    chance = random.Random(4711)
    await open_service(story)

    gaps: list[float] = []  # by how much the mobile answered later than the desk phone
    byes: list[float] = []
    winners, first_wins = Counter[str](), 0
    for number in numbers:
        placed = await story.place(alice, number)
        rung = [await desk.next_call(), await mobile.next_call()]
        for one in rung:
            await one.wait_ringing()
        # Each phone is first in every other trial; half of the answers leave back to back.
        order = rung if len(gaps) % 2 else rung[::-1]
        answer_together(order, apart=max(0.0, chance.uniform(-WIDEST_GAP, WIDEST_GAP)))
        winner, loser = await one_wins(story, placed, number, rung)
        gap = answered_at(rung[1]) - answered_at(rung[0])
        if abs(gap) > SAME_MOMENT:
            continue
        gaps.append(gap)
        byes.append(ended_at(loser) - answered_at(loser))
        winners[winner.phone.name] += 1
        first_wins += winner is order[0]
        if len(gaps) == trials:
            break

    say(f"\nanswers: {len(gaps)} calls in which two devices answered within 1 ms")
    say(f"  won: {dict(winners)}; the one that was first won {first_wins} times")
    say("  the second device answered after the first by\n" + histogram(gaps, 0.0002))
    say(percentiles("answer of the loser to its BYE", byes))
    assert len(gaps) == trials
    assert len(story.town.carrier.calls) == len(story.client.placed)
    assert_each_is_one_record(story)
    assert not TOLD or quantile(byes, 0.99) <= LATEST_BYE * 1000


async def one_wins(story: Story, placed: PlacedCall, number: str, rung: list[PhoneCall]) -> tuple[PhoneCall, PhoneCall]:
    """Of two devices that answered, one talks and the other gets a BYE; gives the one and the other."""
    winner, loser = await winner_and_loser(story, placed, number, rung)
    for call in rung:
        assert call.acked_at is not None
        assert call.ended_by is EndedBy.PEER
        assert call.ending is not None
        assert call.ending.method == "BYE"
    return winner, loser


async def winner_and_loser(
    story: Story, placed: PlacedCall, number: str, rung: list[PhoneCall]
) -> tuple[PhoneCall, PhoneCall]:
    """One device talked with the destination until that hung up, and the record says so of no other one."""
    record = await placed.ended()
    for call in rung:
        await over(call)
    (far,) = story.dialled(number)
    won = {name: leg(record, name)["won"] for name in ("a1", "a2")}
    assert sorted(won.values()) == [False, True], record
    name = next(name for name, value in won.items() if value)
    winner, loser = sorted(rung, key=lambda call: call.phone.name != leg(record, name)["device"])
    assert winner.reasons == ["Q.850;cause=16"]
    told = loser.cancel or loser.ending  # the BYE to an answer that crossed a CANCEL tells no reason again
    assert told is not None
    assert told.headers_all("Reason") == ANSWERED_ELSEWHERE
    assert ended_at(winner) > far.invite.at
    assert ending(record) == COMPLETED_BY_DESTINATION
    other = "a2" if name == "a1" else "a1"
    assert outcomes(record) == {name: "answered", other: "answered_elsewhere", "b1": "answered"}
    assert record["endpoint"] == leg(record, name)["endpoint"]
    assert await answered(placed) == ["call.answered", f"leg.answered {name}", "leg.answered b1"]
    await story.until_asterisk_is_empty()
    return winner, loser


@dataclass
class Crossings:
    """What came of answers around a CANCEL."""

    kinds: Counter[str] = field(default_factory=Counter)
    around: list[float] = field(default_factory=list)
    """By how many seconds each answer left after its CANCEL had come, where both happened."""
    byes: list[float] = field(default_factory=list)
    """Seconds from the answer to its BYE."""
    cancels: list[float] = field(default_factory=list)
    """Seconds from what caused a CANCEL to its arrival."""

    def aim(self, trial: int, chance: random.Random) -> tuple[Script, float | None]:
        """What a phone does next, and when it answers, in seconds after what causes its CANCEL; None is with the CANCEL."""
        if trial % 4 == 0 or not self.cancels:
            return AS_IT_COMES, None
        script = RINGS if trial % 4 == 1 else SLOW_WIRE
        expected = quantile(self.cancels, 0.5) / 1000 - TIMER_LATE
        return script, max(0.0, expected + chance.uniform(-AROUND, AROUND))

    def note(self, call: PhoneCall, caused_at: float) -> None:
        """Sort in what a phone saw, each of which was in order."""
        if call.cancel is not None:
            self.cancels.append(call.cancel.at - caused_at)
        if call.answered_at is None:
            assert methods(call) == ["INVITE", "CANCEL", "ACK"], call.ladder()
            assert call.final_status == 487
            self.kinds["cancelled before it answered"] += 1
            return
        self.byes.append(ended_at(call) - call.answered_at)
        assert call.ended_by is EndedBy.PEER
        if call.cancel is None:
            assert methods(call) == ["INVITE", "ACK", "BYE"], call.ladder()
            self.kinds["answered before its CANCEL left"] += 1
            return
        assert methods(call) == ["INVITE", "CANCEL", "ACK", "BYE"], call.ladder()
        self.around.append(call.answered_at - call.cancel.at)
        self.kinds["answered while its CANCEL was under way, or was not heeded yet"] += 1

    def tell(self, title: str) -> None:
        """Say all of that."""
        say(f"\ncrossing: {sum(self.kinds.values())} times {title}")
        for kind, count in sorted(self.kinds.items()):
            say(f"  {count:5} {kind}")
        say("  where both were seen, the 200 left after the CANCEL had come by\n" + histogram(self.around, 0.0005))
        say(percentiles("answer to BYE", self.byes))
        assert not TOLD or quantile(self.byes, 0.99) <= LATEST_BYE * 1000


@races("crossing")
async def test_the_answer_of_a_loser_that_crosses_its_cancel_gets_a_bye(story: Story, trials: int) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    numbers = [story.destination(TALKS_FOR_A_MOMENT) for _ in range(trials)]
    chance, seen = random.Random(815), Crossings()
    await open_service(story)

    for trial, number in enumerate(numbers):
        mobile.script, answer_after = seen.aim(trial, chance)
        placed = await story.place(alice, number)
        rung = [await desk.next_call(), await mobile.next_call()]
        for one in rung:
            await one.wait_ringing()
        caused_at = await rung[0].answer()
        await answer_unless_cancelled(rung[1], answer_after)
        _, loser = await winner_and_loser(story, placed, number, rung)
        seen.note(loser, caused_at)

    seen.tell("a device answered around the CANCEL that the answer of another one caused")
    assert_each_is_one_record(story)


@races("crossing")
async def test_the_answer_of_a_destination_that_crosses_its_cancel_gets_a_bye_and_is_no_talk(
    story: Story, trials: int
) -> None:
    desk = await story.phone(Script(ring_after=0.0, answer_after=0.0))
    alice = await story.user(desk)
    chance, seen = random.Random(99), Crossings()
    talks: list[float] = []  # how long after the user's BYE the destination's 200 left
    await open_service(story)

    for trial in range(trials):
        script, answer_after = seen.aim(trial, chance)
        number = story.destination(script)
        placed = await story.place(alice, number)
        near, far = await desk.next_call(), await story.dialled_call(number)
        await far.wait_ringing()
        hanging_up = asyncio.create_task(near.hang_up())
        await near.wait_ended()
        await answer_unless_cancelled(far, answer_after)
        await hanging_up
        record = await placed.ended()
        await over(far)
        seen.note(far, ended_at(near))
        if await counts_as_talk(placed, record, far):
            talks.append(answered_at(far) - ended_at(near))
        await story.until_asterisk_is_empty()

    seen.tell("a destination answered around the CANCEL that the user's BYE caused")
    after_bye = ", ".join(f"{after * 1000:.1f}" for after in talks) or "none"
    say(f"  {len(talks)} counted as a talk; milliseconds from the BYE to the 200: {after_bye}")
    assert_each_is_one_record(story)


async def counts_as_talk(placed: PlacedCall, record: Record, far: PhoneCall) -> bool:
    """A call that the user left first is cancelled, unless Asterisk took the answer while the user was still in the bridge.

    BYE and 200 come to Asterisk within two milliseconds then, and two of its threads handle them.
    """
    if record["connected_at"] is not None:
        assert far.cancel is None
        assert ending(record) == COMPLETED_BY_USER
        return True
    assert ending(record) == CANCELLED_BY_USER
    assert record["duration_seconds"] == 0
    told = await answered(placed)
    if far.cancel is None and leg(record, "b1")["won"]:  # it answered before its CANCEL, which a BYE did without
        assert outcomes(record) == {"a1": "answered", "b1": "answered"}
        assert told == ["leg.answered a1", "leg.answered b1"]
        return False
    assert outcomes(record) == {"a1": "answered", "b1": "cancelled"}
    assert told == ["leg.answered a1"]
    return False


@races("hang-up")
async def test_when_the_user_hangs_up_while_the_destination_rings_the_carrier_sees_a_cancel(
    story: Story, trials: int
) -> None:
    desk = await story.phone(Script(ring_after=0.0, answer_after=0.0))
    alice = await story.user(desk)
    delays = []
    chance = random.Random(1)
    await open_service(story)

    for _ in range(trials):
        number = story.destination(RINGS)
        placed = await story.place(alice, number)
        near, far = await desk.next_call(), await story.dialled_call(number)
        await far.wait_ringing()
        await asyncio.sleep(chance.uniform(0.0, 0.05))
        await near.hang_up()
        record = await placed.ended()
        await over(far)
        assert methods(far) == ["INVITE", "CANCEL", "ACK"]
        assert far.final_status == 487
        assert far.reasons == ["Q.850;cause=16"]
        delays.append(ended_at(far) - ended_at(near))
        assert delays[-1] > 0
        assert not await counts_as_talk(placed, record, far)
        await story.until_asterisk_is_empty()

    say(f"\nhang-up: {trials} users hung up while the destination rang")
    say(percentiles("BYE of the user to CANCEL at the destination", delays))
    say(histogram(delays, 0.002))
    assert_each_is_one_record(story)
    assert not TOLD or quantile(delays, 0.99) <= LATEST_CANCEL * 1000


async def open_service(story: Story) -> None:
    """Start the service; in a process of its own where its speed is measured."""
    await (story.open_process() if TOLD else story.open())


async def answer_unless_cancelled(call: PhoneCall, after: float | None) -> None:
    """Answer so many seconds from now, if the CANCEL leaves us the time; None leaves it to the script."""
    if after is None:
        return
    await asyncio.sleep(after)
    try:
        await call.answer()
    except CallOver:
        assert call.cancelled


async def answered(placed: PlacedCall) -> list[str]:
    """Which answers the events of a call tell of."""
    told = [(event["type"], event["data"]) for event in await placed.events() if event["type"].endswith(".answered")]
    return sorted(
        type_ if type_.startswith("call.") else f"{type_} {data['leg']['id'].rpartition('.')[2]}"
        for type_, data in told
    )


def assert_each_is_one_record(story: Story) -> None:
    """Each call that was placed is one record, with one end, and there is no other."""
    placed = sorted(call.id for call in story.client.placed)
    kept = rows(story.folder / "story.db", "SELECT id FROM calls WHERE state = 'ended' ORDER BY id")
    assert kept == [(one,) for one in placed]
    ends = "SELECT call_id FROM events WHERE type = 'call.end' ORDER BY call_id"
    assert rows(story.folder / "story.db", ends) == kept


async def over(call: PhoneCall) -> None:
    """Wait until a call has ended, and Asterisk has acknowledged how."""
    await call.wait_ended()
    await until(lambda: "ACK" in methods(call), "the ACK")


def answered_at(call: PhoneCall) -> float:
    """When the 200 left, by the phone's clock."""
    assert call.answered_at is not None
    return call.answered_at


def ended_at(call: PhoneCall) -> float:
    """When the CANCEL or BYE that ended it came or left, by the phone's clock."""
    assert call.ending is not None
    return call.ending.at


def methods(call: PhoneCall) -> list[str]:
    """The requests that a phone got in a call, in their order, each once."""
    return list(dict.fromkeys(message.method for message in call.messages if message.method and not message.sent))


def say(text: str) -> None:
    """Show it, with pytest -s."""
    print(text, flush=True)
