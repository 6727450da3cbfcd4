"""`AsyncClient`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType

from c2c_stasis.client.asynchronous.accounts import Accounts
from c2c_stasis.client.asynchronous.asking import Asking
from c2c_stasis.client.asynchronous.calls import Calls
from c2c_stasis.client.asynchronous.devices import Devices
from c2c_stasis.client.asynchronous.events import Events
from c2c_stasis.client.asynchronous.extensions import Extensions
from c2c_stasis.client.asynchronous.keys import Keys
from c2c_stasis.client.asynchronous.locations import Locations
from c2c_stasis.client.asynchronous.numbers import Numbers
from c2c_stasis.client.asynchronous.sessions import Sessions
from c2c_stasis.client.asynchronous.transport import Stream, Transport
from c2c_stasis.client.asynchronous.users import Users
from c2c_stasis.client.asynchronous.webhooks import Webhooks
from c2c_stasis.client.wire import TIMEOUT, Account, Answer, Environment, Json, Request


class AsyncClient:
    """One service, one key (or session), and the account that is meant. Every method raises `Error`, and nothing is sent twice.

    Use it as a context manager, or `close` it. `timeout` are seconds without a sign of the service.
    """

    def __init__(self, base_url: str, api_key: str, *, account: str | None = None, timeout: float = TIMEOUT) -> None:
        """Connects to nothing yet. Raises `ValueError` when `base_url` is no address of a service."""
        self._use(Asking(Transport(base_url, timeout), Account(api_key, account)))

    @classmethod
    def from_environment(cls, *, timeout: float = TIMEOUT) -> "AsyncClient":
        """By `C2C_BASE_URL`, `C2C_API_KEY` and `C2C_ACCOUNT`, which may be missing. Raises `KeyError` without the others."""
        found = Environment.read()
        return cls(found.base_url, found.api_key, account=found.account, timeout=timeout)

    def of_account(self, account: str) -> "AsyncClient":
        """The same service and key for another account of the platform; to close one of them closes both."""
        other = AsyncClient.__new__(AsyncClient)
        other._use(Asking(self._asking.transport, Account(self._asking.account.api_key, account)))
        return other

    def _use(self, asking: Asking) -> None:
        self._asking = asking
        self.calls = Calls(asking)
        self.users = Users(asking)
        self.devices = Devices(asking)
        self.extensions = Extensions(asking)
        self.numbers = Numbers(asking)
        self.locations = Locations(asking)
        self.accounts = Accounts(asking)
        self.keys = Keys(asking)
        self.sessions = Sessions(asking)
        self.webhooks = Webhooks(asking)
        self.events = Events(asking)

    async def ask(self, method: str, path: str, body: object = None) -> Json:
        """The JSON of an answer, empty when there is none: for what has no method here. `path` begins with `/`."""
        answer = await self.exchange(Request(method, path, body))
        return answer.json()

    async def exchange(self, request: Request) -> Answer:
        """One request, and its answer with status and headers; for whoever needs more than `ask` gives."""
        answer = await self._asking.answer(request)
        return answer.accepted()

    @asynccontextmanager
    async def opened(self, request: Request) -> AsyncIterator[Stream]:
        """One request, and its answer while it is read: its `pieces` or its `lines`."""
        async with self._asking.opened(request) as stream:
            yield stream

    async def close(self) -> None:
        """Close its connections."""
        await self._asking.transport.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
