"""The course of a bench: what is measured, in which order, with how many calls. About four minutes in all."""

import asyncio
import time
from dataclasses import dataclass, field

from bench.child import memory_of
from bench.measure import Measured, parallel, quantile, settled, steady, unmeasured
from bench.phones import TALK
from bench.town import PAIRS, Town, Way

AT_A_TIME = 20
# Short rounds, and many: a machine that is not ours alone is faster or slower for some seconds, and two ways are compared by
# the rounds that follow each other.
ROUNDS = 7
ROUND = {"stock": 60, "ami": 100, "floor": 150, "service": 150}  # calls, in this order
STEADY = {"floor": 100, "ami": 100, "stock": 100, "service": 200}
STEADY_RATE = 10.0  # calls a second
WARM_UP = 60

# The knee: the rate is raised until a call fails, or until one in a hundred waits longer than this for its first INVITE.
CLIMB = {
    "floor": (20, 40, 60, 80, 100, 120, 140, 160),
    "ami": (40, 80, 120, 160),
    "stock": (10, 15, 20, 25, 30),
    "service": (20, 40, 60, 80, 100, 120, 140),
}
CLIMB_FOR = 2.5  # seconds at each rate
TOO_LATE = 100.0  # ms

LIVE = 500  # calls at once
LIVE_RATE = 25.0  # a second; slow enough that none of them waits for another
RELEASE_RATE = 50.0


@dataclass(frozen=True, slots=True)
class Live:
    """What many calls at once hold: bytes a call, of the service and of Asterisk."""

    channels: int
    service: float
    asterisk: float


@dataclass(slots=True)
class Results:
    """Everything that was measured, by way."""

    rounds: dict[str, list[Measured]] = field(default_factory=dict)
    steady: dict[str, Measured] = field(default_factory=dict)
    climbs: dict[str, list[tuple[float, Measured]]] = field(default_factory=dict)
    held: list[dict[str, int]] = field(default_factory=list)  # what the service holds after each of its rounds
    live: Live = Live(0, 0.0, 0.0)
    left: tuple[int, int] = (0, 0)  # channels and bridges


async def run(town: Town) -> Results:
    """Measure everything. The ways take turns, so that whatever else the machine does meets all of them."""
    results = Results({name: [] for name in town.ways})
    for way in town.ways.values():
        await parallel(town, way, WARM_UP, AT_A_TIME)
    _say(f"{LIVE} live calls")  # first: what later rounds leave free in the heap would be counted out
    results.live = await _many_live(town)
    for _ in range(ROUNDS):
        for name, calls in ROUND.items():
            way = town.ways[name]
            _say(f"{way.title}: {calls} calls, {AT_A_TIME} at a time")
            results.rounds[name].append(await parallel(town, way, calls, AT_A_TIME))
        results.held.append(await town.held())
    for name, way in town.ways.items():
        _say(f"{way.title}: {STEADY[name]} calls at {STEADY_RATE:g}/s")
        results.steady[name] = await steady(town, way, STEADY[name], STEADY_RATE)
    for name, way in town.ways.items():
        results.climbs[name] = await _climb(town, way)
    results.left = len(await town.asterisk.channels()), len(await town.asterisk.bridges())
    return results


async def _climb(town: Town, way: Way) -> list[tuple[float, Measured]]:
    steps: list[tuple[float, Measured]] = []
    for rate in CLIMB[way.name]:
        _say(f"{way.title}: {rate}/s")
        steps.append((rate, await steady(town, way, round(rate * CLIMB_FOR), rate)))
        if beyond_the_knee(steps[-1][1]):
            break
    return steps


def beyond_the_knee(measured: Measured) -> bool:
    """Whether a call failed, or one in a hundred came too late."""
    return measured.completed < measured.calls or quantile(measured.invited, 0.99) > TOO_LATE


async def _many_live(town: Town) -> Live:
    service, asterisk = town.ways["service"], town.asterisk.pid or 0
    before = (await town.held())["memory"], memory_of(asterisk)
    town.phones.tell(talk=None)
    await unmeasured(town, service, LIVE // PAIRS * PAIRS, LIVE_RATE)
    await asyncio.sleep(1.0)
    after = (await town.held())["memory"], memory_of(asterisk)
    channels = len(await town.asterisk.channels())
    town.phones.tell(release=RELEASE_RATE)
    await asyncio.sleep(LIVE / RELEASE_RATE)
    await settled(town)
    town.phones.tell(talk=TALK)
    await town.phones.ask(collect=True)
    return Live(channels, (after[0] - before[0]) / LIVE, (after[1] - before[1]) / LIVE)


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:5.0f} s  {text}", flush=True)


_BEGAN = time.monotonic()
