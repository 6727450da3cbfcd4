"""A town to call in: an Asterisk, pairs of phones, a carrier, and four ways of making calls side by side."""

import asyncio
import dataclasses
import secrets
import signal
import socket
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp

from bench import ami
from bench.child import Child
from c2c_stasis.config import template
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.ports import RTP_FIRST, RTP_LAST, Ports, free_ports
from c2c_stasis.store.sql_store import open_store

PAIRS = 20  # users, with two phones each
READY_WITHIN = 20.0  # seconds
SETTINGS = {
    "C2C_CALLS__MAX_CALLS_PER_USER": "100",  # the most it takes: 500 live calls of 20 users
    "C2C_HTTP__MAX_CONNECTIONS": "4000",  # for event streams, all from one address and with one key
    "C2C_HTTP__MAX_CONNECTIONS_PER_ADDRESS": "4000",
    "C2C_HTTP__MAX_STREAMS_PER_ACCOUNT": "4000",
    "C2C_HTTP__MAX_STREAMS_PER_CREDENTIAL": "4000",
}
# Far above what a bench does, and yet counted: without a limit there would be less to do for a call than for anybody's.
_LIMITS = {
    "STARTS_PER_SECOND": 1000,
    "BURST": 10_000,
    "SAME_DESTINATION": 100_000,
    "INTERNATIONAL_PER_HOUR": 1_000_000,
    "MINUTES_PER_DAY": 10_000_000,
}
SETTINGS |= {
    f"C2C_{whose}_LIMITS__{name}": str(most) for whose in ("USER", "ACCOUNT", "KEY") for name, most in _LIMITS.items()
}
SETTINGS |= {f"C2C_{whose}_LIMITS__CALLS_AT_A_TIME": "100000" for whose in ("ACCOUNT", "KEY")}


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """One way of making calls: its process, and how the caller asks it."""

    name: str
    title: str
    child: Child
    job: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Town:
    """What runs."""

    asterisk: Asterisk
    phones: Child
    caller: Child
    ways: dict[str, Way]
    database: Path

    def outcomes(self, first: int, calls: int) -> list[str]:
        """How the service's calls to these numbers ended, by its records."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT outcome FROM calls WHERE to_number >= ? AND to_number < ?", (f"+1{first}", f"+1{first + calls}")
            )
            return [str(row[0]) for row in rows]

    async def held(self) -> dict[str, int]:
        """What the service's process holds now."""
        service = self.ways["service"].child
        service.process.send_signal(signal.SIGUSR1)
        return dict(await service.hear())


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    """Start everything; at the end nothing is left."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = stack.enter_context((folder / "log").open("wb+"))

        async def start(module: str, **settings: Any) -> Child:
            child = await Child.start(
                module, settings, environment=SETTINGS, log=log if module in ("service", "stock") else None
            )
            stack.push_async_callback(child.stop)
            return child

        phones = await start("phones")
        carrier = ("127.0.0.1", int(await phones.hear()))
        caller = await start("load", pairs=PAIRS)
        phones.tell(listener=await caller.hear())
        devices = [DeviceAccount(f"d{i}", secrets.token_hex(8)) for i in range(PAIRS * 2)]
        asterisk = await stack.enter_async_context(
            await Asterisk.start(await obtain(progress=print), devices, carrier, choose_ports=ports_with_room)
        )
        passwords = {device.name: device.password for device in devices}
        if await phones.ask(register=asterisk.ports.sip, devices=passwords) != "registered":
            raise RuntimeError("the phones are not registered")
        login = {"url": asterisk.http_url, "username": asterisk.ari_username, "password": asterisk.ari_password}
        floor, stock = await start("floor", **login), await start("stock", **login)
        manager = await start("ami", **await _open_manager(asterisk))
        config, job = await _deploy(folder, asterisk, devices)
        service = await start("service", config=str(config))
        job |= await listening(folder / "log")
        ways = [
            Way("floor", "bare ARI script", floor, {"order_port": await floor.hear()}),
            Way("ami", "AMI and dialplan", manager, {"order_port": await manager.hear()}),
            Way("stock", "stock asyncari", stock, {"order_port": await stock.hear()}),
            Way("service", "c2c-stasis", service, job),
        ]
        yield Town(asterisk, phones, caller, {way.name: way for way in ways}, folder / "c2c.db")


def ports_with_room() -> Ports:
    """With room for more legs than a laboratory's Asterisk usually has."""
    return dataclasses.replace(free_ports(), rtp=(RTP_FIRST, RTP_LAST))


async def _open_manager(asterisk: Asterisk) -> dict[str, Any]:
    """Give this Asterisk what AMI needs, and the shipped configuration does without."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secret = secrets.token_hex(8)
    etc = asterisk.run_dir / "etc"
    (etc / "manager.conf").write_text(ami.MANAGER.format(port=port, secret=secret))
    with (etc / "extensions.conf").open("a") as file:
        file.write(ami.dialplan(PAIRS))
    for command in (f"module load {ami.MODULE}", "dialplan reload", "manager reload"):
        await asterisk.cli(command)
    return {"port": port, "secret": secret}


async def _deploy(folder: Path, asterisk: Asterisk, devices: list[DeviceAccount]) -> tuple[Path, dict[str, Any]]:
    """A configuration and a database for the service, and what a caller needs to know of them."""
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
        account = await store.create_account(platform.id, "Bench")
        users: list[str] = []
        for pair in zip(devices[::2], devices[1::2], strict=True):
            user = await store.create_user(account.id, f"User of {pair[0].name}")
            users.append(user.id)
            for device in pair:
                await store.create_device(account.id, user.id, device.name)
        key, _ = await store.create_key(platform.id)
    finally:
        await store.close()
    head = f"Host: bench\r\nAuthorization: Bearer {key}\r\nDialStack-Account: {account.id}\r\n"
    head += "Content-Type: application/json\r\n"
    return config, {"head": head, "users": users}


async def listening(log: Path) -> dict[str, Any]:
    """Where the service listens, once it is ready."""
    end = time.monotonic() + READY_WITHIN
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < end:
            await asyncio.sleep(0.1)
            _, found, rest = log.read_text().partition("url=http://")
            if not found:
                continue
            address = rest.split()[0]
            async with session.get(f"http://{address}/readyz") as reply:
                if reply.status == 200:
                    host, _, port = address.rpartition(":")
                    return {"host": host, "port": int(port)}
    raise RuntimeError(f"the service is not ready:\n{log.read_text()}")
