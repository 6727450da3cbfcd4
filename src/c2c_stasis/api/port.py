"""What the handlers need from the service and from the store of the directory; they know nothing else of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from c2c_stasis.call.model import Call
from c2c_stasis.directory.call_log import Accepted, CallFilter, Once
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.directory.changes import (
    AccountChanges,
    DeviceChanges,
    ExtensionChanges,
    LocationChanges,
    PhoneNumberChanges,
    UserChanges,
)
from c2c_stasis.directory.model import Account, Device, Extension, Key, Location, PhoneNumber, SigningKey, User
from c2c_stasis.directory.pages import Page, Wish
from c2c_stasis.directory.sessions import OpenedSession, Session
from c2c_stasis.directory.webhooks import Attempt, Delivery, WebhookEndpoint
from c2c_stasis.ids import AccountId, DeliveryId, DeviceId, LocationId, NumberId, PlatformId, UserId, WebhookId
from c2c_stasis.ports import Contact, EventFilter, EventPage, Hear, Preflight, SipServer, StoredEvent

Vet = Callable[[str], Awaitable[str]]
"""Holds the URL of a webhook endpoint against the rules and gives it as it is kept. Raises `InvalidRequest`."""

Equal = Mapping[str, object]
"""Values that a field must have."""

NO_CONDITION: Equal = {}

T = TypeVar("T", Account, User, Device, Extension, PhoneNumber, Location, Key, WebhookEndpoint, Delivery)


class Service(Protocol):
    """The service as the API sees it. Every answer of the API is made of these and of the errors in `errors.py`."""

    def authenticate(self, credential: str) -> Key | Session:
        """The key or the session that was presented. Raises `NotAuthenticated`."""
        ...

    def open_session(self, key: Key, account: Account, user: User | None, lasts: int) -> OpenedSession:
        """A session of so many seconds, for one user or for the account. Raises `StoreUnavailable` without a signing key."""
        ...

    def signing_key_due(self) -> float | None:
        """When the newest signing key is too old for another session: what it must not be older than (Unix seconds)."""
        ...

    def public_keys(self) -> list[dict[str, str]]:
        """What verifies sessions, as JSON Web Keys."""
        ...

    def page_origins(self) -> frozenset[str]:
        """Of every web page that may act for an account that names its own."""
        ...

    def account(self, key: Key, account_id: str) -> Account:
        """The account a key may act for. Raises `AccountNotAllowed`."""
        ...

    def user(self, account: Account, user_id: str) -> User:
        """A user of this account. Raises `UserNotFound`."""
        ...

    def emergency_number(self, account: Account, user: User, dial_string: str) -> str | None:
        """The emergency number that this user means by this text; None when it is none."""
        ...

    def hidden_emergency_number(self, account: Account, digits: str) -> str | None:
        """The emergency number that somebody of this account, wherever, means by these digits; None when it is none."""
        ...

    def phone_number(self, account: Account, number_id: NumberId) -> PhoneNumber | None:
        """A phone number of this account."""
        ...

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
        """Accept a call; it is recorded when this returns, and nothing rang when it raises.

        Raises `UserNotFound`, `NumberNotDialable`, `DestinationNotAllowed`, `InvalidRequest` or `DeviceNotFound` for an option,
        `UserBusy`, `LimitReached`, or an `Unavailable`. `key_id` is the key with which it is asked for, if there is one.
        """
        ...

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
        """The same for a request that has a name. Raises `KeyUsedOtherwise` as well."""
        ...

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
        """What would become of a call; nothing rings. Raises `UserNotFound`, `InvalidRequest` and `DeviceNotFound`."""
        ...

    async def calls_page(self, account: Account, wanted: CallFilter, wish: Wish) -> Page[Call]:
        """A page of the calls of this account, live ones included, newest first. Raises `StoreUnavailable`."""
        ...

    async def erase_number(self, account: Account, number: str, *, livemode: bool) -> int:
        """Erase a number from the call log; gives from how many calls. Raises `NumberNotDialable` and `StillInUse`."""
        ...

    async def cancel(self, account: Account, call_id: str) -> None:
        """Cancel or hang up, whatever state the call is in; again and again is the same. Raises `CallNotFound`."""
        ...

    async def find_call(self, account: Account, call_id: str) -> Call:
        """A call of this account, live or ended. Raises `CallNotFound`."""
        ...

    async def call_events(self, account: Account, call_id: str) -> list[StoredEvent]:
        """The event log of a call of this account, in order. Raises `CallNotFound`."""
        ...

    async def events_after(self, account: Account, after: int | None, wanted: EventFilter) -> EventPage:
        """The next events of an account after a number; without one, where they stand. Raises `StoreUnavailable`."""
        ...

    def listen(self, account: Account, hear: Hear) -> Callable[[], None]:
        """Let this hear of every event of an account soon after it was committed; gives what ends that."""
        ...

    async def directory_changed(self) -> None:
        """Let a change of the directory count for the next request."""
        ...

    def removing_user(self, user_id: UserId) -> AbstractAsyncContextManager[None]:
        """The time in which a user is removed. Raises `StillInUse` when a call of or to the user lives."""
        ...

    def contacts(self, endpoint: str) -> Sequence[Contact]:
        """Where a device is registered now."""
        ...

    @property
    def sip_server(self) -> SipServer:
        """Where provisioned phones register."""
        ...

    def is_trunk(self, endpoint: str) -> bool:
        """Whether calls leave through this endpoint."""
        ...

    def provisioned(self, endpoint: str) -> bool:
        """Whether Asterisk has this endpoint by our doing, as the directory says."""
        ...

    async def readiness(self) -> dict[str, str]:
        """What is needed to place calls, each "ok" or what is wrong with it, in words that anyone may read."""
        ...


class DirectoryStore(Protocol):
    """The directory as it is committed, and every change of it.

    A method returns when its change is committed. It raises `InvalidRequest` (naming the field), `AlreadyInUse`,
    `AccountNotAllowed`, `NotFound` or `StillInUse`, and `StoreUnavailable`; then nothing has changed.
    """

    async def find(self, kind: type[T], owner: str, key: str) -> T | None:
        """One value of an account, by its id or number; of a platform, when it is an account or a key."""
        ...

    async def page(
        self, kind: type[T], owner: str, wish: Wish, *, search: str = "", equal: Equal = NO_CONDITION
    ) -> Page[T]:
        """A page of the values that an account has, or a platform."""
        ...

    async def create_account(
        self,
        platform_id: PlatformId,
        name: str,
        *,
        region: str = ...,
        extension_length: int = ...,
        timezone: str = ...,
        email: str = ...,
        primary_contact_name: str = ...,
        policy: str = ...,
        cors_origins: Sequence[str] | None = ...,
        kept: Mapping[str, object] | None = ...,
    ) -> Account:
        """A new account."""
        ...

    async def update_account(self, account_id: AccountId, changes: AccountChanges) -> Account:
        """Change an account."""
        ...

    async def delete_account(self, account_id: AccountId) -> None:
        """Remove an account that has no users."""
        ...

    async def create_user(
        self,
        account_id: AccountId,
        name: str,
        *,
        email: str = ...,
        do_not_disturb: bool = ...,
        caller_number_id: NumberId | None = ...,
        kept: Mapping[str, object] | None = ...,
        location_id: LocationId | None = ...,
    ) -> User:
        """A new user."""
        ...

    async def update_user(self, account_id: AccountId, user_id: UserId, changes: UserChanges) -> User:
        """Change a user."""
        ...

    async def delete_user(self, account_id: AccountId, user_id: UserId) -> None:
        """Remove a user with devices and extensions."""
        ...

    async def create_device(
        self,
        account_id: AccountId,
        user_id: UserId,
        endpoint: str,
        *,
        name: str = ...,
        location_id: LocationId | None = ...,
        ha1: str = ...,
        type: str = ...,
    ) -> Device:
        """A new device."""
        ...

    async def reset_device(self, account_id: AccountId, device_id: DeviceId, ha1: str) -> Device:
        """Give a provisioned device another password."""
        ...

    async def update_device(self, account_id: AccountId, device_id: DeviceId, changes: DeviceChanges) -> Device:
        """Change a device."""
        ...

    async def delete_device(self, account_id: AccountId, device_id: DeviceId) -> None:
        """Remove a device."""
        ...

    async def create_extension(self, account_id: AccountId, number: str, user_id: UserId) -> Extension:
        """A new extension."""
        ...

    async def update_extension(self, account_id: AccountId, number: str, changes: ExtensionChanges) -> Extension:
        """Change whom an extension leads to."""
        ...

    async def delete_extension(self, account_id: AccountId, number: str) -> None:
        """Remove an extension."""
        ...

    async def create_phone_number(
        self,
        account_id: AccountId,
        number: str,
        *,
        caller_id_name: str = ...,
        active: bool = ...,
        outbound_enabled: bool = ...,
        kept: Mapping[str, object] | None = ...,
    ) -> PhoneNumber:
        """A new number."""
        ...

    async def update_phone_number(
        self, account_id: AccountId, number_id: NumberId, changes: PhoneNumberChanges
    ) -> PhoneNumber:
        """Change a number."""
        ...

    async def delete_phone_number(self, account_id: AccountId, number_id: NumberId) -> None:
        """Remove a number that nobody shows."""
        ...

    async def create_location(
        self,
        account_id: AccountId,
        name: str,
        address: Mapping[str, str],
        *,
        primary_number_id: NumberId | None = ...,
        kept: Mapping[str, object] | None = ...,
    ) -> Location:
        """A new location."""
        ...

    async def update_location(
        self, account_id: AccountId, location_id: LocationId, changes: LocationChanges
    ) -> Location:
        """Change a location."""
        ...

    async def delete_location(self, account_id: AccountId, location_id: LocationId) -> None:
        """Remove a location where nobody is."""
        ...

    async def create_key(
        self, platform_id: PlatformId, *, livemode: bool = ..., networks: Sequence[str] = ...
    ) -> tuple[str, Key]:
        """A new key, and what is kept of it."""
        ...

    async def revoke_key(self, key_id: str) -> Key:
        """Make a key useless."""
        ...

    async def rotate_key(self, key_id: str, overlap: float) -> tuple[str, Key]:
        """A new key, and what is kept of it; the old one opens nothing after so many seconds. Raises `NotAllowed`."""
        ...

    async def revoke_user_sessions(self, account_id: AccountId, user_id: UserId) -> User:
        """End the sessions of a user."""
        ...

    async def revoke_account_sessions(self, account_id: AccountId) -> Account:
        """End the sessions of an account and of its users."""
        ...

    async def renew_signing_key(self, older_than: float) -> SigningKey:
        """The newest signing key, after a new one was made if there was none that is younger."""
        ...

    async def create_webhook_endpoint(
        self, account_id: AccountId, url: str, *, livemode: bool, events: Sequence[str], description: str
    ) -> WebhookEndpoint:
        """A new webhook endpoint, with its secret. Raises `TooMany`."""
        ...

    async def update_webhook_endpoint(
        self, account_id: AccountId, endpoint_id: WebhookId, changes: Mapping[str, object]
    ) -> WebhookEndpoint:
        """Change a webhook endpoint."""
        ...

    async def rotate_webhook_secret(
        self, account_id: AccountId, endpoint_id: WebhookId, overlap: float
    ) -> WebhookEndpoint:
        """Give a webhook endpoint another secret; the old one counts for so many seconds more."""
        ...

    async def delete_webhook_endpoint(self, account_id: AccountId, endpoint_id: WebhookId) -> None:
        """Remove a webhook endpoint."""
        ...

    async def test_webhook_endpoint(self, account_id: AccountId, endpoint_id: WebhookId) -> Delivery:
        """Send a test event. Raises `WebhookDisabled`."""
        ...

    async def redeliver(self, account_id: AccountId, endpoint_id: WebhookId, delivery_id: DeliveryId) -> Delivery:
        """Send an event again. Raises `WebhookDisabled`."""
        ...

    async def delivery_attempts(
        self, delivery_ids: Sequence[DeliveryId], most: int
    ) -> Mapping[DeliveryId, Sequence[Attempt]]:
        """The newest attempts of these deliveries."""
        ...
