"""One measurement: so many calls in one way, what the phones saw of them, and what each process paid."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field, replace
from typing import Any

from bench.child import cpu_of
from bench.town import Town, Way

SETTLE = 0.3  # seconds for what follows a call: the last record, the end of the bridge
SETTLE_WITHIN = 4.0  # seconds

_numbers = itertools.count(5552000000, 10000)  # every measurement has numbers of its own


@dataclass(frozen=True, slots=True)
class Measured:
    """What one measurement gave. Moments in seconds; `cpu` in seconds a call, by process."""

    way: str
    calls: int
    completed: int
    destination_invites: int
    took: float
    cpu: dict[str, float] = field(default_factory=dict)
    accepted: list[float] = field(default_factory=list)  # order to 202
    invited: list[float] = field(default_factory=list)  # order to the first INVITE at a phone
    joined: list[float] = field(default_factory=list)  # a phone's answer to the INVITE at the carrier
    left: int = 0  # channels and bridges that stayed in Asterisk

    @property
    def rate(self) -> float:
        """Completed calls a second."""
        return self.completed / self.took


async def parallel(town: Town, way: Way, calls: int, at_a_time: int) -> Measured:
    """So many calls, always so many at a time: when one is over the next begins."""
    return await _measure(town, way, calls, parallel=at_a_time)


async def steady(town: Town, way: Way, calls: int, rate: float) -> Measured:
    """So many calls at this rate, whether or not earlier ones are slow."""
    return await _measure(town, way, calls, rate=rate)


async def unmeasured(town: Town, way: Way, calls: int, rate: float) -> None:
    """So many calls at this rate, which stay: nobody waits for their end."""
    await town.caller.ask(**way.job, calls=calls, first=next(_numbers), rate=rate, until_ended=False)


async def _measure(town: Town, way: Way, calls: int, **how: float) -> Measured:
    first = next(_numbers)
    processes = {"app": way.child.pid, "asterisk": town.asterisk.pid or 0}
    processes |= {"phones": town.phones.pid, "caller": town.caller.pid}
    before = {name: cpu_of(pid) for name, pid in processes.items()}
    done = await town.caller.ask(**way.job, calls=calls, first=first, **how)
    left = await settled(town)
    cpu = {name: (cpu_of(pid) - before[name]) / calls for name, pid in processes.items()}
    seen = await town.phones.ask(collect=True)
    completed = sum(_completed(one) for one in seen.values())
    if way.name == "service":
        completed = min(completed, town.outcomes(first, calls).count("completed"))
    return replace(_measured(way, calls, completed, done, seen, cpu), left=left)


def _completed(seen: dict[str, Any]) -> bool:
    """By what the phones saw: both rang, one was cancelled, one carrier answered, and each side was told of the end."""
    counts = (seen["rang"], seen["cancelled"], seen["destination_invites"], seen["destination_ended"])
    return counts == (2, 1, 1, True) and seen["ended"] > 0


def _measured(
    way: Way, calls: int, completed: int, done: dict[str, Any], seen: dict[str, Any], cpu: dict[str, float]
) -> Measured:
    both = [(moments, seen[number]) for number, moments in done["moments"].items() if number in seen]
    return Measured(
        way.name,
        calls,
        completed,
        sum(one["destination_invites"] for one in seen.values()),
        done["took"],
        cpu,
        [moments[1] - moments[0] for moments in done["moments"].values() if len(moments) > 1],
        [one["invited"] - moments[0] for moments, one in both],
        [one["destination_invited"] - one["answered"] for _, one in both if one["destination_invited"]],
    )


async def settled(town: Town) -> int:
    """Wait until Asterisk has no channel and no bridge any more, and give how many stayed: what a way forgot is removed, or the
    next would pay for it."""
    end = time.monotonic() + SETTLE_WITHIN
    await asyncio.sleep(SETTLE)
    while time.monotonic() < end and (await town.asterisk.channels() or await town.asterisk.bridges()):  # noqa: ASYNC110
        await asyncio.sleep(SETTLE)
    channels, bridges = await town.asterisk.channels(), await town.asterisk.bridges()
    if channels:
        await town.asterisk.cli("channel request hangup all")
        await asyncio.sleep(SETTLE)
    for bridge in bridges:
        await town.asterisk.remove_bridge(bridge["id"])
    if channels or bridges:
        print(f"        {len(channels)} channels and {len(bridges)} bridges forgotten: removed", flush=True)
    return len(channels) + len(bridges)


def quantile(values: list[float], share: float) -> float:
    """The smallest value that this share of all values does not exceed (nearest rank); in milliseconds."""
    ordered = sorted(values)
    rank = max(1, -(-int(share * 1000) * len(ordered) // 1000))  # rounded up
    return ordered[rank - 1] * 1000
