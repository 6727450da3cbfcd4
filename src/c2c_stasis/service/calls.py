"""The call service: what the API asks for, what the switch reports, and what was going on before a restart."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

from msgspec.structs import replace

from c2c_stasis.arilog import AriLog
from c2c_stasis.call import machine
from c2c_stasis.call.commands import Command
from c2c_stasis.call.model import Call, CallState, LegState, Limits, Now
from c2c_stasis.call.signals import (
    CallFound,
    CallPlaced,
    CancelRequested,
    LegAnswered,
    LegCreated,
    LegRinging,
    Signal,
    SwitchRestarted,
)
from c2c_stasis.config import Calls, Trunk
from c2c_stasis.directory import dial_strings
from c2c_stasis.directory.call_log import Accepted, CallFilter, Once
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account, Key, PhoneNumber, User
from c2c_stasis.directory.pages import Page, Wish
from c2c_stasis.directory.sessions import OpenedSession, Session, believed, public_jwk
from c2c_stasis.errors import (
    AccountNotAllowed,
    CallNotFound,
    StillInUse,
    Stopping,
    StoreUnavailable,
    SwitchRefused,
    SwitchUnavailable,
    UserBusy,
    UserNotFound,
)
from c2c_stasis.ids import AccountId, CallId, LegId, NumberId, UserId, call_of
from c2c_stasis.metrics import Metrics, ask
from c2c_stasis.ports import (
    Clock,
    Contact,
    EventFilter,
    EventPage,
    Hear,
    Publisher,
    SipServer,
    Stock,
    Store,
    StoredEvent,
    Switch,
)
from c2c_stasis.service.call_log import CallLog
from c2c_stasis.service.credentials import Credentials
from c2c_stasis.service.current_directory import CurrentDirectory, Provision, Watch
from c2c_stasis.service.feed import Feed
from c2c_stasis.service.measuring import measure, measure_accepted
from c2c_stasis.service.placing import Planner
from c2c_stasis.service.readiness import DatabaseProbe
from c2c_stasis.service.repeats import Clicks, OnceOnly
from c2c_stasis.service.runner import Runner, envelopes, tell

logger = logging.getLogger(__name__)

ERASED_AT_ONCE = 5  # calls in one transaction: 2 to 3 ms, for which whoever places a call may have to wait
ERASE_REST = 0.01  # seconds between two of them
ENDS_WITHIN = (
    2.0  # seconds in which Asterisk reports the end of what was hung up; who cancels and erases at once waits for it
)
LOOK_AGAIN = 0.5  # seconds after which it is asked whether the end of a call is recorded by now; doubled each time
LOOK_AGAIN_AT_MOST = 30.0  # seconds; until it is, memory tells the truth, so nothing is urgent

_RINGS = {
    *(CallState.ACCEPTED, CallState.RINGING_USER, CallState.DIALLING_DESTINATION, CallState.RINGING_DESTINATION),
    CallState.JOINING,
}
_IN_VAIN = {CallState.PLAYING_TONE, CallState.RELEASING, CallState.ENDED}  # who asks for help again needs another call


class CallService:
    """Every live call and the way to new ones. `watch` and `provision` are told what `CurrentDirectory` tells.

    `sip_server` is where provisioned phones register. What happens to calls is handed to `ari_log`, if that is on.
    """

    def __init__(
        self,
        *,
        store: Store,
        switch: Switch,
        publisher: Publisher,
        clock: Clock,
        calls: Calls,
        trunks: Sequence[Trunk],
        watch: Watch,
        provision: Provision,
        sip_server: SipServer,
        ari_log: AriLog | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._ari_log = ari_log or AriLog()
        self.sip_server = sip_server
        self._metrics = metrics or Metrics()
        ask(self._metrics.calls_live, lambda: self.live)
        self._store = store
        self._switch = switch
        self._publisher = publisher
        self._clock = clock
        self._calls = calls
        self._trunks = trunks
        self._current = CurrentDirectory(store, watch, provision)
        self._credentials = Credentials(lambda: self._directory, clock)
        self._runners: dict[CallId, Runner] = {}
        self._drives: dict[CallId, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost: set[CallId] = set()  # calls that live in the store, and that our own code could not bring to an end
        self._database = DatabaseProbe(store, clock)
        self._found_in_store: set[CallId] = set()  # live calls of our predecessor that were not looked for yet
        self._placing: dict[CallId, Call] = {}
        self._clicks = Clicks()
        self._once = OnceOnly(store, clock)
        self._log = CallLog(store, lambda: [runner.call for runner in self._runners.values()])
        self._held: list[tuple[LegId, Signal]] | None = None  # what is heard while we look what exists
        self._caught_up = False  # whether we have looked since we can hear the switch again
        self._stopping = False
        self._feed = Feed()
        store.tell(self._feed.committed)

    # --- life of the service ---

    async def start(self) -> None:
        """Take over the directory and the calls that were live when we ended. Raises `StoreUnavailable`."""
        await self.refresh_directory()
        now = self._clock.now()
        for call in await self._store.live_calls():
            self._found_in_store.add(call.id)
            self._launch(_on_our_clock(call, now), ())
        if self._found_in_store:
            logger.info("live calls taken over", extra={"calls": len(self._found_in_store)})

    async def stop(self) -> None:
        """Take no more calls and let go of those that live: they go on in Asterisk, for the next start to take over."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._database.stop()
        await asyncio.gather(*(runner.recorded() for runner in self._runners.values()))

    async def refresh_directory(self) -> None:
        """Read the directory again, because it changed. Raises what `CurrentDirectory.refresh` raises."""
        await self._current.refresh()

    async def directory_changed(self) -> None:
        """Let a committed change count from now on; what cannot be read now is read within a second, by who follows it."""
        try:
            await self.refresh_directory()
        except (StoreUnavailable, SwitchUnavailable, SwitchRefused) as error:
            logger.warning("directory changed and not read yet", extra={"error": str(error)})

    @asynccontextmanager
    async def removing_user(self, user_id: UserId) -> AsyncIterator[None]:
        """The time in which a user is removed: there is no call of or to this user, and none can begin. Raises `StillInUse`."""
        async with self._current.without_user(user_id):
            if self._has_calls(user_id):
                raise StillInUse("the user has a live call; end it first")
            yield

    def reconfigure(self, calls: Calls, trunks: Sequence[Trunk]) -> None:
        """Use these for calls that are placed from now on; live calls keep what they were planned with."""
        self._calls = calls
        self._trunks = trunks

    @property
    def live(self) -> int:
        """How many calls are live."""
        return sum(runner.call.live for runner in self._runners.values())

    # --- what the API asks for ---

    def authenticate(self, credential: str) -> Key | Session:
        """The platform key or the session behind this text. Raises `NotAuthenticated`, for whatever reason it is neither."""
        return self._credentials.recognise(credential)

    def open_session(self, key: Key, account: Account, user: User | None, lasts: int) -> OpenedSession:
        """A session of so many seconds for an account, or for one of its users; there must be a key to sign it with."""
        return self._credentials.open(key, account, user, lasts)

    def signing_key_due(self) -> float | None:
        """What the key that signs sessions must not be older than, when a new one is due; see `Credentials`."""
        return self._credentials.signing_key_due()

    def public_keys(self) -> list[dict[str, str]]:
        """What verifies the sessions that may count now, as JSON Web Keys."""
        signing_keys = believed(self._directory.signing_keys, self._clock.now().wall)
        return [public_jwk(key) for key in signing_keys.values()]

    def key_uses(self) -> dict[str, float]:
        """When which platform key was used last, by its id, as far as that was not given out yet; for the store to keep."""
        return self._credentials.uses_to_tell()

    def account(self, key: Key, account_id: str) -> Account:
        """The account, if it is one of the key's platform. Raises `AccountNotAllowed`."""
        account = self._directory.account(key.platform_id, AccountId(account_id))
        if account is None:
            raise AccountNotAllowed
        return account

    def user(self, account: Account, user_id: str) -> User:
        """The user, if it is one of the account's. Raises `UserNotFound`."""
        user = self._directory.user(account.id, UserId(user_id))
        if user is None:
            raise UserNotFound
        return user

    def phone_number(self, account: Account, number_id: NumberId) -> PhoneNumber | None:
        """A phone number of this account."""
        return self._directory.phone_number(account.id, number_id)

    async def place_once(
        self,
        account: Account,
        user_id: str,
        dial_string: str,
        once: Once,
        *,
        metadata: dict[str, str],
        options: CallOptions = ORDINARY,
    ) -> Accepted:
        """Accept the call of a request that has a name, or tell the call that an earlier request of this name led to.

        Raises `KeyUsedOtherwise`, and what `place` raises.
        """

        async def place() -> Call:
            mode = once.livemode
            return await self.place(
                account, user_id, dial_string, livemode=mode, metadata=metadata, options=options, once=once
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
    ) -> Call:
        """Accept a call: when this returns, it is recorded, and its devices begin to ring.

        An emergency call that is asked for again is the same call as long as it may still come about, or they talk; another
        call, as long as it still rings and the second request is a double click. Raises `UserNotFound`, `NumberNotDialable`,
        `DestinationNotAllowed`, `InvalidRequest` or `DeviceNotFound` for an option, `UserBusy`, or `Unavailable`: then nothing
        rings.
        """
        user = self.user(account, user_id)
        planner = Planner(self._directory, self._switch, self._trunks)
        limits, now = self._limits(), self._clock.now()
        call = planner.plan(
            account, user, dial_string, limits, now, livemode=livemode, metadata=metadata, options=options
        )
        if call.emergency and (first := self._same_emergency(call)) is not None:
            logger.info("emergency call asked for again", extra={"call_id": first.id, "user_id": user.id})
            self._keep(asyncio.create_task(self._remember(once, first.id)))
            return first
        if not call.emergency and (first := await self._same_click(call, now)) is not None:
            logger.info("double click", extra={"call_id": first.id, "user_id": user.id})
            await self._remember(once, first.id)
            return first
        if not call.emergency and self._calls_of(user.id) >= self._calls.max_calls_per_user:
            raise UserBusy(self._calls.max_calls_per_user)
        if self._stopping:
            raise Stopping
        if not self._switch.connected:
            raise SwitchUnavailable("not connected to Asterisk")
        self._placing[call.id] = call
        try:
            with self._clicks.placing(call, now.mono, self._calls.double_click_seconds):
                return await self._begin(call, once)
        finally:
            del self._placing[call.id]

    async def calls_page(self, account: Account, wanted: CallFilter, wish: Wish) -> Page[Call]:
        """A page of the calls of this account, live ones included, newest first. Raises `StoreUnavailable`."""
        return await self._log.page(account.id, wanted, wish)

    async def erase_number(self, account: Account, number: str, *, livemode: bool) -> int:
        """Erase a number from the log of an account; gives from how many calls.

        A live key erases it from the calls of tests as well. A call that is ending is waited for. Raises `NumberNotDialable`
        for what is no number, `StillInUse` as long as a call with it lives, and `StoreUnavailable`; who then asks again goes on
        where it ended.
        """
        region, length = account.region, account.extension_length
        known = dial_strings.parse(number, region=region, extension_length=length).number
        await self._until_ended(account.id, known)
        modes, erased = (True, False) if livemode else (False,), 0
        while (some := await self._store.erase_number(account.id, modes, known, ERASED_AT_ONCE)) > 0:
            erased += some
            await asyncio.sleep(ERASE_REST)
        logger.info("number erased", extra={"account_id": account.id, "calls": erased})
        return erased

    async def _until_ended(self, account_id: AccountId, number: str) -> None:
        """Wait for the calls with this number that are ending already. Raises `StillInUse` if others live, or some still do."""

        def has_it(call: Call) -> bool:
            return call.account_id == account_id and number in (call.destination.party.number, call.caller.number)

        def ours() -> set[CallId]:
            return {call_id for call_id, runner in self._runners.items() if has_it(runner.call)}

        there = ours()
        if there and all(self._runners[call_id].ending for call_id in there):
            await asyncio.wait([self._drives[call_id] for call_id in there], timeout=ENDS_WITHIN)
            there = ours()
        if there or any(has_it(call) for call in self._placing.values()):
            raise StillInUse("a call with this number is live or still ending; ask again")

    async def cancel(self, account: Account, call_id: str) -> None:
        """End a call in whatever state it is; one that has ended stays as it is.

        Raises `CallNotFound`; `StoreUnavailable`; and `SwitchUnavailable` for a call that lives where we do not reach it.
        """
        runner = self._runners.get(CallId(call_id))
        if runner is not None and runner.call.account_id == account.id:
            runner.put(CancelRequested())
            return
        if (await self.find_call(account, call_id)).live:
            raise SwitchUnavailable("the call is not in our hands")

    async def find_call(self, account: Account, call_id: str) -> Call:
        """A call of this account, live or ended. Raises `CallNotFound` or `StoreUnavailable`."""
        runner = self._runners.get(CallId(call_id))
        if runner is not None and runner.call.account_id == account.id:
            return runner.call
        call = await self._store.find_call(account.id, CallId(call_id))
        if call is None:
            raise CallNotFound
        return call

    async def call_events(self, account: Account, call_id: str) -> list[StoredEvent]:
        """The event log of a call; it tells no less than the record that was given before.

        Raises `CallNotFound` or `StoreUnavailable`.
        """
        await self.find_call(account, call_id)
        runner = self._runners.get(CallId(call_id))
        # What the store will have in a moment is not told before: a crash would take it back.
        late = runner is not None and not await runner.recorded()
        stored = await self._store.call_events(account.id, CallId(call_id))
        if runner is None or not late:
            return stored
        last = stored[-1].sequence if stored else 0
        return stored + [event for event in runner.unrecorded if event.sequence > last]

    async def events_after(self, account: Account, after: int | None, wanted: EventFilter) -> EventPage:
        """The next events of an account after a number; without one, where they stand. Raises `StoreUnavailable`."""
        return await self._store.events_after(account.id, after, wanted)

    def listen(self, account: Account, hear: Hear) -> Callable[[], None]:
        """Let this hear of every event of an account soon after it was committed; gives what ends that."""
        return self._feed.listen(account.id, hear)

    def contacts(self, endpoint: str) -> Sequence[Contact]:
        """Where a device is registered now; nowhere, as far as anybody knows, while Asterisk is not connected."""
        return self._switch.contacts(endpoint) if self._switch.connected else ()

    def is_trunk(self, endpoint: str) -> bool:
        """Whether a trunk that is in use now leads out through this endpoint."""
        return any(trunk.pjsip_endpoint == endpoint for trunk in self._trunks)

    def provisioned(self, endpoint: str) -> bool:
        """Whether Asterisk has this endpoint as the directory says; not, as far as anybody knows, while it is not connected."""
        return self._switch.provisioned(endpoint)

    async def readiness(self) -> dict[str, str]:
        """Whether new calls can be taken: each part by name, `ok` or what is wrong with it."""
        asterisk = "ok" if self._switch.connected else "not connected"
        parts = {"asterisk": asterisk, "database": await self._database.state()}
        return parts | ({"service": "stopping"} if self._stopping else {})

    # --- what the switch reports ---

    def receive(self, leg_id: LegId, signal: Signal) -> None:
        """Bring a signal to its call. A leg that lives although its call has ended, recorded or not, is released."""
        if self._held is not None:
            self._held.append((leg_id, signal))
            return
        runner = self._runners.get(call_of(leg_id))
        if runner is not None and runner.call.live:
            runner.put(signal)
        elif isinstance(signal, LegCreated | LegRinging | LegAnswered):
            self._keep(asyncio.create_task(self._release(leg_id)))

    async def connected(self) -> None:
        """Catch up with what happened while the switch could not be heard.

        Raises `SwitchUnavailable` if it is lost again, and `SwitchRefused` if it does not let us look.
        """
        self._caught_up = False
        self._held = []
        asked = {call_id: self._asked(runner.call) for call_id, runner in self._runners.items() if runner.call.live}
        try:
            stock = await self._switch.look()
            for call_id, legs in asked.items():
                runner = self._runners.get(call_id)
                if runner is not None and stock.elsewhere.intersection(legs):
                    self._leave_alone(call_id)
                elif runner is not None:
                    runner.put(_what_was_found(runner.call, legs, stock, after_restart=call_id in self._found_in_store))
            self._found_in_store.clear()
            self._caught_up = True
        finally:
            # What was reported during the look is news to what was seen, and must not be overwritten by it.
            held, self._held = self._held, None
            for leg_id, signal in held:
                self.receive(leg_id, signal)
        await self._sweep(stock.legs, stock.bridges)
        logger.info("ready for calls", extra={"live_calls": self.live})

    def _in_touch(self) -> bool:
        return self._switch.connected and self._caught_up

    def _asked(self, call: Call) -> tuple[LegId, ...]:
        """The legs whose channel must exist, unless it is gone. One that is being made may not exist yet, except if it was our
        predecessor who asked for it."""
        restarted = call.id in self._found_in_store
        return tuple(leg.id for leg in call.legs if leg.live and (restarted or leg.state is not LegState.CREATING))

    async def _release(self, leg_id: LegId) -> None:
        """End a leg that came too late: Asterisk hung, we gave up, and then it did what it had been asked."""
        try:
            await self._sweep([leg_id], [call_of(leg_id)])
        except (SwitchUnavailable, SwitchRefused) as error:
            extra = {"call_id": call_of(leg_id), "leg_id": leg_id, "error": str(error)}
            logger.warning("leftover not released", extra=extra)

    def _leave_alone(self, call_id: CallId) -> None:
        """Do not steer a call whose legs are in another Stasis application: it may talk, and we would not hear of its end.

        Its record stays as it is; the next start that finds its legs in our application, or nowhere, settles it.
        """
        logger.error("call left alone: its legs are in another Stasis application", extra={"call_id": call_id})
        self._drives[call_id].cancel()

    async def _sweep(self, legs: Iterable[LegId], bridges: Iterable[CallId]) -> None:
        """Remove what belongs to calls of ours that have ended. What belongs to strangers is theirs.

        A call that is recorded as live and is not in our hands, for it cannot be read or is another application's, may talk.
        """
        orphans = {call_of(leg_id) for leg_id in legs} | set(bridges)
        orphans -= {call_id for call_id, runner in self._runners.items() if runner.call.live}
        ours = {call_id for call_id in orphans if call_id in self._runners or call_id in self._lost}
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

    # --- inside ---

    def _limits(self) -> Limits:
        settings = self._calls
        return Limits(settings.ring_timeout, settings.answer_timeout, settings.max_duration, settings.tone_seconds)

    def _same_emergency(self, call: Call) -> Call | None:
        """A call of this user to this emergency number that reaches it, or still may."""
        return next(
            (
                one.call
                for one in self._runners.values()
                if one.call.emergency
                and one.call.state not in _IN_VAIN
                and (one.call.user_id, one.call.destination.party.number, one.call.livemode)
                == (call.user_id, call.destination.party.number, call.livemode)
            ),
            None,
        )

    async def _same_click(self, call: Call, now: Now) -> Call | None:
        """The call that this user began to this number a moment ago, and that still rings."""
        first = await self._clicks.first(call, now.mono, self._calls.double_click_seconds)
        runner = self._runners.get(first) if first else None
        return runner.call if runner is not None and runner.call.state in _RINGS else None

    async def _remember(self, once: Once | None, call_id: CallId) -> None:
        """Keep what a request with a name led to. Its call is there, whatever becomes of this: so it never fails."""
        try:
            if once is not None:
                await self._store.remember_once(once, call_id, self._clock.now().wall)
        except StoreUnavailable as error:
            logger.warning("name of a request not kept", extra={"call_id": call_id, "error": str(error)})

    def _calls_of(self, user_id: UserId) -> int:
        live = {call_id for call_id, one in self._runners.items() if one.call.live and one.call.user_id == user_id}
        return len(live | {call_id for call_id, call in self._placing.items() if call.user_id == user_id})

    def _has_calls(self, user_id: UserId) -> bool:
        """Whether the user calls or is called."""
        live = [runner.call for runner in self._runners.values() if runner.call.live]
        return any(user_id in (call.user_id, call.destination.user_id) for call in [*live, *self._placing.values()])

    @property
    def _directory(self) -> Directory:
        return self._current.now

    async def _begin(self, call: Call, once: Once | None) -> Call:
        """Record the call with its first step, then let it run; what it asks for is carried out after the record."""
        placed, now = CallPlaced(), self._clock.now()
        step = machine.step(call, placed, now)
        extra = {"call_id": call.id, "user_id": call.user_id, "account_id": call.account_id}
        if call.emergency and step.call.live:
            logger.info("emergency call accepted", extra=extra)
            if self._ari_log.on:
                self._ari_log.step(call, placed, now, step)
            measure_accepted(self._metrics, step.call)
            runner = self._launch(step.call, step.commands)
            runner.record(step)  # beside the call, which waits for nothing
            await runner.recorded()
            if once is not None:
                self._keep(asyncio.create_task(self._remember(once, call.id)))
            return step.call
        await self._store.accept(step.call, envelopes(self._publisher, step.call, step.events), once)
        logger.info("call accepted", extra=extra)
        if self._ari_log.on:
            self._ari_log.step(call, placed, now, step)
        tell(step.call, step.events)
        if not step.call.live:
            measure_accepted(self._metrics, step.call)
            measure(self._metrics, step.call, step.events)
            return step.call
        # Written with what happens next: to store it would be one more commit.
        call = replace(step.call, committed_at=self._clock.now().mono - step.call.clock_zero)
        measure_accepted(self._metrics, call)
        measure(self._metrics, call, step.events)
        self._launch(call, step.commands)
        return call

    def _launch(self, call: Call, commands: Sequence[Command]) -> Runner:
        runner = Runner(
            call,
            store=self._store,
            switch=self._switch,
            publisher=self._publisher,
            clock=self._clock,
            in_touch=self._in_touch,
            ari_log=self._ari_log,
            metrics=self._metrics,
        )
        self._runners[call.id] = runner
        drive = self._drives[call.id] = asyncio.create_task(self._drive(runner, commands), name=f"call {call.id}")
        self._keep(drive)
        return runner

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive(self, runner: Runner, commands: Sequence[Command]) -> None:
        try:
            await runner.run(commands)
            await self._until_recorded(runner)
        except Exception:
            logger.exception("call lost", extra={"call_id": runner.call.id})
            self._lost.add(runner.call.id)
        finally:
            if not self._stopping:
                del self._runners[runner.call.id], self._drives[runner.call.id]

    async def _until_recorded(self, runner: Runner) -> None:
        """Let memory tell of an ended call as long as the store does not know that it has ended, and would show it as live."""
        pause = LOOK_AGAIN
        while runner.behind:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_AGAIN_AT_MOST)
            with suppress(StoreUnavailable):
                if await self._store.ended_calls([runner.call.id]):
                    return


def _on_our_clock(call: Call, now: Now) -> Call:
    """A call of our predecessor, whose moments are counted from its acceptance, on this process's monotonic clock.

    The wall clock is all we have to tell how old it is. When that was set back meanwhile, the call is as old as the last
    thing that we know of it, so that nothing ends before it began.
    """
    return replace(call, clock_zero=now.mono - max(call.latest, now.wall - call.accepted_at))


def _what_was_found(call: Call, asked: tuple[LegId, ...], stock: Stock, *, after_restart: bool) -> Signal:
    ours = {leg.id: stock.legs[leg.id] for leg in call.legs if leg.id in stock.legs}
    # A channel that is still being made will be reported: it is neither there yet nor gone.
    asked = tuple(leg_id for leg_id in asked if ours.get(leg_id) is not LegState.CREATING)
    there = tuple((leg_id, state) for leg_id, state in ours.items() if state is not LegState.CREATING)
    if asked and not there and stock.started_at > call.accepted_at:
        return SwitchRestarted()
    bridge = stock.bridges.get(call.id)
    return CallFound(asked, there, tuple(bridge or ()), bridge is not None, after_restart)
