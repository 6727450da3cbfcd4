"""Rounds: whether Asterisk and our calls still agree is looked at from time to time, also while nothing seems to be wrong.

An Asterisk that hung does late what it was asked, when its call has ended, and of a bridge nobody is told; and a report that
was written to a dying connection is never heard.
"""

import asyncio
import logging
from itertools import groupby

from c2c_stasis.call.model import LegState
from c2c_stasis.call.signals import CallFound
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.ids import CallId, LegId, call_of
from c2c_stasis.ports import Stock, Switch
from c2c_stasis.service.leftovers import Leftovers
from c2c_stasis.service.live_calls import LiveCalls

logger = logging.getLogger(__name__)

FIRST_ROUND = 2.0  # seconds after a connect; the pause is doubled each time
ROUND_EVERY = 60.0  # seconds, from then on


class Rounds:
    """Goes round while the switch is connected. What two looks in a row have seen counts: an orderly end takes a moment."""

    def __init__(self, live: LiveCalls, switch: Switch, leftovers: Leftovers) -> None:
        self._live = live
        self._switch = switch
        self._leftovers = leftovers
        self._going: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin anew, after a connect."""
        await self.stop()
        self._going = asyncio.create_task(self._go(), name="rounds")

    async def stop(self) -> None:
        """Look no more."""
        if self._going is not None:
            self._going.cancel()
            await asyncio.wait({self._going})

    async def _go(self) -> None:
        pause, idle, missing = FIRST_ROUND, set[str](), set[LegId]()
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, ROUND_EVERY)
            expected = self._expected()
            try:
                stock = await self._switch.look()
                await self._leftovers.sweep(stock.legs.keys() & idle, stock.bridges.keys() & idle)
            except (SwitchUnavailable, SwitchRefused) as error:
                logger.debug("no round", extra={"error": str(error)})
                continue
            except Exception:
                logger.exception("round failed")  # the next one may not
                continue
            gone = expected - _all_legs(stock)
            self._tell(gone & missing)
            idle, missing = self._idle(stock), gone

    def _idle(self, stock: Stock) -> set[str]:
        """The legs and bridges that no live call of ours has."""
        return {name for name in (*stock.legs, *stock.bridges) if not self._lives(call_of(name))}

    def _lives(self, call_id: CallId) -> bool:
        runner = self._live.runners.get(call_id)
        return runner is not None and runner.call.live

    def _expected(self) -> set[LegId]:
        """The legs that must have a channel now, or whose end is being reported."""
        calls = [runner.call for runner in self._live.runners.values()]
        return {leg.id for call in calls for leg in call.legs if leg.live and leg.state is not LegState.CREATING}

    def _tell(self, lost: set[LegId]) -> None:
        """Tell calls of legs that have gone without a word."""
        for call_id, legs in groupby(sorted(lost), key=call_of):
            gone = tuple(legs)
            runner = self._live.runners.get(call_id)
            if runner is not None and runner.call.live:
                logger.warning("legs have ended unheard", extra={"call_id": call_id, "legs": list(gone)})
                joined = tuple(leg.id for leg in runner.call.legs if leg.in_bridge)
                runner.put(CallFound(gone, (), joined, bridge=True))


def _all_legs(stock: Stock) -> set[LegId]:
    return {*stock.legs, *stock.elsewhere}
