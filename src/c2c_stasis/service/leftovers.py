"""What is left in the switch of calls of ours that have ended, and how it is removed."""

import asyncio
import logging
from collections.abc import Iterable

from c2c_stasis.errors import StoreUnavailable, SwitchRefused, SwitchUnavailable
from c2c_stasis.ids import CallId, LegId, call_of
from c2c_stasis.ports import Store, Switch
from c2c_stasis.service.live_calls import LiveCalls

logger = logging.getLogger(__name__)

MOST_LATE = 1_000  # legs at once; what is more is found by the next round


class Leftovers:
    """Tells what is ours and left over from what belongs to strangers, or to a call that may still talk."""

    def __init__(self, live: LiveCalls, store: Store, switch: Switch) -> None:
        self._live = live
        self._store = store
        self._switch = switch
        self._late: set[LegId] = set()
        self._releasing: asyncio.Task[None] | None = None

    def came_late(self, leg_id: LegId) -> None:
        """End a leg that came too late: Asterisk hung, we gave up, and then it did what it had been asked.

        They are taken together, by one task: who reports many of them keeps nobody waiting.
        """
        if len(self._late) < MOST_LATE:
            self._late.add(leg_id)
        if self._releasing is None or self._releasing.done():
            self._releasing = asyncio.create_task(self._release())
            self._live.keep(self._releasing)

    async def _release(self) -> None:
        while self._late:
            legs, self._late = sorted(self._late), set()
            try:
                await self.sweep(legs, {call_of(leg_id) for leg_id in legs})
            except (SwitchUnavailable, SwitchRefused) as error:
                extra = {"call_ids": sorted({call_of(leg_id) for leg_id in legs}), "error": str(error)}
                logger.warning("leftovers not released", extra=extra)

    async def sweep(self, legs: Iterable[LegId], bridges: Iterable[CallId]) -> None:
        """Remove what belongs to calls of ours that have ended. What belongs to strangers is theirs.

        A call that is recorded as live and is not in our hands, for it cannot be read or is another application's, may talk.
        Raises `SwitchUnavailable` and `SwitchRefused`.
        """
        runners = self._live.runners
        orphans = {call_of(leg_id) for leg_id in legs} | set(bridges)
        orphans -= {call_id for call_id, runner in runners.items() if runner.call.live}
        ours = {call_id for call_id in orphans if call_id in runners or call_id in self._live.lost}
        unknown = orphans - ours
        try:
            ours |= await self._store.ended_calls(unknown) if unknown else set()
        except StoreUnavailable:
            logger.exception("leftovers cannot be told from strangers now; the next connect sweeps them")
        if ours:
            logger.warning("leftovers released", extra={"call_ids": sorted(ours)})
            await self._switch.sweep(
                [leg_id for leg_id in legs if call_of(leg_id) in ours],
                [bridge_id for bridge_id in bridges if bridge_id in ours],
            )
