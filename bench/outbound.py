"""`python -m bench.outbound`: what is lost of Asterisk's events when whoever receives them is cut off again and again.

Two ways: Asterisk's persistent outbound websocket (`type = outbound_websocket` in ari.conf), which keeps events while nobody is
there and sends them then; and the default, where the service opens the websocket and looks afterwards what it missed. The
events are numbered, so that each one can be missed; `docs/decisions` has the figures.
"""

import argparse
import asyncio
import contextlib
import random
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from socket import SHUT_RDWR

import aiohttp
from aiohttp import web
from tests.live.waiting import until

from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import shipped
from c2c_stasis.lab.obtain import obtain

CUTS = 250
RATE = 200.0  # events a second
APP = "c2c-cut"
AGAIN = 0.1  # seconds until the default way connects again
AGAIN_ASTERISK = 100  # milliseconds, the same for Asterisk
JUST_NOW = 1.0  # seconds; what was sent since then was on its way when Asterisk crashed
LONGEST_LIFE = 0.6  # seconds until a connection is cut
LONGEST_PAUSE = 0.05  # seconds in which a receiver that will be killed reads nothing any more
SETTLES = 3.0  # seconds after which nothing more comes
AWAY, AWAY_RATE = 20.0, 1000.0  # seconds, events a second: how much Asterisk keeps

OUTBOUND = """
[{app}]
type = outbound_websocket
websocket_client_id = {app}
apps = {app}
local_ari_user = c2c-stasis
"""
CLIENT = """
[{app}]
type = websocket_client
connection_type = persistent
uri = ws://127.0.0.1:{port}/ari
protocols = ari
username = c2c
password = c2c
connection_timeout = 500
reconnect_interval = {again}
"""


class Received:
    """What came, of what was sent."""

    def __init__(self) -> None:
        self.sent: dict[int, float] = {}
        self.came: Counter[int] = Counter()
        self.lateness: list[float] = []
        self.cuts = 0
        self.deaf = False
        self.deaths: list[int] = []
        """After how many cuts Asterisk itself crashed."""
        self.died_with_it = 0

    def take(self, text: str) -> None:
        """One message of Asterisk."""
        name = text.partition('"eventname":"')[2].partition('"')[0]
        if self.deaf or not name.isdecimal():
            return
        number = int(name)
        self.came[number] += 1
        if number in self.sent:
            self.lateness.append(time.monotonic() - self.sent[number])

    def died(self) -> None:
        """Asterisk has crashed: what was on its way is not lost by a cut."""
        now = time.monotonic()
        on_its_way = [number for number, at in self.sent.items() if number not in self.came and now - at < JUST_NOW]
        for number in on_its_way:
            del self.sent[number]
        self.died_with_it += len(on_its_way)
        self.deaths.append(self.cuts)

    def report(self, way: str) -> str:
        """One paragraph."""
        lost = self.sent.keys() - self.came.keys()
        twice = sum(count > 1 for count in self.came.values())
        late = statistics.quantiles(self.lateness, n=100)
        crashes = f"Asterisk crashed {len(self.deaths)} times, after cut {self.deaths}, with {self.died_with_it} events"
        return (
            f"{way}: {self.cuts} cuts; {crashes if self.deaths else 'Asterisk never crashed'}; "
            f"{len(self.sent)} events sent, {len(lost)} lost, {twice} came twice; "
            f"from sending to arrival p50 {late[49] * 1000:.1f} ms, "
            f"p99 {late[98] * 1000:.0f} ms, longest {max(self.lateness) * 1000:.0f} ms"
        )


