"""What the handlers need from the service; they know nothing else of it."""

from typing import Protocol

from c2c_stasis.call.model import Call
from c2c_stasis.directory.model import Account, Key
from c2c_stasis.ports import StoredEvent


class Service(Protocol):
    """The service as the API sees it. Every answer of the API is made of these and of the errors in `errors.py`."""

    def authenticate(self, key: str) -> Key:
        """The key that was presented. Raises `NotAuthenticated`."""
        ...

    def account(self, key: Key, account_id: str) -> Account:
        """The account a key may act for. Raises `AccountNotAllowed`."""
        ...

    async def place(
        self, account: Account, user_id: str, dial_string: str, *, livemode: bool, metadata: dict[str, str]
    ) -> Call:
        """Accept a call; it is recorded when this returns, and nothing rang when it raises.

        Raises `UserNotFound`, `NumberNotDialable`, `DestinationNotAllowed`, `UserBusy`, or an `Unavailable`.
        """
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

    async def readiness(self) -> dict[str, str]:
        """What is needed to place calls, each "ok" or what is wrong with it, in words that anyone may read."""
        ...
