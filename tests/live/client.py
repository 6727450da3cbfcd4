"""The service as its users see it: HTTP, a key and an account; and the records it gives."""

import json
import time
from collections import Counter
from typing import Any, NamedTuple

import aiohttp

from c2c_stasis.directory.model import User
from tests.live.waiting import GENEROUS, eventually

Record = dict[str, Any]


class Ending(NamedTuple):
    """How a call ended, as its record says."""

    status: str
    outcome: str
    reason: str
    failed_leg: str | None
    ended_by: str
    hangup_cause: int | None
    sip_code: int | None = None


COMPLETED_BY_DESTINATION = Ending("completed", "completed", "normal", None, "destination", 16)
COMPLETED_BY_USER = Ending("completed", "completed", "normal", None, "user", 16)
COMPLETED_BY_API = Ending("completed", "completed", "normal", None, "api", 16)
CANCELLED_BY_API = Ending("no-answer", "cancelled", "cancelled_by_api", None, "api", 16)


def ending(record: Record) -> Ending:
    """How the call of this record ended."""
    return Ending(*(record[name] for name in Ending._fields))


def outcomes(record: Record) -> dict[str, str | None]:
    """The outcome of each leg by its short name, such as a1."""
    return {leg["id"].rpartition(".")[2]: leg["outcome"] for leg in record["legs"]}


def leg(record: Record, name: str) -> Record:
    """One leg of a record by its short name."""
    found: Record = next(leg for leg in record["legs"] if leg["id"].endswith(f".{name}"))
    return found


class Client:
    """Speaks HTTP to one service; `url` may change when the service is started again."""

    def __init__(self, key: str) -> None:
        self.url = ""
        self.key = key
        self.placed: list[PlacedCall] = []
        timeout = aiohttp.ClientTimeout(total=GENEROUS)
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}, timeout=timeout)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()

    async def ask(
        self, method: str, path: str, account: str = "", *, more_headers: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, str, str]:
        """One request; gives status, Location and body."""
        headers = ({"DialStack-Account": account} if account else {}) | (more_headers or {})
        async with self._http.request(method, f"{self.url}{path}", headers=headers, **options) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def get(self, path: str, account: str) -> Any:
        """The JSON body of a GET that must succeed."""
        headers = {"DialStack-Account": account}
        async with self._http.get(f"{self.url}{path}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def ready(self) -> bool:
        """Whether the service takes calls now."""
        try:
            status, _, _ = await self.ask("GET", "/readyz")
        except aiohttp.ClientConnectionError:
            return False
        return status == 200

    async def place(self, user: User, number: str, **options: object) -> "PlacedCall":
        """Place a call, which must be accepted."""
        asked_at = time.monotonic()
        body = {"user_id": user.id, "dial_string": number, **options}
        status, location, text = await self.ask("POST", "/v1/calls", user.account_id, json=body)
        assert (status, text) == (202, "")
        return self.found(location, user.account_id, asked_at)

    async def user_session(self, user: User) -> str:
        """The secret of a new session of this user."""
        status, _, text = await self.ask("POST", "/v1/user_sessions", user.account_id, json={"user": user.id})
        assert status == 201, text
        return str(json.loads(text)["client_secret"])

    def found(self, location: str, account: str, asked_at: float = 0.0) -> "PlacedCall":
        """A call by what its request was answered."""
        call = PlacedCall(self, location, account, asked_at)
        self.placed.append(call)
        return call


class PlacedCall:
    """A call that was accepted; `asked_at` is when the request for it was sent (monotonic seconds)."""

    def __init__(self, client: Client, location: str, account: str, asked_at: float) -> None:
        self.location = location
        self.id = location.rpartition("/")[2]
        self.account = account
        self.asked_at = asked_at
        self._client = client

    async def record(self) -> Record:
        """Its record as it is now."""
        record: Record = await self._client.get(self.location, self.account)
        return record

    async def events(self) -> list[Record]:
        """Its event log."""
        listed = await self._client.get(f"{self.location}/events", self.account)
        events: list[Record] = listed["data"]
        return events

    async def reached(self, state: str, within: float = GENEROUS) -> Record:
        """Its record once it is in that state."""
        return await eventually(self.record, lambda record: record["state"] == state, f"{self.id} {state}", within)

    async def told(self, *types: str) -> None:
        """Wait until its event log, which survives the service, holds these types, each as often as it is named."""
        wanted = Counter(types)

        async def listed() -> Counter[str]:
            return Counter(event["type"] for event in await self.events())

        await eventually(listed, lambda found: wanted <= found, f"{self.id} to tell {types}")

    async def ended(self, within: float = GENEROUS) -> Record:
        """Its final record, when it comes in time."""
        return await self.reached("ended", within)

    async def cancel(self) -> None:
        """DELETE it."""
        status, _, text = await self._client.ask("DELETE", self.location, self.account)
        assert (status, text) == (204, "")
