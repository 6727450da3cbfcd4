"""The commands of one call on their way to the switch, so that a slow answer to one keeps neither the others nor the call."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass

from c2c_stasis.call.commands import Command, HangUpLeg, JoinLeg

OVERTAKES_AFTER = (
    0.5  # seconds a hang-up waits for what is being done for its leg; a healthy Asterisk takes milliseconds
)

_BRIDGE = "bridge"  # the line of the commands that name no leg


@dataclass(slots=True)
class _Line:
    """What waits to be done for one leg, and the task that does it."""

    waiting: deque[Command]
    task: asyncio.Task[None]


class Orders:
    """Carries out commands: those of one leg one after the other, those of several legs at the same time.

    No leg enters the bridge before it is made. A hang-up takes the place of all that waits for its leg, and does not wait for
    what takes too long. `carry_out` does one command and tells of its failure itself.
    """

    def __init__(self, carry_out: Callable[[Command], Awaitable[None]]) -> None:
        self._carry_out = carry_out
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def give(self, commands: Iterable[Command]) -> None:
        """Let commands be carried out, in this order as far as they name the same leg."""
        for command in commands:
            name = getattr(command, "leg_id", _BRIDGE)
            line = self._lines.get(name)
            if line is None:
                waiting = deque([command])
                self._lines[name] = _Line(waiting, self._begin(self._work_off(name, waiting)))
            elif isinstance(command, HangUpLeg):
                line.waiting.clear()
                self._begin(self._overtake(command, line.task))
            elif command not in line.waiting:
                line.waiting.append(command)

    async def done(self) -> None:
        """Wait until everything has been carried out."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def drop(self) -> None:
        """Leave undone what has not been carried out."""
        for task in self._tasks:
            task.cancel()
        await self.done()

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work_off(self, name: str, waiting: deque[Command]) -> None:
        try:
            while waiting:
                command = waiting.popleft()
                if isinstance(command, JoinLeg) and (bridge := self._lines.get(_BRIDGE)):
                    await asyncio.wait({bridge.task})
                await self._carry_out(command)
        finally:
            del self._lines[name]

    async def _overtake(self, command: HangUpLeg, under_way: asyncio.Task[None]) -> None:
        await asyncio.wait({under_way}, timeout=OVERTAKES_AFTER)
        await self._carry_out(command)
