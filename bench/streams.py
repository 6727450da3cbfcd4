"""`python -m bench.streams [CLIENTS]`: how long an event is under way to each of many clients of one account, at 10 calls/s."""

import asyncio
import itertools
import os
import sys

from bench.child import Child, cpu_of
from bench.town import town

CALLS, RATE = 200, 10.0
AIM = 100.0  # ms, for 1,000 clients
SETTLE = 1.0  # seconds for the last events

_numbers = itertools.count(5553000000, 10000)


async def main() -> int:
    """Measure with so many clients, and with none for comparison; gives 1 if an event came late or not to everybody."""
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    async with town() as place:
        service = place.ways["service"]
        costs = []
        for count in (0, clients):
            listeners = await Child.start("listeners", {**service.job, "clients": count}) if count else None
            if listeners is not None:
                await listeners.hear()
            before = cpu_of(service.child.pid)
            listened = cpu_of(listeners.pid) if listeners else 0.0
            done = await place.caller.ask(**service.job, calls=CALLS, first=next(_numbers), rate=RATE)
            await asyncio.sleep(SETTLE)
            costs.append((cpu_of(service.child.pid) - before) / done["took"])
            if listeners is not None:
                listened = (cpu_of(listeners.pid) - listened) / done["took"]
                told = await listeners.ask(stop=True)
                await listeners.stop()
        held = await place.held()
    print(f"{clients} clients, {CALLS} calls at {RATE:.0f} a second, load {os.getloadavg()[0]:.1f}")
    print(f"{told['events']} events, {told['deliveries']} deliveries, {told['incomplete']} events not to everybody")
    print(f"event to client: p50 {told['p50']:.0f} ms, p99 {told['p99']:.0f} ms, most {told['most']:.0f} ms")
    first, spread = told["first_p99"], told["spread_p99"]
    print(f"event to the first client: p99 {first:.0f} ms; from the first to the last: p99 {spread:.0f} ms")
    print(f"processor of the clients: {listened:.0%}")
    print(
        f"processor of the service: {costs[0]:.0%} without clients, {costs[1]:.0%} with them; {held['memory'] >> 20} MB"
    )
    print(f"{'met' if told['p99'] <= AIM else 'MISSED'}: p99 within {AIM:.0f} ms")
    return int(told["incomplete"] > 0 or told["p99"] > AIM)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
