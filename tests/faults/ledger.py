"""Who asks for calls, and the ledger of what was answered: kept outside the service, it is the truth of what was accepted."""

import asyncio
import json
from dataclasses import dataclass, field

import aiohttp

from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import Phone, PhoneCall
from tests.live.client import Client, PlacedCall
from tests.live.waiting import GENEROUS

BROKEN = (aiohttp.ClientError, OSError, TimeoutError)
AGAIN_AFTER = 0.2  # seconds until somebody who got no answer asks again


@dataclass
class Caller:
    """One user, with the phones that ring."""

    user: User
    phones: tuple[Phone, ...]


@dataclass
class Entry:
    """One call that was asked for: by whom, to which number or extension, under which name, and what was answered."""

    caller: Caller
    number: str
    key: str
    keep_talking: bool
    """Whether nobody hangs up before the trial is over."""
    destinations: tuple[Phone, ...]
    """Where the destination rings: at the carrier, or at the phones of a colleague who is called by nobody else."""
    call: PlacedCall | None = None
    refused: str = ""
    tries: int = 0
    had: tuple[int, ...] = ()
    """How many calls each of the phones had had before."""

    @property
    def known(self) -> bool:
        """Whether there was an answer."""
        return self.call is not None or bool(self.refused)

    @property
    def near(self) -> list[PhoneCall]:
        """What came to the user's phones."""
        return [call for phone, had in zip(self.caller.phones, self.had, strict=True) for call in phone.calls[had:]]

    @property
    def inside(self) -> bool:
        """Whether it is a colleague who is called."""
        return len(self.destinations) > 1

    @property
    def far(self) -> list[PhoneCall]:
        """What came to the destination."""
        calls = [call for phone in self.destinations for call in phone.calls]
        return calls if self.inside else [call for call in calls if call.dialled == self.number]

    def invites(self) -> list[int]:
        """How often each of the phones was called."""
        return [len(phone.calls) - had for phone, had in zip(self.caller.phones, self.had, strict=True)]

    def far_invites(self) -> list[int]:
        """How often each phone of the destination was called."""
        return [sum(call.phone is phone for call in self.far) for phone in self.destinations]

    def __str__(self) -> str:
        return f"{self.number} {self.call.id if self.call else self.refused or 'unknown'}"


@dataclass
class Ledger:
    """Every call that was asked for in a trial."""

    client: Client
    entries: list[Entry] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _clicked: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self, entry: Entry) -> None:
        """Ask for a call, at once; whatever becomes of the others."""
        entry.had = tuple(len(phone.calls) for phone in entry.caller.phones)
        self.entries.append(entry)
        self._clicked.set()
        task = asyncio.create_task(self._try(entry))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def next_click(self, within: float = GENEROUS) -> None:
        """Wait until a call is asked for. Raises `TimeoutError`."""
        self._clicked.clear()
        async with asyncio.timeout(within):
            await self._clicked.wait()

    async def settle(self, within: float = GENEROUS) -> None:
        """Ask again, under the same names, for what was not answered, until everything is. Raises `TimeoutError`."""
        async with asyncio.timeout(within):
            while True:
                if self.tasks:
                    await asyncio.wait(self.tasks)
                open_ones = [entry for entry in self.entries if not entry.known]
                if not open_ones:
                    return
                await asyncio.sleep(AGAIN_AFTER)
                await asyncio.gather(*(self._try(entry) for entry in open_ones))

    @property
    def accepted(self) -> list[tuple[Entry, PlacedCall]]:
        """What was answered 202."""
        return [(entry, entry.call) for entry in self.entries if entry.call is not None]

    async def _try(self, entry: Entry) -> None:
        entry.tries += 1
        user = entry.caller.user
        body = {"user_id": user.id, "dial_string": entry.number}
        headers = {"Idempotency-Key": entry.key}
        try:
            status, location, text = await self.client.ask(
                "POST", "/v1/calls", user.account_id, json=body, more_headers=headers
            )
        except BROKEN:
            return  # it may have been accepted all the same
        if status == 202:
            entry.call = PlacedCall(self.client, location, user.account_id, 0.0)
        else:
            entry.refused = f"{status} {json.loads(text).get('code', '')}"
