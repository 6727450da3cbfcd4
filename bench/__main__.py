"""`python -m bench`: the same calls in four ways, what each costs, and what the service leaves behind."""

import asyncio
import os
import sys
import time

from bench import course, report
from bench.town import town


async def main() -> int:
    """Measure everything, write it down, and print what was aimed at; gives 1 if the service lost a call or left something."""
    load = os.getloadavg()[0]
    began = time.monotonic()
    async with town() as place:
        results = await course.run(place)
        asterisk = (await place.asterisk.cli("core show version")).split()[1]
        file = report.write(place, results, asterisk=asterisk, load=load)
    for target in report.targets(results):
        print(f"{'met   ' if target.met else 'MISSED'} {target.what}: {target.got} ({target.wanted})")
    print(f"{file}, in {time.monotonic() - began:.0f} s")
    wrong = [done for done in results.rounds["service"] if done.completed < done.calls or done.left]
    for done in wrong:
        print(f"WRONG: {done.completed} of {done.calls} calls completed, {done.left} channels and bridges left")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
