"""Two benches for the same stories: the switch of the tests on a standing clock, and a real Asterisk with scripted phones."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

from msgspec.structs import replace

from c2c_stasis.ari.connection import AppTaken, Connection
from c2c_stasis.call.commands import Command, CreateBridge, CreateLeg, DialLeg, JoinLeg
from c2c_stasis.call.model import Call, Party
from c2c_stasis.call.signals import LegAnswered, LegCreated, LegEnded, LegJoined, Signal
from c2c_stasis.ids import CALL, CallId, LegId, new_id
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.phone import Phone
from c2c_stasis.lab.script import Script
from tests.call.stories import outward_call
from tests.fakes.clock import Clock, standing_clock
from tests.fakes.switch import FakeSwitch
from tests.fakes.waiting import until

CARRIER = "PJSIP/+15551234567@carrier"
DEVICES = ("d1", "d2", "d3")
WITHIN = 10.0  # seconds; everything here takes a fraction of one, or the second that the shortest dial timer has
_apps = count(1)


class Ear:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Signal] = []
        self.connects = 0

    def receive(self, leg_id: LegId, signal: Signal) -> None:
        assert getattr(signal, "leg_id", None) == leg_id
        self.heard.append(signal)

    async def connected(self) -> None:
        self.connects += 1


class Plugged(ABC):
    """A phone on the bench."""

    @property
    @abstractmethod
    def invites(self) -> int:
        """How many INVITEs it got."""

    @abstractmethod
    async def unregister(self) -> None:
        """Take the contact that registered last away."""

    @abstractmethod
    async def vanish(self) -> None:
        """Answer nothing any more, and let the switch find out."""


class Bench(ABC):
    """A switch, somebody who listens to it, and phones."""

    switch: Connection | FakeSwitch
    running: asyncio.Task[None]

    def __init__(self) -> None:
        self.ear = Ear()

    # --- what the two do each in its own way ---

    @abstractmethod
    async def phone(self, name: str, script: Script, *, contacts: int = 1) -> Plugged:
        """Register a phone."""

    @abstractmethod
    def carrier(self, script: Script) -> None:
        """Say what the carrier does with the next calls."""

    @abstractmethod
    async def until(self, ready: Callable[[], object], what: str) -> None:
        """Wait until something is so; fails when it is not in time."""

    @abstractmethod
    async def cut(self) -> None:
        """Cut the event connection, which may come back at once."""

    @abstractmethod
    async def restart(self) -> None:
        """Let the switch begin anew."""

    @abstractmethod
    async def take_over(self) -> None:
        """Connect somebody else under our application's name."""

    # --- what stories are made of ---

    def call(self) -> Call:
        """A new call; its legs are made by the story."""
        return replace(outward_call(), id=CallId(new_id(CALL)))

    async def ask(self, call: Call, *commands: Command) -> None:
        """Let the switch carry out commands, one after the other."""
        for command in commands:
            await self.switch.execute(call, command)

    async def make(self, call: Call, name: str = "a1", endpoint: str = "PJSIP/d1") -> LegId:
        """A leg that was created and may be dialled."""
        leg_id = LegId(f"{call.id}.{name}")
        await self.ask(call, create(leg_id, endpoint))
        await self.hears(LegCreated(leg_id))
        return leg_id

    async def answered(self, call: Call, name: str = "a1", endpoint: str = "PJSIP/d1") -> LegId:
        """A leg that was created, dialled and answered."""
        leg_id = await self.make(call, name, endpoint)
        await self.ask(call, DialLeg(leg_id, None, 30))
        await self.hears(LegAnswered(leg_id))
        return leg_id

    async def joined(self, call: Call, leg_id: LegId) -> None:
        """Put a leg into the call's bridge."""
        await self.ask(call, CreateBridge(), JoinLeg(leg_id))
        await self.hears(LegJoined(leg_id))

    async def hears(self, signal: Signal) -> None:
        """Wait for one signal."""
        await self.until(lambda: signal in self.ear.heard, f"{signal}, and not {self.ear.heard}")

    async def hears_end(self, leg_id: LegId) -> LegEnded:
        """Wait for the end of a leg; how its media were is another story (`tests/live/test_quality.py`)."""
        await self.until(lambda: self.end_of(leg_id), f"the end of {leg_id}")
        end = self.end_of(leg_id)
        assert end is not None
        return replace(end, quality=None)

    def end_of(self, leg_id: LegId) -> LegEnded | None:
        """The end of a leg, if it was heard."""
        return next((one for one in self.ear.heard if isinstance(one, LegEnded) and one.leg_id == leg_id), None)

    def heard_of(self, leg_id: LegId) -> list[Signal]:
        """What was heard of one leg, each thing once, in order."""
        heard = (one for one in self.ear.heard if getattr(one, "leg_id", None) == leg_id)
        return list(dict.fromkeys(replace(one, quality=None) if isinstance(one, LegEnded) else one for one in heard))


