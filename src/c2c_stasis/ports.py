"""What the service needs from the outside, as protocols; the adapters in `ari`, `store` and `publish` provide it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from c2c_stasis.call.commands import Command
from c2c_stasis.call.events import Event
from c2c_stasis.call.model import Call, DestinationKind, EmergencyDetails, LegState, Limits, Now, Party
from c2c_stasis.call.signals import Signal
from c2c_stasis.config import Trunk
from c2c_stasis.directory.call_log import CallFilter, Once
from c2c_stasis.directory.model import Device, DirectoryRows, PhoneNumber, User
from c2c_stasis.directory.pages import Page, Wish
from c2c_stasis.directory.webhooks import Attempt, DeliveryStatus, Message, WebhookEndpoint
from c2c_stasis.ids import AccountId, CallId, DeliveryId, LegId, UserId, WebhookId
from c2c_stasis.policy.request import Decision


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> Now:
        """One reading of both clocks."""
        ...


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a device registered: a SIP URI, and whether it answers qualify requests."""

    uri: str
    reachable: bool = True
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class SipServer:
    """Where provisioned phones register. Without a port it is the transport's own: 5060, or 5061 for `tls`."""

    domain: str
    port: int | None = None
    transport: str = "udp"
    websocket_url: str = ""  # where pages register; empty when they cannot

    @property
    def address(self) -> str:
        """Host and port, as people enter it into a phone."""
        return self.domain if self.port is None else f"{self.domain}:{self.port}"


@dataclass(frozen=True, slots=True)
class Stock:
    """What the switch has at one moment: channels of our application by leg id, and bridges with their members.

    A leg that is `CREATING` will be reported as created; until then nothing can be asked of it. `started_at` is when the switch
    itself started, in Unix seconds by its own clock. Channels `elsewhere` are in other applications: what happens to them is
    not reported to us.
    """

    legs: Mapping[LegId, LegState]
    bridges: Mapping[CallId, frozenset[LegId]]
    started_at: float
    elsewhere: frozenset[LegId] = frozenset()


class Listener(Protocol):
    """Who hears what the switch reports; the service."""

    def receive(self, leg_id: LegId, signal: Signal) -> None:
        """A signal about one leg. Signals about legs that nobody knows are let pass."""
        ...

    async def connected(self) -> None:
        """The switch can be heard again; what happened in between has to be looked up with `Switch.look`.

        Raises what that raises, `SwitchUnavailable` or `SwitchRefused`: then it is to be said again.
        """
        ...


class Switch(Protocol):
    """Asterisk, as the service sees it."""

    @property
    def connected(self) -> bool:
        """Whether commands can be carried out and signals arrive."""
        ...

    @property
    def answering(self) -> bool:
        """Whether it answers at all; if not, it should be given nothing new."""
        ...

    @property
    def started_at(self) -> float | None:
        """When the switch that we are connected to started, as in `Stock`; None before the first connection."""
        ...

    def contacts(self, endpoint: str) -> Sequence[Contact]:
        """The registered contacts of an endpoint, from memory; empty when it is not registered or not known."""
        ...

    def provisioned(self, endpoint: str) -> bool:
        """Whether it has this endpoint because we made it, and as the directory says."""
        ...

    async def execute(self, call: Call, command: Command) -> None:
        """Carry out one command.

        Raises `SwitchRefused` with Asterisk's status and message, or `SwitchUnavailable` when there was no answer; it has then
        been tried again with the same ids as far as that is safe. A command whose purpose is already met succeeds.
        """
        ...

    async def look(self) -> Stock:
        """What exists now. Raises `SwitchUnavailable` or `SwitchRefused`."""
        ...

    async def was_dialled(self, leg_id: LegId) -> bool | None:
        """Whether a leg that is dialled on behalf of another was dialled, though it is silent yet; None if nobody can tell.

        Raises `SwitchUnavailable`.
        """
        ...

    async def sweep(self, legs: Iterable[LegId], bridges: Iterable[CallId]) -> None:
        """End channels and remove bridges that no live call needs any more; what is refused is told and left.

        Raises `SwitchUnavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it leaves: `body` are the bytes that every road carries. `sequence` counts within the call, from 1."""

    id: str
    account_id: AccountId
    call_id: CallId
    sequence: int
    type: str
    created_at: float  # Unix seconds
    body: bytes


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """A committed event and its number: events of an account are counted from 1, without a gap, as they are committed."""

    number: int
    user_id: UserId
    livemode: bool
    event: StoredEvent


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events of an account: of which mode, of which types, and perhaps of one user or one call only.

    `private` is for who acts for the user alone, and hears nothing of phones that are somebody else's.
    """

    livemode: bool
    types: frozenset[str]
    user_id: UserId | None = None
    call_id: CallId | None = None
    private: bool = False

    def fits(self, one: NumberedEvent) -> bool:
        """Whether an event is one of them."""
        return (
            one.event.type in self.types
            and one.livemode is self.livemode
            and self.user_id in (None, one.user_id)
            and self.call_id in (None, one.event.call_id)
        )


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events of an account that come next.

    Of all events up to number `upto`, those that are wanted are here; `last` is the number of the newest one. `lost` is the
    number from which on they are here, when some that came next are not kept any more, or never were.
    """

    events: tuple[NumberedEvent, ...]
    upto: int
    last: int
    lost: int | None = None


