"""`python -m bench.ari_log`: what the ARI log costs, by the same service with and without it in turns, switched by SIGHUP."""

import asyncio
import re
import signal
import statistics
import sys
from pathlib import Path

from bench.course import AT_A_TIME, WARM_UP
from bench.measure import Measured, parallel, quantile, steady
from bench.town import Town, town

TURNS = 3  # of each
CALLS, STEADY, RATE = 200, 60, 10.0
SWITCHES_WITHIN = 1.0  # seconds


async def main() -> int:
    """Measure in turns, and print the figures; gives 1 if a call was lost."""
    busy: dict[bool, list[Measured]] = {False: [], True: []}
    calm: dict[bool, list[Measured]] = {False: [], True: []}
    async with town() as place:
        way, folder = place.ways["service"], place.database.parent / "ari"
        await parallel(place, way, WARM_UP, AT_A_TIME)
        for _ in range(TURNS):
            for on in (False, True):
                await _switch(place, folder if on else None)
                busy[on].append(await parallel(place, way, CALLS, AT_A_TIME))
                calm[on].append(await steady(place, way, STEADY, RATE))
        await _switch(place, None)
        size = sum(path.stat().st_size for path in folder.iterdir())
    for what, done in ((f"{AT_A_TIME} at a time", busy), (f"{RATE:g}/s", calm)):
        without, with_log = _cpu(done[False]), _cpu(done[True])
        print(
            f"{what}: {without:.2f} ms of processor time a call without, {with_log:.2f} ms with: {with_log / without:.2f}"
        )
        for on in (False, True):
            accepted = [moment for one in done[on] for moment in one.accepted]
            p50, p99 = (quantile(accepted, share) for share in (0.5, 0.99))
            print(f"  {'with   ' if on else 'without'}: POST to 202 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"{size / (TURNS * (CALLS + STEADY)) / 1000:.0f} kB a call")
    return int(any(one.completed < one.calls for one in [*busy[False], *busy[True], *calm[False], *calm[True]]))


async def _switch(place: Town, folder: Path | None) -> None:
    file = place.database.parent / "c2c.toml"
    text = re.sub(r"(?m)^log = .*\n", "", file.read_text())
    line = f'[ari]\nlog = "{folder}"' if folder else "[ari]"
    file.write_text(re.sub(r"(?m)^\[ari\]$", line.replace("\\", r"\\"), text, count=1))
    place.ways["service"].child.process.send_signal(signal.SIGHUP)
    await asyncio.sleep(SWITCHES_WITHIN)


def _cpu(turns: list[Measured]) -> float:
    return statistics.mean(one.cpu["app"] for one in turns) * 1000


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
