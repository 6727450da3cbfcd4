"""`python -m bench.limits`: what an account notices of another one that asks for ten times as many calls as it may begin.

In turns: nobody else calls, the other account asks for as much as it may, and for ten times that. Its users have no phones, so
what it may begin costs the same in both, and all that is different are the refusals.
"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.course import AT_A_TIME, WARM_UP
from bench.measure import parallel, quantile, steady
from bench.town import Town, town

TURNS = 5  # of each
CALLS, RATE = 60, 10.0  # of the account that is measured
ALLOWED, BURST, TIMES = 5.0, 10, 10.0
USERS = 20
AIM = 1.5  # times as long

_numbers = itertools.count(5559000000)


@dataclass(slots=True)
class Seen:
    """What was seen in all turns of one kind: seconds of the measured account, and what the other one was answered."""

    accepted: list[float] = field(default_factory=list)
    invited: list[float] = field(default_factory=list)
    lost: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    retry_after: Counter[str] = field(default_factory=Counter)
    most: float = 0.0  # how many the other account may have begun


async def main() -> int:
    """Measure in turns, and print the figures; gives 1 if somebody noticed, too many calls began, or one was lost."""
    kinds = {"alone": 0.0, "beside what it may": ALLOWED, "beside ten times that": ALLOWED * TIMES}
    found = {kind: Seen() for kind in kinds}
    async with town() as place, _client(place) as client:
        way = place.ways["service"]
        loud = await _settle(client)
        await parallel(place, way, WARM_UP, AT_A_TIME)
        for _ in range(TURNS):
            for kind, rate in kinds.items():
                seen, began = found[kind], time.monotonic()
                flood = asyncio.create_task(_flood(client, loud, rate, seen)) if rate else None
                done = await steady(place, way, CALLS, RATE)
                seen.accepted += done.accepted
                seen.invited += done.invited
                seen.lost += done.calls - done.completed
                if flood is not None:
                    flood.cancel()
                    await asyncio.wait({flood})
                    seen.most += BURST + ALLOWED * (time.monotonic() - began)
    for kind, seen in found.items():
        times = " ".join(
            f"{what} p50 {quantile(values, 0.5):.1f} p99 {quantile(values, 0.99):.1f} ms,"
            for what, values in (("POST to 202", seen.accepted), ("to INVITE", seen.invited))
        )
        print(f"{kind}: {times} {seen.lost} of {TURNS * CALLS} lost; {dict(seen.answers)}, {dict(seen.retry_after)}")
    calm, busy = (found[kind] for kind in list(kinds)[1:])
    ratio = quantile(busy.accepted, 0.99) / quantile(calm.accepted, 0.99)
    exact = all(seen.answers[202] <= seen.most for seen in found.values())
    print(f"{'met' if ratio <= AIM else 'MISSED'}: p99 is {ratio:.2f} times as long, of {AIM:g}")
    print(f"{'met' if exact else 'MISSED'}: {busy.answers[202]} began, of {busy.most:.0f} that might have")
    return int(ratio > AIM or not exact or any(seen.lost for seen in found.values()))


def _client(place: Town) -> aiohttp.ClientSession:
    job: dict[str, Any] = place.ways["service"].job
    key = next(line for line in job["head"].splitlines() if line.lower().startswith("authorization:"))
    headers = {"Authorization": key.partition(": ")[2]}
    return aiohttp.ClientSession(f"http://{job['host']}:{job['port']}", headers=headers)


async def _settle(client: aiohttp.ClientSession) -> tuple[str, list[str]]:
    """An account that may begin few calls, and its users."""
    policy = {"limits": {"starts_per_second": ALLOWED, "burst": BURST}}
    account = await _make(client, "/v1/accounts", {"name": "Loud", "policy": policy}, {})
    headers = {"DialStack-Account": account}
    return account, [await _make(client, "/v1/users", {"name": f"User {i}"}, headers) for i in range(USERS)]


async def _make(client: aiohttp.ClientSession, path: str, body: dict[str, Any], headers: dict[str, str]) -> str:
    async with client.post(path, json=body, headers=headers) as response:
        response.raise_for_status()
        return str((await response.json())["id"])


async def _flood(client: aiohttp.ClientSession, loud: tuple[str, list[str]], rate: float, seen: Seen) -> None:
    """Ask for calls at this rate, until cancelled."""
    account, users = loud
    asking: set[asyncio.Task[None]] = set()
    began = time.monotonic()

    async def ask(user: str) -> None:
        body = {"user_id": user, "dial_string": f"+1{next(_numbers)}"}
        async with client.post("/v1/calls", json=body, headers={"DialStack-Account": account}) as response:
            await response.read()
            seen.answers[response.status] += 1
            if response.status != 202:
                seen.retry_after[response.headers.get("Retry-After", "")] += 1

    try:
        for number in itertools.count():
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            task = asyncio.create_task(ask(users[number % USERS]))
            asking.add(task)
            task.add_done_callback(asking.discard)
    finally:
        if asking:
            await asyncio.wait(asking)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
