"""From a request to a call that runs: whether it is a new one, whether it may be, and its record before anything rings."""

import asyncio
import logging
from collections.abc import Sequence

from msgspec.structs import replace

from c2c_stasis.arilog import AriLog
from c2c_stasis.call import machine
from c2c_stasis.call.model import Call, CallState, Limits, Now
from c2c_stasis.call.signals import CallPlaced
from c2c_stasis.config import Calls, Emergency, RouteRule, Trunk
from c2c_stasis.directory.call_log import Accepted, Once
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.directory.emergency import meant
from c2c_stasis.directory.model import Account
from c2c_stasis.errors import (
    DestinationNotAllowed,
    LimitReached,
    NumberNotDialable,
    Stopping,
    StoreUnavailable,
    SwitchUnavailable,
    UserBusy,
)
from c2c_stasis.ids import CallId
from c2c_stasis.metrics import Metrics
from c2c_stasis.ports import Clock, Publisher, Store, Switch
from c2c_stasis.service.current_directory import CurrentDirectory
from c2c_stasis.service.live_calls import LiveCalls
from c2c_stasis.service.measuring import measure, measure_accepted
from c2c_stasis.service.permission import Permission, count
from c2c_stasis.service.placing import Planner
from c2c_stasis.service.repeats import Clicks, OnceOnly
from c2c_stasis.service.runner import envelopes, tell

logger = logging.getLogger(__name__)

_RINGS = {
    *(CallState.ACCEPTED, CallState.RINGING_USER, CallState.DIALLING_DESTINATION, CallState.RINGING_DESTINATION),
    CallState.JOINING,
}
_IN_VAIN = {CallState.PLAYING_TONE, CallState.RELEASING, CallState.ENDED}  # who asks for help again needs another call


