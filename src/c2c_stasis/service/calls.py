"""The call service: what the API and the switch may ask for. Who does it stands in the other files of this folder."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from c2c_stasis.arilog import AriLog
from c2c_stasis.call.model import Call
from c2c_stasis.call.signals import CancelRequested, Signal
from c2c_stasis.config import Calls, Emergency, RouteRule, Trunk
from c2c_stasis.directory.call_log import Accepted, CallFilter, Once
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.directory.dial_strings import as_emergency
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.emergency import meant
from c2c_stasis.directory.model import Account, Key, PhoneNumber, User
from c2c_stasis.directory.pages import Page, Wish
from c2c_stasis.directory.sessions import OpenedSession, Session, believed, public_jwk
from c2c_stasis.errors import (
    AccountNotAllowed,
    CallNotFound,
    StillInUse,
    StoreUnavailable,
    SwitchRefused,
    SwitchUnavailable,
)
from c2c_stasis.ids import AccountId, CallId, LegId, NumberId, UserId
from c2c_stasis.metrics import Metrics, ask
from c2c_stasis.policy.settings import Settings
from c2c_stasis.ports import (
    Clock,
    Contact,
    EventFilter,
    EventPage,
    Hear,
    Preflight,
    Publisher,
    SipServer,
    Store,
    StoredEvent,
    Switch,
)
from c2c_stasis.service.accepting import Accepting
from c2c_stasis.service.call_log import CallLog
from c2c_stasis.service.catching_up import CatchingUp
from c2c_stasis.service.credentials import Credentials
from c2c_stasis.service.current_directory import CurrentDirectory, Provision, Watch
from c2c_stasis.service.erasing import erase_number
from c2c_stasis.service.feed import Feed
from c2c_stasis.service.live_calls import LiveCalls
from c2c_stasis.service.permission import Permission
from c2c_stasis.service.preflight import Rehearsal
from c2c_stasis.service.readiness import DatabaseProbe

logger = logging.getLogger(__name__)

PLAIN = Emergency()


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
        routes: Sequence[RouteRule] = (),
        policy: Settings,
        emergency: Emergency = PLAIN,
        watch: Watch,
        provision: Provision,
        sip_server: SipServer,
        ari_log: AriLog | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        ari_log, metrics = ari_log or AriLog(), metrics or Metrics()
        self.sip_server = sip_server
        self._feed = Feed()
        self.permission = Permission(policy)
        self.live_calls = LiveCalls(
            store=store,
            switch=switch,
            publisher=publisher,
            clock=clock,
            feed=self._feed,
            ari_log=ari_log,
            metrics=metrics,
            usage=self.permission.usage,
        )
        ask(metrics.calls_live, lambda: self.live)
        self._store = store
        self._switch = switch
        self._clock = clock
        self._current = CurrentDirectory(store, watch, provision)
        self._credentials = Credentials(lambda: self._directory, clock)
        self._catching_up = CatchingUp(self.live_calls, store, switch, clock)
        self._accepting = Accepting(
            self.live_calls,
            self._current,
            store=store,
            switch=switch,
            publisher=publisher,
            clock=clock,
            calls=calls,
            trunks=trunks,
            routes=routes,
            ari_log=ari_log,
            metrics=metrics,
            permission=self.permission,
            emergency=emergency,
        )
        self._database = DatabaseProbe(store, clock)
        self._log = CallLog(store, self.live_calls.in_memory)
        store.tell(self._feed.committed)

    # --- life of the service ---

    async def start(self) -> None:
        """Take over the directory and the calls that were live when we ended. Raises `StoreUnavailable`."""
        await self.refresh_directory()
        await self.permission.restore(self._store, self._directory, self._clock.now())
        await self._catching_up.take_over()

    def drain(self) -> None:
        """Take no more calls but emergency calls, and steer those that live on."""
        self.live_calls.draining = True

    async def emptied(self) -> None:
        """Wait until no call is live any more."""
        await self.live_calls.emptied()

    async def stop(self) -> None:
        """Take no more calls and let go of those that live: they go on in Asterisk, for the next start to take over."""
        await self._catching_up.stop()
        await self.live_calls.stop()
        await self._database.stop()

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
            if self.live_calls.involve(user_id):
                raise StillInUse("the user has a live call; end it first")
            yield

    def reconfigure(
        self,
        calls: Calls,
        trunks: Sequence[Trunk],
        routes: Sequence[RouteRule],
        policy: Settings,
        emergency: Emergency = PLAIN,
    ) -> None:
        """Use these for calls that are placed from now on; live calls keep what they were planned with."""
        self.permission.use(policy)
        self._accepting.calls = calls
        self._accepting.trunks = trunks
        self._accepting.routes = routes
        self._accepting.emergency = emergency

    @property
    def live(self) -> int:
        """How many calls are live."""
        return self.live_calls.count

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

    def page_origins(self) -> frozenset[str]:
        """Of every web page that may act for an account that names its own."""
        return self._directory.page_origins

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
        return self._current.user(account, user_id)

    def phone_number(self, account: Account, number_id: NumberId) -> PhoneNumber | None:
        """A phone number of this account."""
        return self._directory.phone_number(account.id, number_id)

    def emergency_number(self, account: Account, user: User, dial_string: str) -> str | None:
        """The emergency number that this user means by this text; None when it is none."""
        found = meant(self._directory, account, user, dial_string, self._accepting.emergency)
        return found.number if found else None

    def hidden_emergency_number(self, account: Account, digits: str) -> str | None:
        """The emergency number that somebody of this account, wherever, means by these digits; None when it is none."""
        found = as_emergency(digits, self._directory.regions_of_all(account), self._accepting.emergency)
        return found.number if found else None

    async def place_once(
        self,
        account: Account,
        user_id: str,
        dial_string: str,
        once: Once,
        *,
        metadata: dict[str, str],
        options: CallOptions = ORDINARY,
        key_id: str | None = None,
    ) -> Accepted:
        """Accept the call of a request that has a name, or tell the call that an earlier request of this name led to.

        Raises `KeyUsedOtherwise`, and what `place` raises.
        """
        with self._database.in_doubt():
            return await self._accepting.place_once(account, user_id, dial_string, once, metadata, options, key_id)

    async def place(
        self,
        account: Account,
        user_id: str,
        dial_string: str,
        *,
        livemode: bool,
        metadata: dict[str, str],
        options: CallOptions = ORDINARY,
        key_id: str | None = None,
    ) -> Call:
        """Accept a call, or tell the one that this request repeats; raises what `Accepting.place` raises."""
        with self._database.in_doubt():
            return await self._accepting.place(
                *(account, user_id, dial_string),
                livemode=livemode,
                metadata=metadata,
                options=options,
                key_id=key_id,
            )

    def preflight(
        self,
        account: Account,
        user_id: str,
        dial_string: str,
        *,
        livemode: bool,
        options: CallOptions = ORDINARY,
        key_id: str | None = None,
    ) -> Preflight:
        """What would become of this request; nothing rings, and nothing is counted.

        Raises `UserNotFound`, and `InvalidRequest` or `DeviceNotFound` for an option.
        """
        user, accepting = self._current.user(account, user_id), self._accepting
        planned_with = (accepting.trunks, accepting.routes, self.permission, accepting.emergency)
        return Rehearsal(self._directory, self._switch, *planned_with).of(
            *(account, user, dial_string, accepting.limits(), self._clock.now().mono),
            livemode=livemode,
            options=options,
            key_id=key_id,
            switch=self._asterisk_state(),
        )

    async def calls_page(self, account: Account, wanted: CallFilter, wish: Wish) -> Page[Call]:
        """A page of the calls of this account, live ones included, newest first. Raises `StoreUnavailable`."""
        return await self._log.page(account.id, wanted, wish)

    async def erase_number(self, account: Account, number: str, *, livemode: bool) -> int:
        """Erase a number from the log of an account; gives from how many calls. Raises what `erasing.erase_number` raises."""
        return await erase_number(self._store, self.live_calls, account, number, livemode=livemode)

    async def cancel(self, account: Account, call_id: str) -> None:
        """End a call in whatever state it is; one that has ended stays as it is.

        Raises `CallNotFound`; `StoreUnavailable`; and `SwitchUnavailable` for a call that lives where we do not reach it.
        """
        runner = self.live_calls.runners.get(CallId(call_id))
        if runner is not None and runner.call.account_id == account.id:
            runner.put(CancelRequested())
            return
        if (await self.find_call(account, call_id)).live:
            raise SwitchUnavailable("the call is not in our hands")

    async def find_call(self, account: Account, call_id: str) -> Call:
        """A call of this account, live or ended. Raises `CallNotFound` or `StoreUnavailable`."""
        runner = self.live_calls.runners.get(CallId(call_id))
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
        runner = self.live_calls.runners.get(CallId(call_id))
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
        return any(trunk.pjsip_endpoint == endpoint for trunk in self._accepting.trunks)

    def provisioned(self, endpoint: str) -> bool:
        """Whether Asterisk has this endpoint as the directory says; not, as far as anybody knows, while it is not connected."""
        return self._switch.provisioned(endpoint)

    async def readiness(self) -> dict[str, str]:
        """Whether new calls can be taken: each part by name, `ok` or what is wrong with it."""
        parts = {"asterisk": self._asterisk_state(), "database": await self._database.state()}
        ending = self.live_calls.draining or self.live_calls.stopping
        return parts | ({"service": "stopping"} if ending else {})

    def _asterisk_state(self) -> str:
        if not self._switch.connected:
            return "not connected"
        return "ok" if self._switch.answering else "does not answer"

    # --- what the switch reports ---

    def receive(self, leg_id: LegId, signal: Signal) -> None:
        """Bring a signal to its call."""
        self._catching_up.receive(leg_id, signal)

    async def connected(self) -> None:
        """Catch up with what happened while the switch could not be heard. Raises `SwitchUnavailable` and `SwitchRefused`."""
        await self._catching_up.connected()

    @property
    def _directory(self) -> Directory:
        return self._current.now