def create(leg_id: LegId, endpoint: str = "PJSIP/d1", lifetime: int = 60) -> CreateLeg:
    """The command that makes a leg."""
    return CreateLeg(leg_id, endpoint, Party("+15557654321", "Ann"), Party("+15551234567"), "US", lifetime)


# --- the switch of the tests ---


class FakePhone(Plugged):
    """A far end of the fake switch."""

    def __init__(self, switch: FakeSwitch, name: str, script: Script, contacts: int) -> None:
        self._phone = switch.phone(name, script, contacts=contacts)

    @property
    def invites(self) -> int:
        return len(self._phone.rings)

    async def unregister(self) -> None:
        self._phone.unregister(list(self._phone.contacts)[-1])

    async def vanish(self) -> None:
        self._phone.vanish(list(self._phone.contacts)[-1])


class FakeBench(Bench):
    """The switch of the tests on a standing clock."""

    switch: FakeSwitch

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.switch = FakeSwitch(clock)
        self._trunk = self.switch.trunk("carrier")

    @classmethod
    @asynccontextmanager
    async def set_up(cls) -> AsyncIterator["FakeBench"]:
        """A bench whose switch is connected."""
        with standing_clock() as clock:
            bench = cls(clock)
            bench.running = asyncio.create_task(bench.switch.run(bench.ear))
            await bench.switch.watch(DEVICES)
            await clock.settle()
            yield bench
            await _end(bench.running)

    async def phone(self, name: str, script: Script, *, contacts: int = 1) -> Plugged:
        return FakePhone(self.switch, name, script, contacts)

    def carrier(self, script: Script) -> None:
        self._trunk.script = script

    async def until(self, ready: Callable[[], object], what: str) -> None:
        await self._clock.until(ready, what, WITHIN)

    async def cut(self) -> None:
        self.switch.cut()
        await self._clock.settle()
        self.switch.mend()

    async def restart(self) -> None:
        await self._clock.advance(1.0)
        self.switch.restart()
        await self._clock.settle()
        self.switch.mend()

    async def take_over(self) -> None:
        self.switch.take_over()


# --- a real Asterisk ---


class RealPhone(Plugged):
    """A scripted SIP phone, registered in so many places."""

    def __init__(self, asterisk: Asterisk, phones: list[Phone]) -> None:
        self._asterisk = asterisk
        self._phones = phones

    @property
    def invites(self) -> int:
        return sum(len(phone.calls) for phone in self._phones)

    async def unregister(self) -> None:
        await self._phones[-1].unregister()

    async def vanish(self) -> None:
        self._phones[-1].die()
        await self._asterisk.cli(f"pjsip qualify {self._phones[-1].name}")


class RealBench(Bench):
    """A real Asterisk, a carrier, and an application of its own for each story."""

    switch: Connection

    def __init__(self, asterisk: Asterisk, carrier: Phone, stack: AsyncExitStack) -> None:
        super().__init__()
        self._asterisk = asterisk
        self._carrier = carrier
        self._stack = stack
        self._app = f"contract-{next(_apps)}"
        self.switch = self._connection()

    @classmethod
    @asynccontextmanager
    async def set_up(cls, asterisk: Asterisk, carrier: Phone) -> AsyncIterator["RealBench"]:
        """A bench whose switch is connected."""
        async with AsyncExitStack() as stack:
            bench = cls(asterisk, carrier, stack)
            bench.running = asyncio.create_task(bench.switch.run(bench.ear))
            stack.push_async_callback(_end, bench.running)
            await bench.switch.watch(DEVICES)
            await bench.until(lambda: bench.ear.connects, "a connection")
            yield bench
            if not bench.running.done():
                await bench.switch.sweep((await bench.switch.look()).legs, ())

    async def phone(self, name: str, script: Script, *, contacts: int = 1) -> Plugged:
        phones = []
        for _ in range(contacts):
            phone = await Phone.start(name, server=self._asterisk.sip_address, password=name, script=script)
            self._stack.push_async_callback(phone.stop)
            phones.append(phone)
        await self.until(lambda: len(self.switch.contacts(name)) == contacts, f"{contacts} contacts of {name}")
        return RealPhone(self._asterisk, phones)

    def carrier(self, script: Script) -> None:
        self._carrier.script = script

    async def until(self, ready: Callable[[], object], what: str) -> None:
        await until(ready, what, WITHIN)

    async def cut(self) -> None:
        await self._asterisk.cli("ari shutdown websocket sessions")

    async def restart(self) -> None:
        await self._asterisk.restart()

    async def take_over(self) -> None:
        other = self._connection()
        running = asyncio.create_task(other.run(Ear()))
        self._stack.push_async_callback(_end, running)
        await self.until(lambda: other.connected, "the other service")

    def _connection(self) -> Connection:
        asterisk = self._asterisk
        return Connection(asterisk.http_url, asterisk.ari_username, asterisk.ari_password, self._app)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and not isinstance(task.exception(), AppTaken | None):
        await task
