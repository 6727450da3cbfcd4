"""`python -m bench.emergency`: emergency calls while everything that could stand in their way does.

In turns: ordinary calls at a steady rate, then as many emergency calls at the same rate, each of a user who has made none,
while their account is switched off and every limit is zero, all connections are held by others, the service cannot write,
and ordinary requests go on at the same rate. Every emergency call must reach the carrier, as soon as ordinary ones do.
The carrier is a socket on this machine's loopback; nothing else is called.
"""

import asyncio
import itertools
import json
import os
import resource
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.child import Child
from bench.emergency_phones import FIRST_NUMBER, key_of
from bench.measure import quantile
from bench.town import SETTINGS, listening, ports_with_room
from c2c_stasis.api.admission import RESERVED
from c2c_stasis.config import template
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.store.sql_store import open_store

CALLS = int(os.environ.get("C2C_EMERGENCY_CALLS", "2000"))
TURNS, RATE = 10, 10.0  # of each kind; calls a second
ORDINARY_USERS = 40
PLACES = 100  # connections, before those that are kept for emergency calls
AIM = 1.5  # times as long
SETTLE = 1.0  # seconds: what is over shall be recorded before the disk fills, and what could not be, afterwards
CLOSED: dict[str, Any] = {
    "outbound_enabled": False,
    "limits": dict.fromkeys(
        ("starts_per_second", "calls_at_a_time", "same_destination", "international_per_hour", "minutes_per_day"), 0
    ),
}


@dataclass(slots=True)
class Seen:
    """What was seen in all turns of one kind, in seconds; `dialled` counts the INVITEs at the carrier."""

    asked: int = 0
    dialled: int = 0
    twice: int = 0
    refused: int = 0
    accepted: list[float] = field(default_factory=list)  # request to 202
    invited: list[float] = field(default_factory=list)  # request to the INVITE at the user's phone
    reached: list[float] = field(default_factory=list)  # the user's answer to the INVITE at the carrier


@dataclass(frozen=True, slots=True)
class Place:
    """What runs."""

    phones: Child
    callers: tuple[Child, Child]
    service: Child
    ordinary: dict[str, Any]
    emergency: dict[str, Any]


async def measure(calls: int, turns: int, rate: float) -> dict[str, Seen]:
    """So many emergency calls in so many turns, and as many ordinary ones between them."""
    found = {kind: Seen() for kind in ("ordinary", "emergency", "ordinary meanwhile")}
    users = itertools.count()
    numbers = itertools.count(5554000000, 100_000)
    async with _town(calls) as place:
        share = calls // turns
        job = place.ordinary | {"calls": share, "rate": rate}
        await _work(place, 0, job | {"first": next(numbers)})  # the first calls of a process are slow
        await place.phones.ask(collect=True)
        for _ in range(turns):
            await _turn(place, [(found["ordinary"], job | {"first": next(numbers)})])
            await asyncio.sleep(SETTLE)
            devices = [next(users) for _ in range(share)]
            help_ = place.emergency | {"calls": share, "rate": rate, "dial": "911", "devices": devices, "first": 0}
            help_["users"] = [place.emergency["users"][device] for device in devices]
            async with _everything_in_the_way(place):
                meanwhile = job | {"first": next(numbers), "until_ended": False}
                await _turn(place, [(found["emergency"], help_), (found["ordinary meanwhile"], meanwhile)])
            await asyncio.sleep(SETTLE)
    return found


async def _turn(place: Place, jobs: list[tuple[Seen, dict[str, Any]]]) -> None:
    done = await asyncio.gather(*(_work(place, at, job) for at, (_, job) in enumerate(jobs)))
    saw = await place.phones.ask(collect=True)
    for (seen, job), one in zip(jobs, done, strict=True):
        seen.asked += job["calls"]
        seen.refused += one["refused"]
        for number, moments in one["moments"].items():
            phone = saw.get(number)
            if len(moments) > 1:
                seen.accepted.append(moments[1] - moments[0])
            if phone is None:
                continue
            seen.invited.append(phone["invited"] - moments[0])
            seen.dialled += bool(phone["destination_invites"])
            seen.twice += phone["destination_invites"] > 1
            if phone["destination_invites"]:
                seen.reached.append(phone["destination_invited"] - phone["answered"])


async def _work(place: Place, caller: int, job: dict[str, Any]) -> Any:
    return await place.callers[caller].ask(**job)


@asynccontextmanager
async def _everything_in_the_way(place: Place) -> AsyncIterator[None]:
    """Hold all connections, those in reserve too, and let the kernel refuse the service every byte in a file (EFBIG)."""
    host, port, pid = place.emergency["host"], place.emergency["port"], place.service.pid
    holders = [await asyncio.open_connection(host, port) for _ in range(PLACES + RESERVED)]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        for _, writer in holders:
            writer.close()


