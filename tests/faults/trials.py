"""One trial: people call, something breaks and is whole again, and then every promise is checked. Its seed says it all."""

import asyncio
import math
import os
import random
import re
import signal
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from c2c_stasis.lab.observation import NotSeen
from tests.faults.checks import called_again, violations
from tests.faults.ledger import Entry, Ledger
from tests.faults.proxy import BOTH, Line
from tests.faults.snapshot import snapshot
from tests.faults.world import DESTINATIONS_TONE, LIMITS, USERS_TONE, World, hang_up
from tests.live.waiting import eventually

EARLIEST, LATEST = 0.8, 2.6  # seconds of calling before something breaks
MESSAGES = 40  # among so many messages between service and Asterisk the one is chosen at which it is killed
STEPS = (
    rb"POST /ari/bridges/call_[a-z0-9]+ ",
    rb"POST /ari/channels/create",
    rb'"StasisStart"',
    rb"\.a\d/dial",
    rb'"type": ?"ChannelStateChange".{1,200}\.a\d".{1,200}"state": ?"Up"',
    rb"\.b\d/dial",
    rb'"type": ?"ChannelStateChange".{1,200}\.b\d".{1,200}"state": ?"Up"',
    rb"/addChannel",
    rb"DELETE /ari/channels",
)
"""Messages at which it is killed more often than chance would: they lead from one row of the matrix to the next."""
SET_OUT = 0.015  # seconds after a click in which a call is recorded, answered, and sets out
ANSWERED_AFTER = 0.002  # seconds after the record of a call in which its click is answered
WRITTEN_WITHIN = 0.5  # seconds
LOOK = 0.0001  # seconds
DOES_LATE = 3.0  # seconds in which an Asterisk that stood still does what it was asked, also for calls that have ended
READY_WITHIN = 30.0  # seconds
SHORTEST_CUT = 0.1  # seconds
HEARD_SHARE = 0.5  # of the time in which the service is dead, a tone must be heard at least; a machine may be busy
ROUGHLY = 0.2  # seconds
UNRECORDED = (
    0.05  # seconds for which a device may be dialled without a record of it, on a busy machine: docs/decisions, 16
)


@dataclass
class Trial:
    """One trial, and what came of it."""

    world: World
    chance: random.Random
    longest_cut: float = 30.0
    stopped_for: float = 10.0
    ledger: Ledger = field(init=False)
    rows: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    talking: list[Entry] = field(default_factory=list)
    """Those who talked when it happened, and whom it must not hurt."""
    dead_at: float = math.inf
    """When the service was killed."""
    noted: list[str] = field(default_factory=list)
    """What may happen, rarely, and is told."""

    def __post_init__(self) -> None:
        self.ledger = self.world.begin()

    async def look(self, *, with_asterisk: bool = True) -> None:
        """Note where every call is now."""
        self.talking = self.world.talking(self.ledger)
        found = await snapshot(self.world.story, self.ledger.entries, with_asterisk=with_asterisk)
        self.rows.update(found.values())

    async def wait(self) -> None:
        """Let people call for a while."""
        await asyncio.sleep(self.chance.uniform(EARLIEST, LATEST))

    async def ready(self) -> None:
        """Wait until the service takes calls again."""
        await eventually(self.world.story.client.ready, bool, "the service to be ready", READY_WITHIN)

    @property
    def alarms(self) -> list[str]:
        """What the service's log has of level ERROR."""
        return self.world.service.alarms()


Fault = Callable[[Trial], Awaitable[None]]


async def killed(trial: Trial) -> None:
    """The service is killed and started again: at any moment, soon after a click, when something is recorded after a click, or
    at a message to or from Asterisk."""
    await trial.wait()
    way = trial.chance.random()
    if way < 0.15:
        os.kill(trial.world.service.pid, signal.SIGKILL)
    elif way < 0.3:
        await trial.ledger.next_click()
        await asyncio.sleep(trial.chance.uniform(0.0, SET_OUT))
        os.kill(trial.world.service.pid, signal.SIGKILL)
    elif way < 0.5:
        await trial.ledger.next_click()
        await asyncio.to_thread(_kill_when_written, trial, trial.chance.uniform(0.0, ANSWERED_AFTER))
    elif way < 0.6:
        await _killed_at(trial, b"", trial.chance.randrange(MESSAGES))
    else:
        await _killed_at(trial, trial.chance.choice(STEPS), trial.chance.randrange(2))
    trial.dead_at = time.monotonic()
    await trial.look()
    await trial.world.service.kill()
    await trial.world.story.start_process()
    trial.wrong += _silence(trial, trial.dead_at, time.monotonic())


def _kill_when_written(trial: Trial, later: float) -> None:
    """Kill the service so many seconds after something was written to its database."""
    log, give_up = trial.world.story.folder / "story.db-wal", time.monotonic() + WRITTEN_WITHIN
    before = log.stat().st_mtime_ns
    while log.stat().st_mtime_ns == before and time.monotonic() < give_up:
        time.sleep(LOOK)
    time.sleep(later)
    os.kill(trial.world.service.pid, signal.SIGKILL)


async def _killed_at(trial: Trial, step: bytes, passes: int) -> None:
    """Kill the service when a message with this text is about to pass; so many of them do before."""
    pid, dead = trial.world.service.pid, asyncio.Event()

    def watch(data: bytes) -> None:
        nonlocal passes
        if not dead.is_set() and re.search(step, data, re.DOTALL):
            passes -= 1
            if passes < 0:
                os.kill(pid, signal.SIGKILL)
                dead.set()

    trial.world.proxy.watch = watch
    try:
        async with asyncio.timeout(10.0):
            await dead.wait()
    finally:
        trial.world.proxy.watch = None


