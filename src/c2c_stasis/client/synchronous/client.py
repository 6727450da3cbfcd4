# Drawn from ../asynchronous/client.py by tools/draw_client.py; change it there.
"""`Client`."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from c2c_stasis.client.synchronous.accounts import Accounts
from c2c_stasis.client.synchronous.asking import Asking
from c2c_stasis.client.synchronous.calls import Calls
from c2c_stasis.client.synchronous.devices import Devices
from c2c_stasis.client.synchronous.events import Events
from c2c_stasis.client.synchronous.extensions import Extensions
from c2c_stasis.client.synchronous.keys import Keys
from c2c_stasis.client.synchronous.locations import Locations
from c2c_stasis.client.synchronous.numbers import Numbers
from c2c_stasis.client.synchronous.sessions import Sessions
from c2c_stasis.client.synchronous.transport import Stream, Transport
from c2c_stasis.client.synchronous.users import Users
from c2c_stasis.client.synchronous.webhooks import Webhooks
from c2c_stasis.client.wire import TIMEOUT, Account, Answer, Environment, Json, Request


class Client:
    """One service, one key (or session), and the account that is meant. Every method raises `Error`, and nothing is sent twice.

    Use it as a context manager, or `close` it. `timeout` are seconds without a sign of the service.
    """

    def __init__(self, base_url: str, api_key: str, *, account: str | None = None, timeout: float = TIMEOUT) -> None:
        """Connects to nothing yet. Raises `ValueError` when `base_url` is no address of a service."""
        self._use(Asking(Transport(base_url, timeout), Account(api_key, account)))

    @classmethod
    def from_environment(cls, *, timeout: float = TIMEOUT) -> "Client":
        """By `C2C_BASE_URL`, `C2C_API_KEY` and `C2C_ACCOUNT`, which may be missing. Raises `KeyError` without the others."""
        found = Environment.read()
        return cls(found.base_url, found.api_key, account=found.account, timeout=timeout)

    def of_account(self, account: str) -> "Client":
        """The same service and key for another account of the platform; to close one of them closes both."""
        other = Client.__new__(Client)
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

    def ask(self, method: str, path: str, body: object = None) -> Json:
        """The JSON of an answer, empty when there is none: for what has no method here. `path` begins with `/`."""
        answer = self.exchange(Request(method, path, body))
        return answer.json()

    def exchange(self, request: Request) -> Answer:
        """One request, and its answer with status and headers; for whoever needs more than `ask` gives."""
        answer = self._asking.answer(request)
        return answer.accepted()

    @contextmanager
    def opened(self, request: Request) -> Iterator[Stream]:
        """One request, and its answer while it is read: its `pieces` or its `lines`."""
        with self._asking.opened(request) as stream:
            yield stream

    def close(self) -> None:
        """Close its connections."""
        self._asking.transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
