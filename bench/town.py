"""A town to call in: an Asterisk, users with two phones each, a carrier, and the service as a process of its own."""

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from c2c_stasis.config import template
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.phone import Phone, Script
from c2c_stasis.lab.sip import SipMessage
from c2c_stasis.store.sql_store import open_store

READY_WITHIN = 20.0  # seconds
CALL_WITHIN = 30.0  # seconds


@dataclass
class Times:
    """Moments of one call on the machine's monotonic clock, in seconds; the phones read the same clock."""

    posted: float = 0.0
    accepted: float = 0.0
    invited: float = 0.0
    answered: float = 0.0
    destination_invited: float = 0.0


@dataclass
class Town:
    """What runs, and what was seen of each call by its destination number."""

    asterisk: Asterisk
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    url: str
    users: list[str]
    times: dict[str, Times] = field(default_factory=dict)
    invites: int = 0
    carrier_invites: int = 0

    async def place(self, user: str, number: str) -> str:
        """Post one call and give its path."""
        times = self.times[number] = Times(posted=time.monotonic())
        async with self.session.post(f"{self.url}/v1/calls", json={"user_id": user, "dial_string": number}) as reply:
            body = await reply.text()
            times.accepted = time.monotonic()
            if reply.status != 202:
                raise RuntimeError(f"{number}: {reply.status} {body}")
            return reply.headers["Location"]

    async def outcome(self, path: str) -> str:
        """Wait for the end of a call and say how it ended."""
        end = time.monotonic() + CALL_WITHIN
        while time.monotonic() < end:
            async with self.session.get(f"{self.url}{path}") as reply:
                record = await reply.json()
            if record["outcome"]:
                return str(record["outcome"])
            await asyncio.sleep(0.1)
        return "not ended"

    async def held(self) -> dict[str, Any]:
        """What the service's process holds now."""
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGUSR1)
        return dict(json.loads(await self.process.stdout.readline()))


@asynccontextmanager
async def town(users: int, *, talk: float) -> AsyncIterator[Town]:
    """Start everything; at the end nothing is left."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        holder: list[Town] = []
        carrier = await Phone.start(
            "carrier",
            script=Script(ring_after=0.0, answer_after=0.02, hang_up_after=talk, media=False),
            keep_messages=False,
            on_message=_watch(holder, _carrier_saw),
        )
        stack.push_async_callback(carrier.stop)
        devices = [DeviceAccount(f"d{i}", f"secret{i}") for i in range(users * 2)]
        installation = await obtain(progress=print)
        asterisk = await stack.enter_async_context(await Asterisk.start(installation, devices, carrier.address))
        for i, device in enumerate(devices):
            answers = Script(ring_after=0.0, answer_after=0.02, media=False)
            rings = Script(ring_after=0.0, media=False)
            phone = await Phone.start(
                device.name,
                server=asterisk.sip_address,
                password=device.password,
                script=rings if i % 2 else answers,
                keep_messages=False,
                on_message=_watch(holder, _device_saw),
            )
            stack.push_async_callback(phone.stop)
        config = folder / "c2c.toml"
        database = f"sqlite+aiosqlite:///{folder}/c2c.db"
        key, account, ids = await _provision(database, devices)
        config.write_text(
            template(
                listen="127.0.0.1:0",
                ari_url=asterisk.http_url,
                ari_username=asterisk.ari_username,
                ari_password=asterisk.ari_password,
                ari_app=asterisk.app,
                database_url=database,
                trunk_endpoint="PJSIP/{number}@carrier",
            )
        )
        log = stack.enter_context((folder / "log").open("wb+"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.service", str(config), stdout=asyncio.subprocess.PIPE, stderr=log
        )
        stack.push_async_callback(_end, process)
        headers = {"Authorization": f"Bearer {key}", "DialStack-Account": account}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        url = await _ready(session, folder / "log")
        holder.append(Town(asterisk, process, session, url, ids))
        yield holder[0]


async def _provision(database: str, devices: list[DeviceAccount]) -> tuple[str, str, list[str]]:
    store = await open_store(database, migrate=True)
    try:
        platform = await store.create_platform("bench")
        account = await store.create_account(platform.id, "Bench")
        ids = []
        for pair in zip(devices[::2], devices[1::2], strict=True):
            user = await store.create_user(account.id, f"User of {pair[0].name}")
            ids.append(user.id)
            for device in pair:
                await store.create_device(account.id, user.id, device.name)
        key, _ = await store.create_key(platform.id)
        return key, account.id, list(ids)
    finally:
        await store.close()


async def _ready(session: aiohttp.ClientSession, log: Path) -> str:
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end:
        await asyncio.sleep(0.1)
        for line in log.read_text().splitlines():
            _, found, rest = line.partition("url=http://")
            if found:
                url = f"http://{rest.split()[0]}"
                async with session.get(f"{url}/readyz") as reply:
                    if reply.status == 200:
                        return url
    raise RuntimeError(f"the service is not ready:\n{log.read_text()}")


def _watch(holder: list[Town], saw: Callable[[Town, SipMessage], None]) -> Callable[[Phone, SipMessage], None]:
    def on_message(_phone: Phone, message: SipMessage) -> None:
        if holder:
            saw(holder[0], message)

    return on_message


def _number_of(value: str | None) -> str:
    return (value or "").partition("sip:")[2].partition("@")[0]


def _device_saw(town: Town, message: SipMessage) -> None:
    """A phone shows the destination as the caller, so its number says which call this is."""
    times = town.times.get(_number_of(message.header("From")))
    if times is None:
        return
    if not message.sent and message.method == "INVITE":
        town.invites += 1
        times.invited = times.invited or message.at
    if message.sent and message.status == 200 and "INVITE" in (message.header("CSeq") or ""):
        times.answered = times.answered or message.at


def _carrier_saw(town: Town, message: SipMessage) -> None:
    if not message.sent and message.method == "INVITE":
        town.carrier_invites += 1
        times = town.times.get(_number_of(message.start_line))
        if times is not None:
            times.destination_invited = times.destination_invited or message.at


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
