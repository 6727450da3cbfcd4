"""Many calls at once and one after the other: each has its own fate, and nothing grows."""

import asyncio
import gc
import random

import pytest

from c2c_stasis.call.model import CallState
from c2c_stasis.call.signals import LegRinging, Signal
from c2c_stasis.ids import CallId
from c2c_stasis.lab.script import Script
from c2c_stasis.policy.settings import Settings
from c2c_stasis.service.runner import Runner
from tests.scenarios.house import ANSWER, NUMBER, RING, TONE, House

pytestmark = pytest.mark.asyncio(loop_scope="function")

FATES = [
    Script(ring_after=0.1, answer_after=1.0, hang_up_after=5.0),
    Script(ring_after=0.1, reject=486, reject_after=1.0),
    Script(ring_after=0.1),
    Script(silent=True),
    Script(reject=503),
    Script(progress_after=0.1, answer_after=2.0, hang_up_after=1.0),
    Script(answer_after=0.0, hang_up_after=0.0),
]


async def place(house: House) -> CallId:
    """Place a call without waiting for anything."""
    account, ann = house.people.account, house.people.users["ann"]
    return (await house.service.place(account, ann.id, NUMBER, livemode=True, metadata={})).id


async def test_two_hundred_calls_leave_no_task_and_no_runner(house: House) -> None:
    house.service.permission.use(Settings())
    house.phones["ann-1"].script = Script(ring_after=0.1, answer_after=0.5)
    before = len(asyncio.all_tasks())
    calls: list[CallId] = []
    for number in range(200):
        house.carrier.script = FATES[number % len(FATES)]
        calls.append(await place(house))
        await house.clock.advance(0.2)
    await house.clock.advance(RING + ANSWER + TONE + 10.0)
    assert len(asyncio.all_tasks()) == before
    assert house.service.live == 0
    assert not house.service.live_calls.runners
    assert not house.service.live_calls.placing
    assert not house.service.live_calls.tasks
    assert house.switch.empty
    ended = [await house.stored(call_id) for call_id in calls]
    assert {call.state for call in ended} == {CallState.ENDED}
    assert len({call.end.reason for call in ended if call.end}) >= 4
    gc.collect()
    assert [thing for thing in gc.get_objects() if type(thing) is Runner and thing._switch is house.switch] == []


@pytest.mark.parametrize("seed", range(6))
async def test_in_any_weather_every_call_ends_and_no_destination_is_dialled_twice(house: House, seed: int) -> None:
    """Reports come late, twice, in another order or never; the connection is cut, the service restarted, calls cancelled."""
    house.policy = Settings()
    house.service.permission.use(house.policy)
    chance = random.Random(seed)

    def weather(signal: Signal) -> tuple[float, ...]:
        kind = chance.random()
        if kind < 0.02:
            return ()
        if kind < 0.1:
            return (0.0, chance.uniform(0.0, 0.2))
        return (chance.uniform(0.0, 0.3),) if kind < 0.3 else (0.0,)

    house.switch.weather = weather
    calls: list[CallId] = []
    for _ in range(60):
        house.carrier.script = chance.choice(FATES)
        house.phones["ann-1"].script = chance.choice(FATES)
        house.phones["ann-2"].script = chance.choice(FATES)
        event = chance.random()
        if event < 0.1:
            house.switch.cut(reachable=chance.random() < 0.5)
            await house.clock.advance(chance.uniform(0.0, 3.0))
            house.switch.mend()
        elif event < 0.15:
            await house.restart_service(after=chance.uniform(0.0, 3.0))
        elif event < 0.2 and calls:
            await house.service.cancel(house.people.account, chance.choice(calls))
        await house.clock.advance(chance.uniform(0.0, 1.0))
        if house.switch.connected:
            calls.append(await place(house))
    house.switch.weather = lambda signal: (0.0,)
    await house.clock.advance(RING + ANSWER + 60.0)
    await _connect_anew(house)
    await house.clock.advance(15.0)
    for call_id in calls:
        call = await house.stored(call_id)
        assert call.state is CallState.ENDED
        assert call.end is not None
        invited = [ring for ring in house.carrier.rings if ring.leg_id.startswith(call_id)]
        assert len(invited) <= 1
    await _connect_anew(house)


async def _connect_anew(house: House) -> None:
    """Let the service look what there is."""
    house.switch.cut()
    await house.clock.settle()
    house.switch.mend()
    await house.clock.advance(1.0)


async def test_a_call_whose_ringing_is_never_reported_still_ends(house: House) -> None:
    house.switch.weather = lambda signal: () if isinstance(signal, LegRinging) else (0.0,)
    call_id = await house.place()
    assert (await house.end_of(call_id, RING + 1.0)).cause in (None, 19)