class Cutter:
    """Ends connections after a random time: at once, or `busy`, after a moment in which what comes is not taken any more, as
    when a process is killed that has more to do."""

    def __init__(self, chance: random.Random, received: Received, most: int, *, busy: bool) -> None:
        self._chance = chance
        self._received = received
        self._most = most
        self._busy = busy
        self.done = asyncio.Event()

    async def cut(self, end: Callable[[], None]) -> None:
        """Wait, and end a connection."""
        await asyncio.sleep(self._chance.uniform(0.02, LONGEST_LIFE))
        if self.done.is_set():
            return
        if self._busy:
            self._received.deaf = True
            await asyncio.sleep(self._chance.uniform(0.0, LONGEST_PAUSE))
        end()
        self._received.deaf = False
        self._received.cuts += 1
        if self._received.cuts >= self._most:
            self.done.set()


async def read(socket: web.WebSocketResponse | aiohttp.ClientWebSocketResponse, received: Received) -> None:
    """Take what comes until the end of the connection."""
    with contextlib.suppress(OSError, RuntimeError):
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                received.take(message.data)


class Receiver:
    """A server to which Asterisk connects; it can be away."""

    def __init__(self) -> None:
        self.received = Received()
        self.cutter: Cutter | None = None
        self.port = 0
        self._runner: web.AppRunner | None = None
        self.connected = asyncio.Event()

    async def open(self) -> None:
        """Listen, at the same port as before."""
        app = web.Application()
        app.router.add_get("/ari", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Be away."""
        assert self._runner is not None
        await self._runner.cleanup()
        self.connected.clear()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("ari",))
        with contextlib.suppress(ConnectionResetError):  # Asterisk has thought better of it, or has crashed
            await socket.prepare(request)
            await self._take_from(socket, request)
        return socket

    async def _take_from(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.connected.set()
        assert request.transport is not None
        cutting = asyncio.create_task(self.cutter.cut(request.transport.abort)) if self.cutter else None
        try:
            await read(socket, self.received)
        finally:
            if cutting is not None:
                cutting.cancel()


class Sender:
    """Sends numbered events through Asterisk to an application."""

    def __init__(self, asterisk: Asterisk, received: Received, session: aiohttp.ClientSession) -> None:
        self._asterisk = asterisk
        self._received = received
        self._session = session
        self._number = 0
        self.refused = 0
        self._asking: set[asyncio.Task[None]] = set()

    async def send(self, rate: float, until: asyncio.Event) -> None:
        """So many a second, until it is over."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while not until.is_set():
            if self._asterisk.pid is None:
                self._received.died()
                await self._asterisk.restart()
                due = clock()
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - clock()))
            task = asyncio.create_task(self._one(self._number))
            self._number += 1
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        await asyncio.gather(*self._asking)

    async def _one(self, number: int) -> None:
        self._received.sent[number] = time.monotonic()
        url = f"{self._asterisk.ari_url}/events/user/{number}"
        try:
            async with self._session.post(url, json={"application": APP}) as answer:
                taken = answer.status == 204
        except aiohttp.ClientError:  # it has crashed
            taken = False
        if not taken:  # or there is no application: nobody was to hear of it
            self._received.sent.pop(number, None)
            self.refused += 1


@contextlib.asynccontextmanager
async def asterisk_with(port: int | None) -> AsyncIterator[tuple[Asterisk, aiohttp.ClientSession]]:
    """An Asterisk, perhaps one that opens a websocket to this port."""
    with tempfile.TemporaryDirectory() as folder:
        etc = Path(folder) / "etc"
        shutil.copytree(shipped(), etc)
        if port is not None:
            with (etc / "ari.conf").open("a") as file:
                file.write(OUTBOUND.format(app=APP))
            with (etc / "websocket_client.conf").open("a") as file:
                file.write(CLIENT.format(app=APP, port=port, again=AGAIN_ASTERISK))
        async with await Asterisk.start(await obtain(progress=print), etc=etc) as asterisk:
            login = aiohttp.encode_basic_auth(asterisk.ari_username, asterisk.ari_password)
            async with aiohttp.ClientSession(
                headers={"Authorization": login}, connector=aiohttp.TCPConnector(limit=20, keepalive_timeout=10)
            ) as session:
                yield asterisk, session


