"""`python -m bench.scrape`: what it costs the service to be read by Prometheus, under load, with and without in turns."""

import asyncio
import statistics
import sys
import time
from typing import Any

import aiohttp

from bench.child import cpu_of
from bench.course import AT_A_TIME, WARM_UP
from bench.measure import parallel, steady
from bench.town import Town, town

TURNS = 4  # of each
CALLS, RATE = 60, 10.0
OFTEN = 0.1  # seconds between two readings: ten times as often as is usual, so that it can be told from the calls
AIM = 0.01  # of a processor, for one reading a second


async def main() -> int:
    """Measure in turns, and print the figures; gives 1 if to be read costs more than it should, or a call was lost."""
    shares: dict[bool, list[float]] = {False: [], True: []}
    lost = readings = size = 0
    async with town() as place:
        way = place.ways["service"]
        await parallel(place, way, WARM_UP, AT_A_TIME)
        for _ in range(TURNS):
            for read in (False, True):
                reading = asyncio.create_task(_read(place)) if read else None
                before, began = cpu_of(way.child.pid), time.monotonic()
                done = await steady(place, way, CALLS, RATE)
                shares[read].append((cpu_of(way.child.pid) - before) / (time.monotonic() - began))
                lost += done.calls - done.completed
                if reading is not None:
                    reading.cancel()
                    await asyncio.wait({reading})
                    count, size = _readings.pop()
                    readings += count
    without, with_it = statistics.mean(shares[False]), statistics.mean(shares[True])
    each = (with_it - without) * OFTEN
    print(f"{TURNS * CALLS} calls at {RATE:g}/s each way, {readings} readings of {size / 1000:.0f} kB")
    print(f"processor of the service: {without:.1%} unread, {with_it:.1%} read every {OFTEN:g} s")
    print(f"{'met' if each < AIM else 'MISSED'}: read every second costs {each:.2%} of a processor, of {AIM:.0%}")
    return int(lost > 0 or each >= AIM)


_readings: list[tuple[int, int]] = []


async def _read(place: Town) -> None:
    """Read the figures again and again, until cancelled."""
    job: dict[str, Any] = place.ways["service"].job
    key = next(line for line in job["head"].splitlines() if line.lower().startswith("authorization:"))
    headers = {"Authorization": key.partition(": ")[2]}
    count = size = 0
    try:
        async with aiohttp.ClientSession(f"http://{job['host']}:{job['port']}", headers=headers) as client:
            while True:
                async with client.get("/metrics") as response:
                    response.raise_for_status()
                    size = len(await response.read())
                count += 1
                await asyncio.sleep(OFTEN)
    finally:
        _readings.append((count, size))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