@asynccontextmanager
async def _town(count: int) -> AsyncIterator[Place]:
    """Start everything; at the end nothing is left."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = stack.enter_context((folder / "log").open("wb+"))
        settings = SETTINGS | {"C2C_HTTP__MAX_CONNECTIONS": str(PLACES)}

        async def start(module: str, **told: Any) -> Child:
            child = await Child.start(module, told, environment=settings, log=log if module == "service" else None)
            stack.push_async_callback(child.stop)
            return child

        phones = await start("emergency_phones")
        carrier = ("127.0.0.1", int(await phones.hear()))
        callers = await start("load", pairs=count), await start("load", pairs=ORDINARY_USERS)
        ports = [await caller.hear() for caller in callers]
        phones.tell(listener=ports[0])  # the other one waits for nobody
        devices = [DeviceAccount(f"d{i}", secrets.token_hex(8)) for i in range(count + ORDINARY_USERS)]
        asterisk = await stack.enter_async_context(
            await Asterisk.start(await obtain(progress=print), devices, carrier, choose_ports=ports_with_room)
        )
        passwords = {device.name: device.password for device in devices}
        if await phones.ask(register=asterisk.ports.sip, devices=passwords) != "registered":
            raise RuntimeError("the phones are not registered")
        config, ordinary, emergency = await _deploy(folder, asterisk, count)
        service = await start("service", config=str(config))
        where = await listening(folder / "log")
        yield Place(phones, callers, service, ordinary | where, emergency | where)


async def _deploy(folder: Path, asterisk: Asterisk, count: int) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """A configuration and a database for the service; what a caller needs to know of an open account and of a closed one."""
    url = f"sqlite+aiosqlite:///{folder}/c2c.db"
    config = folder / "c2c.toml"
    config.write_text(
        template(
            listen="127.0.0.1:0",
            ari_url=asterisk.http_url,
            ari_username=asterisk.ari_username,
            ari_password=asterisk.ari_password,
            ari_app=asterisk.app,
            database_url=url,
            trunk_endpoint="PJSIP/{number}@carrier",
        )
    )
    store = await open_store(url, migrate=True)
    try:
        platform = await store.create_platform("bench")
        key, _ = await store.create_key(platform.id)
        jobs = []
        for policy, devices in (({}, range(count, count + ORDINARY_USERS)), (CLOSED, range(count))):
            account = await store.create_account(platform.id, "Bench", policy=json.dumps(policy))
            users = []
            for device in devices:
                number = await store.create_phone_number(account.id, f"+{FIRST_NUMBER + device}")
                user = await store.create_user(account.id, key_of(device))
                await store.update_user(account.id, user.id, {"caller_number_id": number.id})
                await store.create_device(account.id, user.id, f"d{device}")
                users.append(user.id)
            head = f"Host: bench\r\nAuthorization: Bearer {key}\r\nDialStack-Account: {account.id}\r\n"
            jobs.append({"head": head + "Content-Type: application/json\r\n", "users": users})
    finally:
        await store.close()
    return config, jobs[0], jobs[1]


def told(found: dict[str, Seen]) -> list[str]:
    """The figures, a line a kind."""
    lines = []
    for kind, seen in found.items():
        times = [
            f"{what} p50 {quantile(values, 0.5):.1f} p99 {quantile(values, 0.99):.1f} ms"
            for what, values in (
                ("to 202", seen.accepted),
                ("to INVITE", seen.invited),
                ("answer to carrier", seen.reached),
            )
            if values
        ]
        counted = f"{seen.asked} asked, {seen.dialled} dialled, {seen.twice} twice, {seen.refused} refused"
        lines.append("; ".join([f"{kind}: {counted}", *times]))
    return lines


def ratio(found: dict[str, Seen]) -> float:
    """How many times as long as ordinary calls the emergency calls took, at the 99th percentile, from request to INVITE."""
    return quantile(found["emergency"].invited, 0.99) / quantile(found["ordinary"].invited, 0.99)


async def main() -> int:
    """Measure, and print the figures; gives 1 if an emergency call was lost, or they were late."""
    found = await measure(CALLS, TURNS, RATE)
    for line in told(found):
        print(line)
    help_ = found["emergency"]
    whole = help_.dialled == help_.asked and not help_.twice
    print(f"{'met' if whole else 'MISSED'}: {help_.dialled} of {help_.asked} emergency calls reached the carrier")
    print(f"{'met' if ratio(found) <= AIM else 'MISSED'}: p99 is {ratio(found):.2f} times as long, of {AIM:g}")
    return int(not whole or ratio(found) > AIM)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
