"""What the switch reports, and what it did while it could not be heard: by a restart of ours or of its own, or a lost line."""

import asyncio
import logging
from collections.abc import Mapping

from msgspec.structs import replace

from c2c_stasis.call.model import Call, LegState, Now
from c2c_stasis.call.recovery import in_doubt
from c2c_stasis.call.signals import CallFound, LegAnswered, LegCreated, LegRinging, Signal, SwitchRestarted
from c2c_stasis.ids import CallId, LegId, call_of
from c2c_stasis.ports import Clock, Stock, Store, Switch
from c2c_stasis.service.leftovers import Leftovers
from c2c_stasis.service.live_calls import LiveCalls
from c2c_stasis.service.rounds import Rounds

logger = logging.getLogger(__name__)


class CatchingUp:
    """Brings every call what is reported, and after each connect what was missed."""

    def __init__(self, live: LiveCalls, store: Store, switch: Switch, clock: Clock) -> None:
        self._live = live
        self._store = store
        self._switch = switch
        self._clock = clock
        self._leftovers = Leftovers(live, store, switch)
        self._found_in_store: set[CallId] = set()  # live calls of our predecessor that were not looked for yet
        self._held: list[tuple[LegId, Signal]] | None = None  # what is heard while we look what exists
        self._rounds = Rounds(live, switch, self._leftovers)

    async def take_over(self) -> None:
        """Go on with the calls that were live when our predecessor ended. Raises `StoreUnavailable`."""
        now = self._clock.now()
        for call in await self._store.live_calls():
            self._found_in_store.add(call.id)
            self._live.launch(_on_our_clock(call, now), ())
        if self._found_in_store:
            logger.info("live calls taken over", extra={"calls": len(self._found_in_store)})

    def receive(self, leg_id: LegId, signal: Signal) -> None:
        """Bring a signal to its call. A leg that lives although its call has ended, recorded or not, is released."""
        if self._held is not None:
            self._held.append((leg_id, signal))
            return
        runner = self._live.runners.get(call_of(leg_id))
        if runner is not None and runner.call.live:
            runner.put(signal)
        elif isinstance(signal, LegCreated | LegRinging | LegAnswered):
            self._leftovers.came_late(leg_id)

    async def connected(self) -> None:
        """Catch up with what happened while the switch could not be heard.

        Raises `SwitchUnavailable` if it is lost again, and `SwitchRefused` if it does not let us look.
        """
        live = self._live
        live.caught_up = False
        self._held = []
        asked = {call_id: self._asked(runner.call) for call_id, runner in live.runners.items() if runner.call.live}
        try:
            stock = await self._switch.look()
            dialled = await self._what_was_dialled(stock)
            for call_id, legs in asked.items():
                self._settle(call_id, legs, stock, dialled)
            self._found_in_store.clear()
            live.caught_up = True
        finally:
            # What was reported during the look is news to what was seen, and must not be overwritten by it.
            held, self._held = self._held, None
            for leg_id, signal in held:
                self.receive(leg_id, signal)
        await self._leftovers.sweep(stock.legs, stock.bridges)
        await self._rounds.begin()
        logger.info("ready for calls", extra={"live_calls": live.count})

    async def stop(self) -> None:
        """Look no more whether everything agrees."""
        await self._rounds.stop()

    def _asked(self, call: Call) -> tuple[LegId, ...]:
        """The legs whose channel must exist, unless it is gone. One that is being made may not exist yet, except if it was our
        predecessor who asked for it."""
        restarted = call.id in self._found_in_store
        return tuple(leg.id for leg in call.legs if leg.live and (restarted or leg.state is not LegState.CREATING))

    async def _what_was_dialled(self, stock: Stock) -> dict[LegId, bool]:
        """Of legs of which only the switch knows whether our predecessor dialled them, what it says."""
        runners = [self._live.runners[call_id] for call_id in self._found_in_store if call_id in self._live.runners]
        legs = [leg_id for runner in runners for leg_id in in_doubt(runner.call, stock.legs)]
        told = await asyncio.gather(*(self._switch.was_dialled(leg_id) for leg_id in legs))
        return {leg_id: dialled for leg_id, dialled in zip(legs, told, strict=True) if dialled is not None}

    def _settle(self, call_id: CallId, legs: tuple[LegId, ...], stock: Stock, dialled: Mapping[LegId, bool]) -> None:
        """Tell a call what was found of it.

        A call whose legs are in another Stasis application is not steered any more: it may talk, and we would not hear of its
        end. Its record stays as it is; the next start that finds its legs in our application, or nowhere, settles it.
        """
        runner = self._live.runners.get(call_id)
        if runner is None:
            return
        if stock.elsewhere.intersection(legs):
            logger.error("call left alone: its legs are in another Stasis application", extra={"call_id": call_id})
            self._live.let_go(call_id)
            return
        restarted = call_id in self._found_in_store
        found = _what_was_found(runner.call, legs, stock, after_restart=restarted)
        if isinstance(found, CallFound):
            known = {leg.id: dialled[leg.id] for leg in runner.call.legs if leg.id in dialled}
            found = replace(
                found,
                dialled=tuple(leg_id for leg_id, so in known.items() if so),
                undialled=tuple(leg_id for leg_id, so in known.items() if not so),
            )
        runner.put(found)


def _on_our_clock(call: Call, now: Now) -> Call:
    """A call of our predecessor, whose moments are counted from its acceptance, on this process's monotonic clock.

    It is still the same clock, unless the machine was started anew: then the wall clock is all we have to tell how old the call
    is. When that was set back meanwhile, the call is as old as the last thing that we know of it, so that nothing ends before
    it began.
    """
    if call.boot and call.boot == now.boot:
        return call
    return replace(call, clock_zero=now.mono - max(call.latest, now.wall - call.accepted_at))


def _what_was_found(call: Call, asked: tuple[LegId, ...], stock: Stock, *, after_restart: bool) -> Signal:
    ours = {leg.id: stock.legs[leg.id] for leg in call.legs if leg.id in stock.legs}
    # A channel that is still being made will be reported: it is neither there yet nor gone.
    asked = tuple(leg_id for leg_id in asked if ours.get(leg_id) is not LegState.CREATING)
    there = tuple((leg_id, state) for leg_id, state in ours.items() if state is not LegState.CREATING)
    # Two readings of one clock, never two clocks: ours and the switch's may be an hour apart, and either may jump.
    if asked and not there and call.switch_started_at not in (None, stock.started_at):
        return SwitchRestarted()
    bridge = stock.bridges.get(call.id)
    return CallFound(asked, there, tuple(bridge or ()), bridge is not None, after_restart)
