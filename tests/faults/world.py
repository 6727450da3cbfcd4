"""People who call at a rate through a service of its own process, with a line to Asterisk that can be spoiled."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

from c2c_stasis.lab.call import CallOver
from c2c_stasis.lab.phone import PhoneCall, Script
from tests.faults.ledger import Caller, Entry, Ledger
from tests.faults.proxy import FaultProxy
from tests.live.process import ServiceProcess
from tests.live.story import Story

ALONE, WITH_TWO = 30, 10  # users who call, with one device and with two
COLLEAGUES = 5  # users who are called by extension, with two devices; each once in a trial
INSIDE = 0.2  # the share of calls to a colleague
FIRST_EXTENSION = 2000
LIMITS = {"ring_timeout": 4.0, "answer_timeout": 4.0, "tone_seconds": 0.5}
USERS_TONE, DESTINATIONS_TONE = 1000, 700  # Hz
HANG_UP_EVERY = 0.05  # seconds
TALKED = 0.3  # seconds that a kept talk has lasted at least when it is ended


class World:
    """Everybody who takes part; `proxy` is the line between the service and Asterisk."""

    def __init__(
        self,
        story: Story,
        callers: list[Caller],
        colleagues: list[Caller],
        extensions: list[str],
        proxy: FaultProxy,
        service: ServiceProcess,
    ) -> None:
        self.story = story
        self.callers = callers
        self.colleagues = colleagues
        self._extensions = iter(extensions)  # those of one trial after the other, one for each colleague
        self._free: list[tuple[Caller, str]] = []
        self.proxy = proxy
        self.service = service
        self._numbers = _numbers()

    @classmethod
    async def build(cls, story: Story, trials: int) -> Self:
        """Register the phones, and start the service behind its proxy."""
        people: list[Caller] = []
        for devices in [1] * ALONE + [2] * (WITH_TWO + COLLEAGUES):
            phones = tuple([await story.phone() for _ in range(devices)])
            people.append(Caller(await story.user(*phones, name=f"User {len(people)}"), phones))
        callers, colleagues = people[:-COLLEAGUES], people[-COLLEAGUES:]
        extensions = [str(FIRST_EXTENSION + at) for at in range(COLLEAGUES * trials)]
        for extension, colleague in zip(extensions, itertools.cycle(colleagues), strict=False):
            user = colleague.user
            await story.store.create_extension(user.account_id, extension, user.id)
        proxy = await FaultProxy.start(story.town.asterisk.http_url)
        service = await story.open_process(story.config(proxy.url, **LIMITS))
        return cls(story, callers, colleagues, extensions, proxy, service)

    def begin(self) -> Ledger:
        """Forget what earlier trials saw."""
        for phone in (*self.story.phones, self.story.town.carrier):
            phone.calls.clear()
            phone.messages.clear()
        self._free = [(colleague, next(self._extensions)) for colleague in self.colleagues]
        return Ledger(self.story.client)

    async def load(self, ledger: Ledger, rate: float, chance: random.Random) -> None:
        """Ask for so many calls a second on average, at random moments, whatever becomes of them; each user calls once."""
        callers = chance.sample(self.callers, len(self.callers))
        for caller in callers:
            await asyncio.sleep(chance.expovariate(rate))
            ledger.ask(self._entry(caller, chance))

    def _entry(self, caller: Caller, chance: random.Random) -> Entry:
        """A call of this user, with what its phones and its destination will do."""
        keep = chance.random() < 0.5
        for phone in caller.phones:
            phone.script = device_script(chance)
        if chance.random() < INSIDE and self._free:
            colleague, extension = self._free.pop()
            for phone in colleague.phones:
                phone.script = destination_script(chance, keep)
            return Entry(caller, extension, f"click {extension}", keep, colleague.phones)
        number = self.story.destination(destination_script(chance, keep), next(self._numbers))
        return Entry(caller, number, f"click {number}", keep, (self.story.town.carrier,))

    def talking(self, ledger: Ledger) -> list[Entry]:
        """The calls in which both talk now, and nobody hangs up by himself."""
        return [entry for entry in ledger.entries if entry.keep_talking and self.pair(entry) is not None]

    def pair(self, entry: Entry) -> tuple[PhoneCall, PhoneCall] | None:
        """The two ends of a talk that goes on."""
        near = [call for call in entry.near if call.live and call.acked_at is not None]
        far = [call for call in entry.far if call.live and call.acked_at is not None]
        if entry.inside:  # who answers is put into the bridge then, unless the other device was first
            near = [call for call in near if call.heard(DESTINATIONS_TONE)]
            far = [call for call in far if call.heard(USERS_TONE)]
        return (near[0], far[0]) if near and far else None

    async def end_talks(self, ledger: Ledger, chance: random.Random) -> None:
        """Hang up, at one end or the other, what talks and what will talk; until cancelled."""
        while True:
            for entry in self.talking(ledger):
                pair = self.pair(entry)
                assert pair is not None
                if min(time.monotonic() - (call.acked_at or 0.0) for call in pair) > TALKED:
                    await hang_up(pair[chance.random() < 0.7])
            await asyncio.sleep(HANG_UP_EVERY)

    async def clean(self) -> None:
        """Let the silent go, and whoever a broken trial left."""
        self.proxy.heal()
        for phone in (*self.story.phones, self.story.town.carrier):
            for call in phone.live_calls:
                assert isinstance(call, PhoneCall)
                await hang_up(call)
        await self.story.town.clear()

    async def close(self) -> None:
        """Give the proxy back; the rest is the story's."""
        await self.service.stop()
        await self.proxy.close()


async def hang_up(call: PhoneCall) -> None:
    """End a call, unless that was done meanwhile."""
    with suppress(CallOver):
        await call.hang_up()


def device_script(chance: random.Random) -> Script:
    """Most people answer sooner or later; some refuse, some phones are slow, and some say nothing."""
    kind = chance.random()
    rings = chance.uniform(0.01, 0.15)
    if kind < 0.05:
        return Script(ring_after=rings, reject=chance.choice((486, 603)), reject_after=rings + 0.3)
    if kind < 0.09:
        return Script(silent=True)
    if kind < 0.14:
        rings = chance.uniform(1.0, 2.0)
    return Script(ring_after=rings, answer_after=rings + chance.uniform(0.02, 0.8), tone_hz=USERS_TONE)


def destination_script(chance: random.Random, keep: bool) -> Script:
    """As with devices; some send early media, and who is not kept hangs up soon."""
    kind = chance.random()
    rings = chance.uniform(0.01, 0.2)
    if kind < 0.06:
        return Script(ring_after=rings, reject=chance.choice((486, 603, 480)), reject_after=rings + 0.2)
    if kind < 0.09:
        return Script(silent=True)
    if kind < 0.14:
        rings = chance.uniform(1.0, 2.0)
    answers = rings + chance.uniform(0.02, 0.6)
    ends = None if keep else chance.uniform(0.2, 0.9)
    if kind < 0.2:
        return Script(progress_after=rings, answer_after=answers, hang_up_after=ends, tone_hz=DESTINATIONS_TONE)
    return Script(ring_after=rings, answer_after=answers, hang_up_after=ends, tone_hz=DESTINATIONS_TONE)


def _numbers() -> Iterator[str]:
    """Numbers that nobody else calls, and no two calls share."""
    return (f"+1{area}5{number:06d}" for area, number in itertools.product(range(212, 999), range(10_000)))
