"""The floor: a bare script over ARI that places the same calls with the fewest requests, and nothing else.

No API, no store, no events, no errors, no restart: what any program on plain aiohttp pays at least. The sequence is that of the
service: bridge and destination leg are made while the phones ring.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.orders import CALLER, devices_of, settings, take_orders

APP = "bench-floor"
EVENTS = ("StasisStart", "ChannelStateChange", "ChannelDestroyed")
CONNECTIONS = 32


@dataclass
class Call:
    """One call on its way: which channels live, and who has won."""

    number: str
    live: set[str] = field(default_factory=set)
    winner: str = ""
    prepared: asyncio.Event = field(default_factory=asyncio.Event)


class Floor:
    """All calls of this process."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._calls: dict[str, Call] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def place(self, number: str, pair: int) -> None:
        """Begin one call."""
        call = f"f{number[1:]}"
        self._calls[call] = Call(number)
        variables = {"CALLERID(all)": CALLER, "CONNECTEDLINE(num,i)": number}
        for i, device in enumerate(devices_of(pair), 1):
            self._create(f"PJSIP/{device}", f"{call}.a{i}", variables)
        self._create(f"PJSIP/{number}@carrier", f"{call}.b", {})
        self._later(self._ask("POST", f"bridges/{call}", type="mixing,proxy_media"))

    def hear(self, event: dict[str, Any]) -> None:
        """Do what an event asks for."""
        channel = event["channel"]
        leg: str = channel["id"]
        name = leg.partition(".")[0]
        call = self._calls.get(name)
        if call is None:
            return
        match event["type"]:
            case "StasisStart":
                call.live.add(leg)
                self._later(self._prepare(name, leg) if leg.endswith(".b") else self._dial(leg))
            case "ChannelStateChange" if channel["state"] == "Up" and not leg.endswith(".b") and not call.winner:
                self._join(name, call, leg)
            case "ChannelDestroyed":
                self._end(name, call, leg)

    def _join(self, name: str, call: Call, winner: str) -> None:
        call.winner = winner
        self._later(self._add(name, winner))
        self._later(self._dial_destination(call, f"{name}.b"))
        for leg in call.live - {winner, f"{name}.b"}:
            self._later(self._ask("DELETE", f"channels/{leg}?reason_code=26"))

    def _end(self, name: str, call: Call, leg: str) -> None:
        call.live.discard(leg)
        if not call.live:
            del self._calls[name]
            self._later(self._ask("DELETE", f"bridges/{name}"))
        elif leg in (call.winner, f"{name}.b"):
            for other in call.live:
                self._later(self._ask("DELETE", f"channels/{other}"))

    async def _prepare(self, name: str, leg: str) -> None:
        await self._add(name, leg)
        self._calls[name].prepared.set()

    async def _dial_destination(self, call: Call, leg: str) -> None:
        await call.prepared.wait()
        await self._dial(leg, caller=call.winner)

    async def _dial(self, leg: str, **more: str) -> None:
        await self._ask("POST", f"channels/{leg}/dial", timeout=60, **more)

    async def _add(self, name: str, leg: str) -> None:
        await self._ask("POST", f"bridges/{name}/addChannel", channel=leg, inhibitConnectedLineUpdates=True)

    def _create(self, endpoint: str, leg: str, variables: dict[str, str]) -> None:
        self._later(
            self._ask("POST", "channels/create", endpoint=endpoint, app=APP, channelId=leg, variables=variables)
        )

    async def _ask(self, method: str, path: str, **body: object) -> None:
        async with self._session.request(method, f"{self._url}/{path}", json=body or None) as reply:
            await reply.read()

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def main() -> None:
    """Serve until killed."""
    ari = settings()
    login = {"Authorization": aiohttp.encode_basic_auth(ari["username"], ari["password"])}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=10)
    async with aiohttp.ClientSession(headers=login, connector=connector) as session:
        url = f"{ari['url']}ari"
        async with session.ws_connect(f"{url}/events?app={APP}") as socket:
            allowed = {"allowed": [{"type": name} for name in EVENTS]}
            async with session.put(f"{url}/applications/{APP}/eventFilter", json=allowed) as reply:
                reply.raise_for_status()
            floor = Floor(session, url)
            await take_orders(floor.place)
            async for message in socket:
                floor.hear(json.loads(message.data))


if __name__ == "__main__":
    asyncio.run(main())