async def ended(trial: Trial) -> None:
    """The service is told to end (SIGTERM) under ten calls a second, and the next one started."""
    await trial.wait()
    await trial.look()
    told_at = time.monotonic()
    await trial.world.service.stop()
    await trial.world.story.start_process()
    trial.wrong += _silence(trial, told_at, time.monotonic())


async def cut(trial: Trial) -> None:
    """The line to Asterisk is cut, the event connection alone or all of it, or it becomes a black hole."""
    await trial.wait()
    seconds = math.exp(trial.chance.uniform(math.log(SHORTEST_CUT), math.log(trial.longest_cut)))
    proxy, kind = trial.world.proxy, trial.chance.random()
    await trial.look()
    if kind < 0.5:
        proxy.cut((Line.EVENTS,))
    elif kind < 0.8:
        proxy.cut(BOTH)
    else:
        proxy.stall(BOTH)
    await asyncio.sleep(seconds)
    proxy.heal()
    await trial.ready()


async def slowed(trial: Trial) -> None:
    """Everything between the service and Asterisk is late for two seconds."""
    await trial.wait()
    await trial.look()
    trial.world.proxy.delay = trial.chance.uniform(0.05, 0.5)
    await asyncio.sleep(2.0)
    trial.world.proxy.heal()
    await trial.ready()


async def asterisk_killed(trial: Trial) -> None:
    """Asterisk is killed and started again: all its calls are gone, and no phone was told."""
    await trial.wait()
    asterisk = trial.world.story.town.asterisk
    phones = (*trial.world.story.phones, trial.world.story.town.carrier)
    await asterisk.kill()
    stranded = [call for phone in phones for call in phone.calls if call.live]
    await trial.look(with_asterisk=False)
    trial.talking = []  # this is the end of every talk
    await asterisk.restart()
    for call in stranded:
        await hang_up(call)
    await trial.ready()


async def asterisk_stopped(trial: Trial) -> None:
    """Asterisk stands still for a while, with its connections open."""
    await trial.wait()
    await trial.look()
    pid = trial.world.story.town.asterisk.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(trial.stopped_for)
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(DOES_LATE)
    await trial.ready()


WITHIN = 10.0  # seconds after the service was killed and is ready again, nothing is left
WITHIN_RINGING = WITHIN + LIMITS["ring_timeout"]  # after a time in which Asterisk could not be heard, or did nothing

KINDS: dict[str, tuple[Fault, float, float]] = {
    "kill": (killed, 5.0, WITHIN),
    "cut": (cut, 5.0, WITHIN_RINGING),
    "slow": (slowed, 5.0, WITHIN_RINGING),
    "asterisk-kill": (asterisk_killed, 5.0, WITHIN),
    "asterisk-stop": (asterisk_stopped, 5.0, WITHIN_RINGING),
    "term": (ended, 10.0, WITHIN),
}
"""Each kind of trial, how many calls a second are asked for meanwhile, and when nothing may be left (seconds)."""


async def run(trial: Trial, kind: str) -> None:
    """Let people call, let it break and be whole again, and note in `trial.wrong` what does not hold then."""
    fault, rate, within = KINDS[kind]
    world, alarms = trial.world, len(trial.alarms)
    load = asyncio.create_task(world.load(trial.ledger, rate, trial.chance))
    ending: asyncio.Task[None] | None = None
    try:
        await fault(trial)
        recovered_at = time.monotonic()
        load.cancel()
        trial.wrong += await _hear_on(trial)
        ending = asyncio.create_task(world.end_talks(trial.ledger, trial.chance))
        await trial.ledger.settle()
        trial.wrong += await violations(world.story, trial.ledger, trial.talking, recovered_at, within)
        wrong, trial.noted = called_again(trial.ledger.entries, trial.dead_at - UNRECORDED)
        trial.wrong += wrong
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        trial.wrong.append(f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})")
        await world.service.kill()
        await world.story.start_process()  # the next trial begins with a service that lives
    finally:
        tasks = [load] if ending is None else [load, ending]
        for task in tasks:
            task.cancel()
        for done in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(done, Exception):
                trial.wrong.append(f"the trial itself is broken: {done!r}")
    trial.wrong += [f"alarm: {alarm}" for alarm in trial.alarms[alarms:]]
    await world.clean()


def _silence(trial: Trial, since: float, until: float) -> list[str]:
    """Whoever talked heard the other all the time that the service was dead."""
    wrong = []
    for entry in trial.talking:
        pair = trial.world.pair(entry)
        if pair is None:
            wrong.append(f"{entry}: they talked, and one of them was cut off")
            continue
        heard = pair[0].heard(DESTINATIONS_TONE, since), pair[1].heard(USERS_TONE, since)
        if min(heard) < HEARD_SHARE * (until - since) - ROUGHLY:
            wrong.append(
                f"{entry}: in {until - since:.1f} s they heard each other for {heard[0]:.1f} and {heard[1]:.1f} s"
            )
    return wrong


async def _hear_on(trial: Trial) -> list[str]:
    """Whoever talked before hears the other now."""
    since = time.monotonic()
    return [
        wrong
        for each in await asyncio.gather(*(_hears(trial, entry, since) for entry in trial.talking))
        for wrong in each
    ]


async def _hears(trial: Trial, entry: Entry, since: float) -> list[str]:
    pair = trial.world.pair(entry)
    if pair is None:
        return [f"{entry}: they talked, and one of them was cut off"]
    try:
        await asyncio.gather(
            pair[0].wait_tone(DESTINATIONS_TONE, since=since), pair[1].wait_tone(USERS_TONE, since=since)
        )
    except NotSeen as error:
        return [f"{entry}: {str(error).splitlines()[0]}"]
    return []