class Accepting:
    """Accepts calls. `calls`, `trunks`, `routes` and `emergency` count for those that come from now on."""

    def __init__(
        self,
        live: LiveCalls,
        current: CurrentDirectory,
        *,
        store: Store,
        switch: Switch,
        publisher: Publisher,
        clock: Clock,
        calls: Calls,
        trunks: Sequence[Trunk],
        routes: Sequence[RouteRule],
        ari_log: AriLog,
        metrics: Metrics,
        permission: Permission,
        emergency: Emergency,
    ) -> None:
        self.calls = calls
        self.emergency = emergency
        self.trunks = trunks
        self.routes = routes
        self._live = live
        self._current = current
        self._store = store
        self._switch = switch
        self._publisher = publisher
        self._clock = clock
        self._ari_log = ari_log
        self._metrics = metrics
        self._permission = permission
        self._clicks = Clicks()
        self._once = OnceOnly(store, clock)

    async def place_once(
        self,
        account: Account,
        user_id: str,
        dial_string: str,
        once: Once,
        metadata: dict[str, str],
        options: CallOptions,
        key_id: str | None = None,
    ) -> Accepted:
        """Accept the call of a request that has a name, or tell the call that an earlier request of this name led to.

        Raises `KeyUsedOtherwise`, and what `place` raises.
        """

        async def place() -> Call:
            return await self.place(
                *(account, user_id, dial_string),
                livemode=once.livemode,
                metadata=metadata,
                options=options,
                once=once,
                key_id=key_id,
            )

        return await self._once.do(once, place)

    async def place(
        self,
        account: Account,
        user_id: str,
        dial_string: str,
        *,
        livemode: bool,
        metadata: dict[str, str],
        options: CallOptions = ORDINARY,
        once: Once | None = None,
        key_id: str | None = None,
    ) -> Call:
        """Accept a call: when this returns, it is recorded, and its devices begin to ring.

        An emergency call that is asked for again is the same call as long as it may still come about, or they talk; another
        call, as long as it still rings and the second request is a double click. Raises `UserNotFound`, `NumberNotDialable`,
        `DestinationNotAllowed`, `InvalidRequest` or `DeviceNotFound` for an option, `UserBusy`, `LimitReached`, or
        `Unavailable`: then nothing rings. While calls are waited for before the end, emergency calls alone are new. `key_id` is
        the key with which it is asked for, if there is one.
        """
        try:
            return await self._place(
                *(account, user_id, dial_string),
                livemode=livemode,
                metadata=metadata,
                options=options,
                once=once,
                key_id=key_id,
            )
        except (NumberNotDialable, DestinationNotAllowed, LimitReached, UserBusy) as error:
            self._metrics.decisions.labels(error.rule).inc()
            extra = {"account_id": account.id, "user_id": user_id, "key_id": key_id, "rule": str(error.rule)}
            logger.info("call refused", extra=extra)
            user = self._current.user(account, user_id)
            if livemode and meant(self._current.now, account, user, dial_string, self.emergency) is not None:
                logger.critical("emergency call refused", extra=extra)
            raise

    async def _place(
        self,
        account: Account,
        user_id: str,
        dial_string: str,
        *,
        livemode: bool,
        metadata: dict[str, str],
        options: CallOptions,
        once: Once | None,
        key_id: str | None,
    ) -> Call:
        user = self._current.user(account, user_id)
        planner = Planner(self._current.now, self._switch, self.trunks, self.routes, self._permission, self.emergency)
        limits, now = self.limits(), self._clock.now()
        planned = planner.plan(
            *(account, user, dial_string, limits, now),
            livemode=livemode,
            metadata=metadata,
            options=options,
            key_id=key_id,
        )
        call = planned.call
        if call.emergency and self._switch.connected and (first := self._same_emergency(call)) is not None:
            logger.info("emergency call asked for again", extra={"call_id": first.id, "user_id": user.id})
            self._live.keep(asyncio.create_task(self._remember(once, first.id)))
            return first
        if not call.emergency and (first := await self._same_click(call, now)) is not None:
            logger.info("double click", extra={"call_id": first.id, "user_id": user.id})
            await self._remember(once, first.id)
            return first
        # From here until it is counted nothing is awaited: two requests must not both find the last place free.
        moment = self._clock.now().mono
        decision = self._permission.admit(planned.request, planned.judged, account, moment)
        decision.check()
        if self._live.stopping or not self._switch.connected:
            why = "the service is being stopped" if self._live.stopping else "not connected to Asterisk"
            if call.emergency:
                extra = {"user_id": user.id, "account_id": account.id, "reason": why}
                logger.critical("emergency call refused", extra=extra)
            raise Stopping if self._live.stopping else SwitchUnavailable(why)
        if self._live.draining and not call.emergency:
            raise Stopping
        if not call.emergency and not self._switch.answering:
            raise SwitchUnavailable("Asterisk does not answer")
        if decision.longest is not None and decision.longest < call.limits.max_duration:
            call = replace(call, limits=replace(call.limits, max_duration=float(decision.longest)))
        self._permission.begin(call, planned.request, decision, account, moment)
        self._live.placing[call.id] = call
        try:
            with self._clicks.placing(call, now.mono, self.calls.double_click_seconds):
                return await self._begin(call, once)
        except BaseException:
            self._permission.usage.withdraw(call.id)
            raise
        finally:
            del self._live.placing[call.id]

    def limits(self) -> Limits:
        """How long each part of a call may take at most."""
        settings = self.calls
        return Limits(
            settings.ring_timeout,
            settings.answer_timeout,
            settings.max_duration,
            settings.tone_seconds,
            settings.attempt_timeout,
        )

    def _same_emergency(self, call: Call) -> Call | None:
        """A call of this user to this emergency number that reaches it, or still may."""
        return next(
            (
                one.call
                for one in self._live.runners.values()
                if one.call.emergency
                and one.call.state not in _IN_VAIN
                and (one.call.user_id, one.call.destination.party.number, one.call.livemode)
                == (call.user_id, call.destination.party.number, call.livemode)
            ),
            None,
        )

    async def _same_click(self, call: Call, now: Now) -> Call | None:
        """The call that this user began to this number a moment ago, and that still rings."""
        first = await self._clicks.first(call, now.mono, self.calls.double_click_seconds)
        runner = self._live.runners.get(first) if first else None
        return runner.call if runner is not None and runner.call.state in _RINGS else None

    async def _remember(self, once: Once | None, call_id: CallId) -> None:
        """Keep what a request with a name led to. Its call is there, whatever becomes of this: so it never fails."""
        try:
            if once is not None:
                await self._store.remember_once(once, call_id, self._clock.now().wall)
        except StoreUnavailable as error:
            logger.warning("name of a request not kept", extra={"call_id": call_id, "error": str(error)})

    async def _begin(self, call: Call, once: Once | None) -> Call:
        """Record the call with its first step, then let it run; what it asks for is carried out after the record."""
        placed, now = CallPlaced(), self._clock.now()
        step = machine.step(call, placed, now)
        extra = {"call_id": call.id, "user_id": call.user_id, "account_id": call.account_id, "rule": call.rule}
        if call.emergency:  # also one that ends at once, for nobody has a phone: it is told whatever the store does
            logger.info("emergency call accepted", extra=extra)
            if self._ari_log.on:
                self._ari_log.step(call, placed, now, step)
            measure_accepted(self._metrics, step.call)
            runner = self._live.launch(step.call, step.commands)
            runner.record(step)  # beside the call, which waits for nothing
            await runner.recorded()
            if once is not None:
                self._live.keep(asyncio.create_task(self._remember(once, call.id)))
            return step.call
        await self._store.accept(step.call, envelopes(self._publisher, step.call, step.events), once)
        logger.info("call accepted", extra=extra)
        if self._ari_log.on:
            self._ari_log.step(call, placed, now, step)
        tell(step.call, step.events)
        if not step.call.live:
            count(self._permission.usage, call, step.call)
            measure_accepted(self._metrics, step.call)
            measure(self._metrics, step.call, step.events)
            return step.call
        # Written with what happens next: to store it would be one more commit.
        call = replace(step.call, committed_at=self._clock.now().mono - step.call.clock_zero)
        measure_accepted(self._metrics, call)
        measure(self._metrics, call, step.events)
        self._live.launch(call, step.commands)
        return call
