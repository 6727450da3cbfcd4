"""`python -m bench`: latencies at a steady rate, throughput at 20 parallel calls, and what a second round leaves behind."""

import asyncio
import statistics
import time
from collections.abc import Callable

from bench.town import Times, Town, town

RATE = 10.0  # calls a second
STEADY = 200  # calls at that rate
PARALLEL = 20
ROUND = 200  # calls in each of the two rounds
TALK = 0.2  # seconds


async def main() -> None:
    """Run both and print the figures."""
    async with town(users=PARALLEL, talk=TALK) as place:
        await _round(place, 0, PARALLEL)  # warm up
        await steady(place)
        await rounds(place)
        channels, bridges = await place.asterisk.channels(), await place.asterisk.bridges()
        print(f"left in Asterisk: {len(channels)} channels, {len(bridges)} bridges")


async def steady(place: Town) -> None:
    """Calls at a steady rate, whether or not earlier ones are slow (open loop)."""
    place.times.clear()
    begun = time.monotonic()
    tasks = []
    for i in range(STEADY):
        await asyncio.sleep(max(0.0, begun + i / RATE - time.monotonic()))
        tasks.append(asyncio.create_task(_call(place, place.users[i % PARALLEL], _number(100_000 + i))))
    outcomes = await asyncio.gather(*tasks)
    print(f"{STEADY} calls at {RATE:g}/s, 2 devices each: {outcomes.count('completed')} completed")
    seen = list(place.times.values())
    _figures("POST -> 202", seen, lambda t: t.accepted - t.posted)
    _figures("POST -> first INVITE", seen, lambda t: t.invited - t.posted)
    _figures("answer -> destination INVITE", seen, lambda t: t.destination_invited - t.answered)


async def rounds(place: Town) -> None:
    """Two rounds at 20 parallel; the second must leave nothing behind that the first did not."""
    held = []
    for number in (1, 2):
        before = await place.held()
        invites = place.carrier_invites
        taken, completed = await _round(place, number, ROUND)
        await asyncio.sleep(1.0)
        after = await place.held()
        held.append(after)
        cpu = (after["cpu"] - before["cpu"]) / ROUND * 1000
        print(
            f"round {number}: {completed}/{ROUND} completed, {place.carrier_invites - invites} destination INVITEs, "
            f"{ROUND / taken:.1f} calls/s at {PARALLEL} parallel, service CPU {cpu:.1f} ms/call"
        )
    first, second = held
    print(
        f"second round added {(second['rss'] - first['rss']) / 1e6:+.2f} MB, "
        f"{second['descriptors'] - first['descriptors']:+d} descriptors, {second['tasks'] - first['tasks']:+d} tasks, "
        f"{second['threads'] - first['threads']:+d} threads"
    )


async def _round(place: Town, number: int, calls: int) -> tuple[float, int]:
    place.times.clear()
    waiting = list(range(calls))
    outcomes: list[str] = []

    async def caller(user: str) -> None:
        while waiting:
            outcomes.append(await _call(place, user, _number(number * 10_000 + waiting.pop())))

    begun = time.monotonic()
    await asyncio.gather(*(caller(user) for user in place.users[:PARALLEL]))
    return time.monotonic() - begun, outcomes.count("completed")


async def _call(place: Town, user: str, number: str) -> str:
    return await place.outcome(await place.place(user, number))


def _number(i: int) -> str:
    return f"+1555{2_000_000 + i}"


def _figures(name: str, seen: list[Times], value: Callable[[Times], float]) -> None:
    values = sorted(value(times) * 1000 for times in seen)
    p99 = values[min(len(values) - 1, int(len(values) * 0.99))]
    print(f"  {name}: p50 {statistics.median(values):.1f} ms, p99 {p99:.1f} ms, max {values[-1]:.1f} ms")


if __name__ == "__main__":
    asyncio.run(main())
