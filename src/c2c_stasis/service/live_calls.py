"""The calls in our hands: each one is driven by its runner until it has ended and that is recorded."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from c2c_stasis.arilog import AriLog
from c2c_stasis.call.commands import Command
from c2c_stasis.call.model import Call
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import CallId, UserId
from c2c_stasis.metrics import Metrics
from c2c_stasis.policy.usage import Usage
from c2c_stasis.ports import Clock, Publisher, Store, Switch
from c2c_stasis.service.feed import Feed
from c2c_stasis.service.runner import Runner

logger = logging.getLogger(__name__)

LOOK_AGAIN = 0.5  # seconds after which it is asked whether the end of a call is recorded by now; doubled each time
LOOK_FOR_MORE = 0.05  # seconds after which it is asked whether a call that was being accepted runs now
LOOK_AGAIN_AT_MOST = 30.0  # seconds; until it is, memory tells the truth, so nothing is urgent


class LiveCalls:
    """Every call that lives, or has ended and is not recorded yet, with its runner.

    `placing` are those that are being accepted and have no runner yet. `lost` live in the store, and our own code could not
    bring them to an end. `tasks` are all that run for calls. `caught_up` is set by who looks what exists: whether that was done
    since we can hear the switch again. `draining`: those that are there are steered on, and others shall not come.
    """

    def __init__(
        self,
        *,
        store: Store,
        switch: Switch,
        publisher: Publisher,
        clock: Clock,
        feed: Feed,
        ari_log: AriLog,
        metrics: Metrics,
        usage: Usage,
    ) -> None:
        self._feed = feed
        self._usage = usage
        self.runners: dict[CallId, Runner] = {}
        self.placing: dict[CallId, Call] = {}
        self.lost: set[CallId] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.caught_up = False
        self.draining = False
        self.stopping = False
        self._drives: dict[CallId, asyncio.Task[None]] = {}
        self._store = store
        self._switch = switch
        self._publisher = publisher
        self._clock = clock
        self._ari_log = ari_log
        self._metrics = metrics

    # --- which there are ---

    @property
    def count(self) -> int:
        """How many calls are live."""
        return sum(runner.call.live for runner in self.runners.values())

    def in_memory(self) -> list[Call]:
        """Every call whose record may be older than it."""
        return [runner.call for runner in self.runners.values()]

    def involve(self, user_id: UserId) -> bool:
        """Whether the user calls or is called."""
        live = [runner.call for runner in self.runners.values() if runner.call.live]
        return any(user_id in (call.user_id, call.destination.user_id) for call in [*live, *self.placing.values()])

    # --- their life ---

    def launch(self, call: Call, commands: Sequence[Command]) -> Runner:
        """Let a call run that is recorded, or being recorded; these commands are what its last step asked for."""
        runner = Runner(
            call,
            store=self._store,
            switch=self._switch,
            publisher=self._publisher,
            clock=self._clock,
            in_touch=self._in_touch,
            followed=partial(self._feed.followed, call.account_id),
            ari_log=self._ari_log,
            metrics=self._metrics,
            usage=self._usage,
        )
        self.runners[call.id] = runner
        if call.connected_at is not None:  # before we started
            self._usage.connect(call.id, call.clock_zero + call.connected_at)
        drive = self._drives[call.id] = asyncio.create_task(self._drive(runner, commands), name=f"call {call.id}")
        self.keep(drive)
        return runner

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a task that works for a call until it is done, or we are stopped."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def let_go(self, call_id: CallId) -> None:
        """Do not steer this call any more; its record stays as it is."""
        self._drives[call_id].cancel()

    async def gone(self, call_ids: Iterable[CallId], within: float) -> None:
        """Wait, so many seconds at most, until these calls have ended and are recorded; there must be one."""
        await asyncio.wait([self._drives[call_id] for call_id in call_ids], timeout=within)

    async def emptied(self) -> None:
        """Wait until there is none, live or being accepted, that shall still be steered."""
        while self._drives or self.placing:
            if self._drives:
                await asyncio.wait(list(self._drives.values()))
            else:
                await asyncio.sleep(LOOK_FOR_MORE)

    async def stop(self) -> None:
        """Let go of all of them: they go on in Asterisk, for the next start to take over."""
        self.stopping = True
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)
        await asyncio.gather(*(runner.recorded() for runner in self.runners.values()))

    def _in_touch(self) -> bool:
        return self._switch.connected and self.caught_up

    async def _drive(self, runner: Runner, commands: Sequence[Command]) -> None:
        try:
            await runner.run(commands)
            await self._until_recorded(runner)
        except Exception:
            logger.exception("call lost", extra={"call_id": runner.call.id})
            self.lost.add(runner.call.id)
        finally:
            self._usage.end(runner.call.id, self._clock.now().mono)  # if it does not know it yet: we steer it no more
            if not self.stopping:
                del self.runners[runner.call.id], self._drives[runner.call.id]

    async def _until_recorded(self, runner: Runner) -> None:
        """Let memory tell of an ended call as long as the store does not know that it has ended, and would show it as live."""
        pause = LOOK_AGAIN
        while runner.behind:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_AGAIN_AT_MOST)
            with suppress(StoreUnavailable):
                if await self._store.ended_calls([runner.call.id]):
                    return
