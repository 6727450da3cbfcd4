"""A service that behaves: it knows one platform with one account, and remembers the calls it accepted."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import cast

from msgspec.structs import replace

from c2c_stasis.api.port import DirectoryStore
from c2c_stasis.call.model import (
    Call,
    CallState,
    Destination,
    End,
    EndedBy,
    Outcome,
    Party,
    Reason,
)
from c2c_stasis.call.model import Limits as CallLimits
from c2c_stasis.directory.call_log import Accepted, CallFilter, Once
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.directory.dial_strings import as_emergency, parse
from c2c_stasis.directory.model import Account, Key, PhoneNumber, User
from c2c_stasis.directory.pages import Page, Wish
from c2c_stasis.directory.sessions import OpenedSession, Session
from c2c_stasis.errors import (
    AccountNotAllowed,
    CallNotFound,
    KeyUsedOtherwise,
    NotAuthenticated,
    StoreUnavailable,
    UserNotFound,
)
from c2c_stasis.ids import AccountId, CallId, NumberId, PlatformId, UserId, new_id
from c2c_stasis.policy.engine import judge
from c2c_stasis.policy.request import Request
from c2c_stasis.policy.settings import Settings
from c2c_stasis.ports import Contact, EventFilter, EventPage, Hear, Preflight, SipServer, StoredEvent

NO_STORE = cast("DirectoryStore", None)  # calls do not need one
KEY = "sk_live_fakefakefakefakefakefakefakefake"
TEST_KEY = "sk_test_fakefakefakefakefakefakefakefake"
PLATFORM = PlatformId("plat_01h2xcejqtf2nbrexx3vqjhp40")
ACCOUNT = AccountId("acct_01h2xcejqtf2nbrexx3vqjhp41")
USER = UserId("user_01h2xcejqtf2nbrexx3vqjhp42")
STRANGER = UserId("user_01h2xcejqtf2nbrexx3vqjhp43")
FOREIGN_ACCOUNT = AccountId("acct_01h2xcejqtf2nbrexx3vqjhp44")


class FakeService:
    """Places calls in a dictionary. `fail` is raised by the next `place`; `hold` makes it wait."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.events: dict[str, list[StoredEvent]] = {}
        self.checks: dict[str, str] = {"asterisk": "ok", "database": "ok"}
        self.fail: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.holding = asyncio.Event()
        self.accepted = asyncio.Event()
        self.numbers: dict[NumberId, PhoneNumber] = {}
        self.once: dict[str, tuple[Once, CallId]] = {}
        self.options = ORDINARY  # of the call that was placed last
        self.wanted: CallFilter | None = None  # what was listed last
        self.hangs = False  # whether `readiness` never answers

    def authenticate(self, credential: str) -> Key | Session:
        if credential not in (KEY, TEST_KEY):
            raise NotAuthenticated
        return Key("key_1", PLATFORM, "", credential[:12], livemode=credential == KEY, created_at=0.0)

    def open_session(self, key: Key, account: Account, user: User | None, lasts: int) -> OpenedSession:
        raise StoreUnavailable("no signing key")

    def signing_key_due(self) -> float | None:
        return None

    def public_keys(self) -> list[dict[str, str]]:
        return []

    def page_origins(self) -> frozenset[str]:
        return frozenset()

    def account(self, key: Key, account_id: str) -> Account:
        if account_id != ACCOUNT:
            raise AccountNotAllowed
        return Account(ACCOUNT, PLATFORM, "Example")

    def user(self, account: Account, user_id: str) -> User:
        if user_id != USER:
            raise UserNotFound
        return User(USER, account.id, "Alice")

    def emergency_number(self, account: Account, user: User, dial_string: str) -> str | None:
        found = as_emergency(dial_string, [account.region])
        return found.number if found else None

    def hidden_emergency_number(self, account: Account, digits: str) -> str | None:
        found = as_emergency(digits, [account.region])
        return found.number if found else None

    def phone_number(self, account: Account, number_id: NumberId) -> PhoneNumber | None:
        return self.numbers.get(number_id)

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
        if once.key not in self.once:
            call = await self.place(
                *(account, user_id, dial_string),
                livemode=once.livemode,
                metadata=metadata,
                options=options,
                key_id=key_id,
            )
            self.once[once.key] = once, call.id
            return Accepted(call.id, replayed=False)
        before, call_id = self.once[once.key]
        if before != once:
            raise KeyUsedOtherwise
        return Accepted(call_id, replayed=True)

    async def calls_page(self, account: Account, wanted: CallFilter, wish: Wish) -> Page[Call]:
        self.wanted = wanted
        if self.fail is not None:
            raise self.fail
        return Page(tuple(call for call in self.calls.values() if wanted.fits(call))[::-1][: wish.limit])

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
        self.options = options
        self.user(account, user_id)
        dialled = parse(dial_string, region=account.region, extension_length=account.extension_length)
        request = Request(dialled.kind, dialled.number, account.region, account.id, USER, key_id, livemode)
        judged = judge(request, Settings())
        judged.check()
        if self.hold is not None:
            self.holding.set()
            await self.hold.wait()
        if self.fail is not None:
            raise self.fail
        call = Call(
            id=CallId(new_id("call")),
            platform_id=PLATFORM,
            account_id=account.id,
            user_id=UserId(user_id),
            dial_string=dial_string,
            destination=Destination(dialled.kind, Party(dialled.number)),
            caller=Party("+15559876543", "Example"),
            region=account.region,
            limits=CallLimits(),
            legs=(),
            accepted_at=1_700_000_000.0,
            clock_zero=0.0,
            livemode=livemode,
            metadata=metadata,
            did_id=options.did_id,
            rule=judged.rule,
            key_id=key_id,
        )
        self.calls[call.id] = call
        self.accepted.set()
        return call

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
        dialled = parse(dial_string, region=account.region, extension_length=account.extension_length)
        request = Request(dialled.kind, dialled.number, account.region, account.id, USER, key_id, livemode)
        return Preflight(
            user=self.user(account, user_id),
            dial_string=dial_string,
            decision=judge(request, Settings()),
            kind=dialled.kind,
            number=dialled.number,
            devices=(),
            callee=None,
            far_devices=(),
            trunks=(),
            caller=None,
            did=None,
            anonymous=False,
            limits=CallLimits(),
            switch="ok",
            warnings=(),
        )

    async def erase_number(self, account: Account, number: str, *, livemode: bool) -> int:
        return 0

    async def cancel(self, account: Account, call_id: str) -> None:
        call = await self.find_call(account, call_id)
        end = End(Outcome.CANCELLED, Reason.CANCELLED_BY_API, EndedBy.API)
        self.calls[call_id] = replace(call, state=CallState.ENDED, end=call.end or end, ended_at=call.ended_at or 1.0)

    async def find_call(self, account: Account, call_id: str) -> Call:
        call = self.calls.get(call_id)
        if call is None or call.account_id != account.id:
            raise CallNotFound
        return call

    async def call_events(self, account: Account, call_id: str) -> list[StoredEvent]:
        await self.find_call(account, call_id)
        return self.events.get(call_id, [])

    async def events_after(self, account: Account, after: int | None, wanted: EventFilter) -> EventPage:
        return EventPage((), 0, 0)

    def listen(self, account: Account, hear: Hear) -> Callable[[], None]:
        return lambda: None

    sip_server = SipServer("pbx.example.com")

    def is_trunk(self, endpoint: str) -> bool:
        return False

    def provisioned(self, endpoint: str) -> bool:
        return False

    async def directory_changed(self) -> None:
        """The one account of this service never changes."""

    def removing_user(self, user_id: UserId) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def contacts(self, endpoint: str) -> Sequence[Contact]:
        return ()

    async def readiness(self) -> dict[str, str]:
        if self.hangs:
            await asyncio.Event().wait()
        return self.checks
