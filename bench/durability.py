"""`python -m bench.durability`: what it costs that every step of a call is recorded: with records and without, in turns.

Without, the service hands its records to a writer that drops them; all else is as it is. Nothing of such a call survives.
"""

import asyncio
import signal
import sys
from dataclasses import dataclass, field, replace

from bench.course import AT_A_TIME, STEADY_RATE, WARM_UP
from bench.measure import Measured, parallel, quantile, steady
from bench.town import Town, town

TURNS = 4  # of each
CALLS = 200  # a turn, at a time; and half as many at a rate


@dataclass(slots=True)
class Kind:
    """What was measured with records, or without."""

    at_a_time: list[Measured] = field(default_factory=list)
    steady: list[Measured] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, float]:
        """By name; milliseconds, but for the rate."""
        accepted = [one for turn in self.steady for one in turn.accepted]
        invited = [one for turn in self.steady for one in turn.invited]
        joined = [one for turn in self.steady for one in turn.joined]
        calls = sum(turn.calls for turn in self.at_a_time)
        return {
            "calls/s, 20 at a time": calls / sum(turn.took for turn in self.at_a_time),
            "CPU a call, 20 at a time": 1000 * sum(turn.cpu["app"] * turn.calls for turn in self.at_a_time) / calls,
            "POST to 202, p50, at 10/s": quantile(accepted, 0.5),
            "POST to 202, p99, at 10/s": quantile(accepted, 0.99),
            "POST to first INVITE, p50, at 10/s": quantile(invited, 0.5),
            "POST to first INVITE, p99, at 10/s": quantile(invited, 0.99),
            "answer to destination INVITE, p50, at 10/s": quantile(joined, 0.5),
            "answer to destination INVITE, p99, at 10/s": quantile(joined, 0.99),
        }


async def main() -> int:
    """Measure in turns, and print the figures with their ratios; gives 1 if a call was lost."""
    kinds = {True: Kind(), False: Kind()}
    async with town() as place:
        await parallel(place, place.ways["service"], WARM_UP, AT_A_TIME)
        for _ in range(TURNS):
            await _turn(place, kinds[True], "service")
            await _switch(place, kept=False)
            await _turn(place, kinds[False], "without records")  # so named, no record is asked for
            await _switch(place, kept=True)
    turns = [turn for kind in kinds.values() for turn in (*kind.at_a_time, *kind.steady)]
    lost = sum(turn.calls - turn.completed for turn in turns)
    print(f"{sum(turn.calls for turn in turns)} calls, {lost} lost")
    print("| | recorded | not recorded | ratio |\n|---|---|---|---|")
    without = kinds[False].figures
    for name, figure in kinds[True].figures.items():
        print(f"| {name} | {figure:.1f} | {without[name]:.1f} | {figure / without[name]:.2f} |")
    return int(lost > 0)


async def _turn(place: Town, kind: Kind, name: str) -> None:
    way = replace(place.ways["service"], name=name)
    kind.at_a_time.append(await parallel(place, way, CALLS, AT_A_TIME))
    kind.steady.append(await steady(place, way, CALLS // 2, STEADY_RATE))


async def _switch(place: Town, *, kept: bool) -> None:
    service = place.ways["service"].child
    service.process.send_signal(signal.SIGUSR2)
    told = await service.hear()
    if told != {"kept": kept}:
        raise RuntimeError(f"the service said {told}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
