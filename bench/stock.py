"""asyncari as its documents teach it: its own HTTP client, its objects, callbacks on its channels.

The same sequence as the others, so that only the library differs. Written with care for what would end the whole client: an
exception in a callback, and a callback that takes long.
"""

import asyncio
import logging
from typing import Any

import anyio
import asyncari
import httpx
from asyncari.model import OperationError

from bench.orders import CALLER, devices_of, settings, take_orders

APP = "bench-stock"


class Stock:
    """All calls of this process."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._calls: dict[str, OneCall] = {}

    def place(self, number: str, pair: int) -> None:
        """Begin one call."""
        call = f"s{number[1:]}"
        self._calls[call] = OneCall(self._client, call, number, pair)
        self._client.taskgroup.start_soon(self._run, self._calls[call])

    async def started(self, channel: Any) -> None:
        """A channel of ours is in Stasis."""
        call = self._calls.get(channel.id.partition(".")[0])
        if call is not None:
            await call.started(channel)

    async def _run(self, call: "OneCall") -> None:
        await call.run()
        del self._calls[call.id]


class OneCall:
    """One call, as the objects of asyncari see it."""

    def __init__(self, client: Any, call_id: str, number: str, pair: int) -> None:
        self._client = client
        self.id = call_id
        self._number = number
        self._devices = devices_of(pair)
        self._channels: dict[str, Any] = {}
        self._bridge: Any = None
        self._winner: Any = None
        self._bridged = anyio.Event()
        self._prepared = anyio.Event()
        self._over = anyio.Event()

    async def run(self) -> None:
        """Ask for everything, then wait for the end."""
        variables = {"variables": {"CALLERID(all)": CALLER, "CONNECTEDLINE(num,i)": self._number}}
        async with anyio.create_task_group() as group:
            for i, device in enumerate(self._devices, 1):
                group.start_soon(self._create, f"PJSIP/{device}", f"{self.id}.a{i}", variables)
            group.start_soon(self._create, f"PJSIP/{self._number}@carrier", f"{self.id}.b", {})
            self._bridge = await self._client.bridges.createWithId(bridgeId=self.id, type="mixing,proxy_media")
            self._bridged.set()
        await self._over.wait()
        await self._calmly(self._bridge.destroy())

    async def started(self, channel: Any) -> None:
        """One of our channels exists: follow it, and go on."""
        self._channels[channel.id] = channel
        channel.on_event("ChannelDestroyed", self._ended, channel)
        if channel.id.endswith(".b"):
            await self._bridged.wait()
            await self._calmly(self._bridge.addChannel(channel=channel.id, inhibitConnectedLineUpdates=True))
            self._prepared.set()
            return
        channel.on_event("ChannelStateChange", self._changed, channel)
        await self._calmly(channel.dial(timeout=60))

    def _changed(self, _event: object, channel: Any) -> None:
        if channel.state == "Up" and self._winner is None:
            self._winner = channel
            self._client.taskgroup.start_soon(self._join)

    def _ended(self, _event: object, channel: Any) -> None:
        self._channels.pop(channel.id, None)
        if not self._channels:
            self._over.set()
        elif channel is self._winner or channel.id.endswith(".b"):
            for other in self._channels.values():
                self._client.taskgroup.start_soon(self._calmly, other.hangup())

    async def _join(self) -> None:
        winner = self._winner
        async with anyio.create_task_group() as group:
            for leg, channel in list(self._channels.items()):
                if channel is not winner and not leg.endswith(".b"):
                    group.start_soon(self._calmly, channel.hangup(reason_code="26"))
            add = self._bridge.addChannel(channel=winner.id, inhibitConnectedLineUpdates=True)
            group.start_soon(self._calmly, add)
            await self._prepared.wait()
            await self._calmly(self._channels[f"{self.id}.b"].dial(timeout=60, caller=winner.id))

    async def _create(self, endpoint: str, leg: str, more: dict[str, Any]) -> None:
        await self._calmly(self._client.channels.create(endpoint=endpoint, app=APP, channelId=leg, **more))

    async def _calmly(self, request: Any) -> None:
        """A refusal is an exception, and one of those would end every call."""
        try:
            await request
        except (httpx.HTTPStatusError, OperationError) as error:
            logging.getLogger("bench").error("refused: %s", str(error).partition("?")[0])


async def main() -> None:
    """Serve until killed."""
    logging.basicConfig(level=logging.ERROR)  # it warns of every event that it does not know
    ari = settings()
    async with asyncari.connect(ari["url"], APP, ari["username"], ari["password"]) as client:
        stock = Stock(client)
        await take_orders(stock.place)
        async with client.on_channel_event("StasisStart") as listener:
            async for objects, _event in listener:
                client.taskgroup.start_soon(stock.started, objects["channel"])


if __name__ == "__main__":
    asyncio.run(main())
