"""What must hold after every fault, whatever it was; asked from outside the service."""

import asyncio
import time
from collections import Counter
from typing import Any

from c2c_stasis.lab.call import SipCall
from tests.faults.ledger import Entry, Ledger
from tests.live.client import PlacedCall, Record
from tests.live.story import Story, assert_whole_log
from tests.store.samples import rows

POLL = 0.1  # seconds


async def violations(
    story: Story, ledger: Ledger, talking: list[Entry], recovered_at: float, within: float
) -> list[str]:
    """Everything that does not hold, in words. `talking` must have gone on.

    `recovered_at` is monotonic; so many seconds later nothing may be left.
    """
    wrong = await _left_over(story, ledger, recovered_at, within)
    found = await asyncio.gather(*(_record(story, entry, call, entry in talking) for entry, call in ledger.accepted))
    wrong += [one for each in found for one in each]
    wrong += _ledger_and_database(story, ledger)
    wrong += [one for entry in ledger.entries for one in _invites(entry)]
    return wrong


async def _left_over(story: Story, ledger: Ledger, recovered_at: float, within: float) -> list[str]:
    """Wait until nothing of these calls lives any more, and tell what still does."""
    while True:
        left = await _living(story, ledger)
        if not left or time.monotonic() > recovered_at + within:
            return [f"{one} {within:g} s after the recovery" for one in left]
        await asyncio.sleep(POLL)


async def _living(story: Story, ledger: Ledger) -> list[str]:
    asterisk = story.town.asterisk
    channels, bridges = await asyncio.gather(asterisk.channels(), asterisk.bridges())
    left = [f"the channel {one['id']} is {one['state']}" for one in channels]
    left += [f"the bridge {one['id']} is there, with {one['channels']}" for one in bridges]
    for entry in ledger.entries:
        calls: list[SipCall] = [*entry.near, *entry.far]
        left += [f"{call!r} is live" for call in calls if call.live and not call.script.silent]
    if left:
        return left
    states = await asyncio.gather(*(_state(call) for _, call in ledger.accepted))
    return [
        f"{call.id} is {state}" for (_, call), state in zip(ledger.accepted, states, strict=True) if state != "ended"
    ]


async def _state(call: PlacedCall) -> str:
    return str((await call.record())["state"])


async def _record(story: Story, entry: Entry, call: PlacedCall, talked_on: bool) -> list[str]:
    """One call has one record, one end, and tells of it what the phones saw."""
    wrong = []
    try:
        await call.told("call.end")  # that waits for the store, of which a record may be a moment ahead
    except AssertionError:
        return [f"{entry}: it is not told to have ended"]
    record = await call.record()
    try:
        assert_whole_log(await call.events())
    except AssertionError as error:
        wrong.append(f"{entry}: its events have gaps or not one end: {str(error).splitlines()[0]}")
    database = story.folder / "story.db"
    kept = rows(database, "SELECT state, outcome FROM calls WHERE id = ?", call.id)
    if kept != [("ended", record["outcome"])]:
        wrong.append(f"{entry}: {kept} is recorded, and {record['outcome']} told")
    ends = rows(database, "SELECT count(*) FROM events WHERE call_id = ? AND type = 'call.end'", call.id)
    if ends != [(1,)]:
        wrong.append(f"{entry}: {ends[0][0]} times call.end")
    if talked_on and record["outcome"] != "completed":
        wrong.append(f"{entry}: they talked, and it is recorded as {record['outcome']}, {record['reason']}")
    return wrong + _winners(entry, record) + _against_phones(entry, record)


def _winners(entry: Entry, record: Record) -> list[str]:
    """Of each side one phone talks, or none."""
    won = Counter(leg["side"] for leg in record["legs"] if leg["won"])
    expected = (1,) if record["outcome"] == "completed" else (0, 1)
    return [
        f"{entry}: {won[side]} phones of side {side} have won, and it is {record['outcome']}"
        for side in ("a", "b")
        if won[side] not in expected
    ]


def _against_phones(entry: Entry, record: Record) -> list[str]:
    if record["outcome"] == "completed" and not any(call.answered_at is not None for call in entry.far):
        return [f"{entry}: recorded as completed, and the destination never answered"]
    if record["duration_seconds"] < 0:
        return [f"{entry}: {record['duration_seconds']} s long"]
    return []


def _invites(entry: Entry) -> list[str]:
    wrong = []
    far, near = entry.far_invites(), entry.invites()
    if any(count > 1 for count in far):
        wrong.append(f"{entry}: the destination was called {far} times")
    if any(far) and not any(call.answered_at is not None for call in entry.near):
        wrong.append(f"{entry}: the destination was called, and no device had answered")
    if entry.refused and any([*far, *near]):
        wrong.append(f"{entry}: refused, and somebody was called")
    return wrong


def called_again(entries: list[Entry], unrecorded_since: float) -> tuple[list[str], list[str]]:
    """Devices of the user that were called more than once: what is wrong, and what may be.

    One that was dialled a moment before the service was killed, and has declined until it was back, is called once more: of
    that nobody knows.
    """
    wrong: list[str] = []
    noted: list[str] = []
    for entry in entries:
        for phone, had in zip(entry.caller.phones, entry.had, strict=True):
            calls = phone.calls[had:]
            if len(calls) > 1:
                allowed = len(calls) == 2 and calls[0].invite.at >= unrecorded_since
                (noted if allowed else wrong).append(f"{entry}: {phone.name} was called {len(calls)} times")
    return wrong, noted


def _ledger_and_database(story: Story, ledger: Ledger) -> list[str]:
    """Each accepted call is one row, and no other call of this trial exists."""
    numbers = {entry.number for entry in ledger.entries}
    kept: list[tuple[Any, ...]] = rows(story.folder / "story.db", "SELECT to_number, id FROM calls")
    recorded = Counter((number, call_id) for number, call_id in kept if number in numbers)
    accepted = Counter((entry.number, call.id) for entry, call in ledger.accepted)
    wrong = [f"{number} {call_id}: accepted, and there is no record" for number, call_id in accepted - recorded]
    return wrong + [f"{number} {call_id}: recorded, and nobody was told 202" for number, call_id in recorded - accepted]