async def outbound(cuts: int, chance: random.Random, *, busy: bool) -> str:
    """Asterisk connects to us, and is cut off."""
    receiver = Receiver()
    await receiver.open()
    receiver.cutter = Cutter(chance, receiver.received, cuts, busy=busy)
    async with asterisk_with(receiver.port) as (asterisk, session):
        await receiver.connected.wait()
        sender = Sender(asterisk, receiver.received, session)
        await sender.send(RATE, receiver.cutter.done)
        await asyncio.sleep(SETTLES)
        said = receiver.received.report(f"outbound, {_how(busy)}")
    await receiver.close()
    return f"{said}; {sender.refused} refused"


async def default(cuts: int, chance: random.Random, *, busy: bool) -> str:
    """We connect to Asterisk, and are cut off; of what was missed nothing is looked up here."""
    received = Received()
    cutter = Cutter(chance, received, cuts, busy=busy)
    async with asterisk_with(None) as (asterisk, session):
        first = asyncio.Event()
        listening = asyncio.create_task(_listen(asterisk, session, received, cutter, first))
        await first.wait()
        sender = Sender(asterisk, received, session)
        await sender.send(RATE, cutter.done)
        await asyncio.sleep(SETTLES)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    lost_nowhere = f"; {sender.refused} refused, because nobody had the application: each is one that is missed, too"
    return received.report(f"default, {_how(busy)}") + lost_nowhere


def _how(busy: bool) -> str:
    return "cut while busy" if busy else "cut at once"


async def _listen(
    asterisk: Asterisk, session: aiohttp.ClientSession, received: Received, cutter: Cutter, first: asyncio.Event
) -> None:
    while True:
        with contextlib.suppress(aiohttp.ClientError):  # it has crashed
            async with session.ws_connect(f"{asterisk.ari_url}/events?app={APP}") as socket:
                first.set()
                end = partial(socket.get_extra_info("socket").shutdown, SHUT_RDWR)
                cutting = asyncio.create_task(cutter.cut(end))
                await read(socket, received)
                cutting.cancel()
        await asyncio.sleep(AGAIN)


async def backlog() -> str:
    """How much Asterisk keeps for somebody who is away, and what it costs."""
    receiver = Receiver()
    await receiver.open()
    async with asterisk_with(receiver.port) as (asterisk, session):
        await receiver.connected.wait()
        await receiver.close()
        before, over = _memory(asterisk), asyncio.Event()
        sender = Sender(asterisk, receiver.received, session)
        asyncio.get_running_loop().call_later(AWAY, over.set)
        await sender.send(AWAY_RATE, over)
        after, log = _memory(asterisk), asterisk.log_path.stat().st_size
        began = time.monotonic()
        await receiver.open()
        await receiver.connected.wait()
        await until(lambda: len(receiver.received.came) == len(receiver.received.sent), "all that was kept", 60.0)
        took = time.monotonic() - began
        came, sent = len(receiver.received.came), len(receiver.received.sent)
        await receiver.close()
    return (
        f"away for {AWAY:g} s: {sent} events kept in {(after - before) / 1024:.1f} MB more of memory "
        f"({(after - before) * 1024 / max(sent, 1):.0f} bytes each), {log / 1e6:.1f} MB of log; "
        f"{came} of them came within {took:.1f} s of the return"
    )


def _memory(asterisk: Asterisk) -> int:
    """Resident memory in kB."""
    text = Path(f"/proc/{asterisk.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])


async def main() -> None:
    """All of it, one after the other."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cuts", type=int, default=CUTS)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    for measure, busy in ((outbound, False), (outbound, True), (default, False), (default, True)):
        print(await measure(chosen.cuts, random.Random(chosen.seed), busy=busy), flush=True)  # noqa: S311  # no secret
    print(await backlog())


if __name__ == "__main__":
    asyncio.run(main())