Hear = Callable[[Sequence[NumberedEvent]], None]
"""Is told events as they were committed. Without any, what was committed is not known: the store has to be asked."""


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """An event that is to be sent to a webhook endpoint now. `body` is null when the event is no longer kept.

    `line` is the call whose later events wait for this one; `attempts` were made before.
    """

    id: DeliveryId
    event_id: str
    type: str
    line: CallId | None
    attempts: int
    created_at: float  # Unix seconds
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of an attempt. The endpoint fails since `failing_since`; before the attempt that was `failed_before`."""

    delivery: DueDelivery
    attempt: Attempt
    status: DeliveryStatus
    next_attempt_at: float | None = None
    failing_since: float | None = None
    failed_before: float | None = None


class WebhookStore(Protocol):
    """What the sender of webhooks needs of the store; each method may raise `StoreUnavailable`."""

    def tell_webhooks(self, told: Callable[[Set[tuple[WebhookId, bool]], bool], None]) -> None:
        """Let this be told, after each commit, for whom something waits, urgent or not, and whether endpoints have changed."""
        ...

    async def enabled_webhook_endpoints(self) -> tuple[WebhookEndpoint, ...]:
        """Every endpoint that events are sent to."""
        ...

    async def due_deliveries(
        self, endpoint_id: WebhookId, now: float, limit: int, *, urgent: bool
    ) -> tuple[list[DueDelivery], float | None]:
        """What is to be sent now, of each call the first alone, and when the next is due: of what is urgent or of the rest."""
        ...

    async def settle_delivery(self, endpoint_id: WebhookId, settled: Settled) -> None:
        """Write down what became of an attempt."""
        ...

    async def disable_webhook_endpoint(
        self, account_id: AccountId, endpoint_id: WebhookId, reason: str, announcement: Message
    ) -> bool:
        """Send nothing more to an endpoint, and announce it to the others of its account; false if that is done already."""
        ...

    async def hurry_deliveries(self, endpoint_id: WebhookId, now: float, upto: float, *, urgent: bool) -> float | None:
        """Of what waits for its next attempt, make the last until then due now; gives the time of the first of these."""
        ...

    async def give_up_deliveries(self, now: float) -> int:
        """Attempt nothing more of some of what waits for disabled endpoints, and say of how much."""
        ...

    async def forget_deliveries(self, before: float) -> int:
        """Remove some of what was settled before this time (Unix seconds), and say how much."""
        ...


@dataclass(frozen=True, slots=True)
class RecentCall:
    """A call of the log, as far as limits count it. Moments are Unix seconds; an erased number is empty."""

    id: CallId
    account_id: AccountId
    user_id: UserId
    key_id: str | None
    kind: DestinationKind
    number: str
    livemode: bool
    live: bool
    started_at: float
    connected_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Ringable:
    """A device, where it is registered, and whether it would ring."""

    device: Device
    contacts: Sequence[Contact]
    rings: bool

    @property
    def online(self) -> bool:
        """Whether it is registered somewhere and answers."""
        return any(contact.reachable for contact in self.contacts)


@dataclass(frozen=True, slots=True)
class Preflight:
    """What would become of a request for a call, if it came now.

    `kind` and `number` are what the dial string was read as, if it could be. `trunks` are tried in this order. `caller` is who
    is shown to the destination, or, when the call is `anonymous`, to trusted carriers alone; `did` is the number of the account
    behind it. `callee` is whom an extension leads to, and `far_devices` are that user's. `switch` is
    `ok`, or what is wrong with Asterisk. `warnings` are sentences: what would go wrong although the call may be.
    """

    user: User
    dial_string: str
    decision: Decision
    kind: DestinationKind | None
    number: str | None
    devices: tuple[Ringable, ...]
    callee: User | None
    far_devices: tuple[Ringable, ...]
    trunks: tuple[Trunk, ...]
    caller: Party | None
    did: PhoneNumber | None
    anonymous: bool
    limits: Limits
    switch: str
    warnings: tuple[str, ...]
    emergency_details: EmergencyDetails | None = None


class Publisher(Protocol):
    """Puts an event into its envelope."""

    def envelope(self, call: Call, event: Event, sequence: int) -> StoredEvent:
        """The stored form of an event; the same bytes for everyone, for ever."""
        ...


class Store(Protocol):
    """The memory that survives us. A call's row and its events are written in one transaction."""

    @property
    def failing(self) -> bool:
        """Whether nothing can be written now, as far as that is known."""
        ...

    async def accept(self, call: Call, events: Sequence[StoredEvent], once: Once | None = None) -> None:
        """Record a new call, and the name of its request if it has one; returns when both are committed.

        Raises `StoreUnavailable`: then nothing is recorded.
        """
        ...

    async def find_once(self, wanted: Once, *, since: float) -> tuple[str, CallId] | None:
        """The fingerprint and the call of the request that had this name since then. Raises `StoreUnavailable`."""
        ...

    async def remember_once(self, request: Once, call_id: CallId, at: float) -> None:
        """Keep that a request led to a call which another one had begun. Raises `StoreUnavailable`."""
        ...

    def record(self, call: Call, events: Sequence[StoredEvent], *, within: float = 0.0) -> Awaitable[None]:
        """Record what became of a call; what it gives is done when that is committed.

        It may wait so many seconds for others of its call, when nothing is done only after it. Records of
        one call are committed in the order of the calls to this method, also when the caller stops waiting (cancelling the wait
        does not take the record back). Raises `StoreUnavailable`.
        """
        ...

    async def live_calls(self) -> list[Call]:
        """Every call that has not ended; one that cannot be read is told and left out. Raises `StoreUnavailable`."""
        ...

    async def recent_calls(self, began: float, talked: float) -> list[RecentCall]:
        """Calls that live, began since the first moment (Unix seconds), or since the second one and were answered.

        Raises `StoreUnavailable`.
        """
        ...

    async def find_call(self, account_id: AccountId, call_id: CallId) -> Call | None:
        """A call of this account, live or ended. Raises `StoreUnavailable`, also when its record cannot be read."""
        ...

    async def forget_once(self, before: float, most: int) -> int:
        """Forget the names of so many requests of the time before; gives how many. Raises `StoreUnavailable`."""
        ...

    async def delete_calls(self, before: float, most: int) -> int:
        """Delete so many ended calls that began before, with legs and events; gives how many. Raises `StoreUnavailable`."""
        ...

    async def erase_number(self, account_id: AccountId, modes: Sequence[bool], number: str, most: int) -> int:
        """Erase a number from so many ended calls, events included; gives from how many. Raises `StoreUnavailable`."""
        ...

    async def calls_page(self, account_id: AccountId, wanted: CallFilter, wish: Wish) -> Page[Call]:
        """A page of the calls of an account, newest first; one that cannot be read is told and left out.

        Raises `StoreUnavailable`.
        """
        ...

    async def call_events(self, account_id: AccountId, call_id: CallId) -> list[StoredEvent]:
        """The event log of a call, in order. Raises `StoreUnavailable`."""
        ...

    async def events_after(self, account_id: AccountId, after: int | None, wanted: EventFilter) -> EventPage:
        """The next events of an account after a number; without one, where they stand. Raises `StoreUnavailable`."""
        ...

    def tell(self, hear: Hear) -> None:
        """Let this hear of every commit that holds events, in their order, soon after it."""
        ...

    async def ended_calls(self, call_ids: Iterable[CallId]) -> set[CallId]:
        """Those of these calls that are recorded here as ended. Raises `StoreUnavailable`."""
        ...

    async def directory(self) -> DirectoryRows:
        """The whole directory as it is committed now. Raises `StoreUnavailable`."""
        ...

    async def check(self) -> None:
        """Prove that the database can be read and written. Raises `StoreUnavailable`."""
        ...
