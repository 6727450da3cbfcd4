"""The whole service on a standing clock: real rules, real envelopes, a store under watch, and a switch that behaves.

Ann has two phones, Bob one and the extension 1002, Cat two and the extension 1003, Dan none and 1004. The carrier takes all
other numbers. Phones ring, and the carrier says nothing, until the story says otherwise.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from c2c_stasis.call.commands import Command, DialLeg, HangUpLeg
from c2c_stasis.call.model import Call, CallState, End, Side
from c2c_stasis.config import Calls, Trunk
from c2c_stasis.directory.model import Account, Device, DirectoryRows, Extension, PhoneNumber, Platform, User
from c2c_stasis.errors import CallNotFound
from c2c_stasis.ids import AccountId, CallId, DeviceId, LegId, NumberId, PlatformId, UserId
from c2c_stasis.lab.script import Script
from c2c_stasis.policy.settings import Ceilings, Settings
from c2c_stasis.ports import Publisher, SipServer, Store, StoredEvent
from c2c_stasis.publish.envelope import Envelopes
from c2c_stasis.service import CallService
from c2c_stasis.store.sql_store import SqlStore, open_store
from c2c_stasis.trace.replay import replay
from tests.fakes.ari_log import KeptLog
from tests.fakes.clock import Clock, standing_clock
from tests.fakes.store import MemoryStore, WatchedStore, Written
from tests.fakes.switch import FakeSwitch, FarEnd, Ring

NUMBER = "+15551234567"
OUTWARD = "+15557654321"
RING, ANSWER, LONGEST, TONE = 30.0, 60.0, 600.0, 4.0
CALLS = Calls(ring_timeout=RING, answer_timeout=ANSWER, max_duration=LONGEST, tone_seconds=TONE, double_click_seconds=0)
TRUNKS = (Trunk("carrier", "PJSIP/{number}@carrier"),)
POLICY = Settings(user=Ceilings(calls=CALLS.max_calls_per_user))
DEVICES = {"ann": ("ann-1", "ann-2"), "bob": ("bob-1",), "cat": ("cat-1", "cat-2"), "dan": ()}
EXTENSIONS = {"bob": "1002", "cat": "1003", "dan": "1004"}


@dataclass(frozen=True)
class People:
    """Who lives here."""

    account: Account
    users: dict[str, User]


class House:
    """A service at work. `journal` is what was committed and what was asked of the switch, as it happened."""

    def __init__(self, clock: Clock, store: Store, people: People) -> None:
        self.clock = clock
        self.people = people
        self.journal: list[Written | Command] = []
        self.store = WatchedStore(store, self.journal.append)
        self.switch = FakeSwitch(clock, self.journal.append)
        self.carrier = self.switch.trunk("carrier", Script())  # it takes the INVITE and waits
        self.phones = {name: self.switch.phone(name) for names in DEVICES.values() for name in names}
        self.publisher: Publisher = Envelopes()
        self.log_lines: list[dict[str, Any]] = []  # of the ARI log
        self.policy = POLICY  # of the next start
        self.leaves_something = False  # whether the story ends with something left in the switch, and says so
        clock.busy.append(lambda: self.store.busy)
        self._serve()

    def _serve(self) -> None:
        self.service = CallService(
            store=self.store,
            switch=self.switch,
            publisher=_Replaceable(self),
            clock=self.clock,
            calls=CALLS,
            trunks=TRUNKS,
            policy=self.policy,
            watch=self.switch.watch,
            provision=self.switch.provision,
            sip_server=SipServer("pbx.example.com"),
            ari_log=KeptLog(self.log_lines),
        )

    # --- its life ---

    async def open(self) -> None:
        """Start the service and connect it."""
        await self.service.start()
        self._running = asyncio.create_task(self.switch.run(self.service), name="switch")
        await self.clock.settle()

    async def close(self) -> None:
        """Stop the service; calls that live go on in the switch."""
        stopping = asyncio.create_task(self.service.stop())
        await self.clock.until(stopping.done, "the end of the service")
        await stopping
        self._running.cancel()
        await asyncio.wait({self._running})
        if not self._running.cancelled():
            self._running.result()

    async def begin_again(self) -> None:
        """Start another service over the same store and the same switch."""
        self._serve()
        await self.open()
        await self.clock.advance(0.01)

    async def restart_service(self, *, after: float = 0.0) -> None:
        """Stop the service, let time pass, and start another one."""
        await self.close()
        await self.clock.advance(after)
        await self.begin_again()

    async def forever(self) -> None:
        """Wait for what never comes."""
        await asyncio.get_running_loop().create_future()

    def stranger(self) -> Account:
        """An account that has nothing to do with the people here."""
        return replace(self.people.account, id=AccountId("acct_stranger"))

    # --- phones ---

    def phone(self, name: str) -> FarEnd:
        """A phone by its name."""
        return self.phones[name]

    def ring_of(self, name: str) -> Ring:
        """The INVITE that a phone got last, or the carrier."""
        return (self.carrier if name == "carrier" else self.phones[name]).last

    # --- calls ---

    async def place(self, dial_string: str = NUMBER, who: str = "ann") -> CallId:
        """Place a call, and let everything happen that takes no time."""
        call = await self.service.place(
            self.people.account, self.people.users[who].id, dial_string, livemode=True, metadata={}
        )
        await self.clock.advance(0.01)
        return call.id

    async def cancel(self, call_id: CallId) -> None:
        """Ask for the end of a call."""
        await self.service.cancel(self.people.account, call_id)
        await self.clock.advance(0.01)

    async def call(self, call_id: CallId) -> Call:
        """A call as the API shows it now."""
        return await self.service.find_call(self.people.account, call_id)

    async def state(self, call_id: CallId) -> CallState:
        """Where a call is."""
        return (await self.call(call_id)).state

    async def stored(self, call_id: CallId) -> Call:
        """A call as it is stored."""
        call = await self.store.inner.find_call(self.people.account.id, call_id)
        if call is None:
            raise CallNotFound
        return call

    async def events(self, call_id: CallId) -> list[StoredEvent]:
        """The stored events of a call."""
        return await self.store.inner.call_events(self.people.account.id, call_id)

    async def end_of(self, call_id: CallId, within: float = 60.0) -> End:
        """Let time pass until a call has ended and its end is stored, and tell how it ended."""
        await self.clock.until(lambda: call_id not in self.service.live_calls.runners, f"the end of {call_id}", within)
        call = await self.stored(call_id)
        assert call.state is CallState.ENDED
        assert call.end is not None
        return call.end

    # --- the stages of the call of most stories ---

    async def ringing_user(self, dial_string: str = NUMBER) -> CallId:
        """Both phones of Ann ring."""
        call_id = await self.place(dial_string)
        assert not any(self.ring_of(name).ended for name in DEVICES["ann"])
        return call_id

    async def dialling(self, dial_string: str = NUMBER) -> CallId:
        """Ann answered, and the destination got its INVITE but does not ring yet."""
        call_id = await self.ringing_user(dial_string)
        self.ring_of("ann-1").answer()
        await self.clock.advance(0.01)
        return call_id

    async def talking(self, dial_string: str = NUMBER) -> CallId:
        """Ann and the destination talk."""
        call_id = await self.dialling(dial_string)
        self.carrier.last.ring()
        self.carrier.last.answer()
        await self.clock.advance(0.01)
        assert await self.state(call_id) is CallState.TALKING
        return call_id

    # --- what must always be so ---

    async def prove(self) -> None:
        """What every story must leave behind: nothing in the switch, and a complete log of every call."""
        if not self.leaves_something:
            assert self.switch.empty
            assert self.service.live == 0
            assert self.service.permission.usage.calls == 0
        self.prove_dialled_once()
        self.prove_decided_again()
        for call_id in {record.call.id for record in self.journal if isinstance(record, Written)}:
            call = await self.stored(call_id)
            prove_log(await self.events(call_id), ended=not call.live)

    def prove_dialled_once(self) -> None:
        """No leg is ever dialled twice, and no destination before a device answered."""
        dialled = [command for command in self.switch.asked if isinstance(command, DialLeg)]
        assert len(dialled) == len({command.leg_id for command in dialled})
        destinations = [command for command in dialled if _short(command.leg_id).startswith(Side.B.value)]
        assert all(command.caller is not None for command in destinations)

    def prove_decided_again(self) -> None:
        """Every decision of every call is the same when it is made again from the ARI log, which has all of them."""
        calls: dict[str, list[dict[str, Any]]] = {}
        for line in self.log_lines:
            calls.setdefault(line["call"], []).append(line)
        for call_id, lines in calls.items():
            decisions = list(replay(lines))
            assert [one for one in decisions if one.differences and "error" not in one.then] == []
            assert len(decisions) == sum(line["kind"] == "step" for line in lines)
            written = [one.call for one in self.journal if isinstance(one, Written) and one.call.id == call_id]
            if written and not written[-1].live:
                assert lines[-1]["state"] == "ended"
        placed = {one.call.id for one in self.journal if isinstance(one, Written)}
        assert placed <= calls.keys()
        assert NUMBER not in str(self.log_lines)

    def hung_up(self) -> dict[str, int]:
        """The cause with which each leg was let go last, by the end of its id."""
        return {_short(one.leg_id): one.cause for one in self.switch.asked if isinstance(one, HangUpLeg)}


def _short(leg_id: LegId) -> str:
    return leg_id.rpartition(".")[2]


def prove_log(events: Sequence[StoredEvent], *, ended: bool) -> None:
    """A log without gaps, whose bytes say the same as its rows, and with one end if the call has ended."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    for event in events:
        body = body_of(event)
        assert (body["id"], body["type"], body["data"]["sequence"]) == (event.id, event.type, event.sequence)
    ends = [event.type for event in events if event.type == "call.end"]
    assert len(ends) == (1 if ended else 0)
    if ended:
        assert events[-1].type == "call.end"


def body_of(event: StoredEvent) -> dict[str, Any]:
    """The JSON of an event."""
    body: dict[str, Any] = json.loads(event.body)
    return body


class _Replaceable:
    """The house's publisher, which a story may replace at any moment."""

    def __init__(self, house: House) -> None:
        self._house = house

    def envelope(self, call: Call, event: Any, sequence: int) -> StoredEvent:
        return self._house.publisher.envelope(call, event, sequence)


@asynccontextmanager
async def house_in_memory() -> AsyncIterator[House]:
    """A house whose store is in memory."""
    with standing_clock() as clock:
        rows, people = _people_in_memory()
        house = House(clock, MemoryStore(rows), people)
        async with _lived_in(house):
            yield house


@asynccontextmanager
async def house_on_disk(folder: Path) -> AsyncIterator[House]:
    """A house whose store is the real one, in a file."""
    with standing_clock() as clock:
        store = await open_store(f"sqlite:///{folder / 'c2c.db'}", migrate=True)
        try:
            house = House(clock, store, await _people_on_disk(store))
            async with _lived_in(house):
                yield house
        finally:
            await store.close()


@asynccontextmanager
async def _lived_in(house: House) -> AsyncIterator[None]:
    await house.open()
    yield
    try:
        await house.clock.settle()
        await house.prove()
    finally:
        await house.close()
        await house.clock.settle()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not {task.get_name() for task in left if task.get_name() != "store writer"}


def _people_in_memory() -> tuple[DirectoryRows, People]:
    platform = Platform(PlatformId("plat_1"), "Platform")
    number = PhoneNumber(NumberId("did_1"), AccountId("acct_1"), OUTWARD, caller_id_name="Bakery")
    account = Account(AccountId("acct_1"), platform.id, "Bakery", caller_number_id=number.id)
    users = {name: User(UserId(f"user_{name}"), account.id, name.capitalize()) for name in DEVICES}
    devices = tuple(
        Device(DeviceId(f"ep_{device}"), account.id, users[name].id, device)
        for name, names in DEVICES.items()
        for device in names
    )
    extensions = tuple(Extension(account.id, number, users[name].id) for name, number in EXTENSIONS.items())
    rows = DirectoryRows((platform,), (account,), tuple(users.values()), devices, extensions, (number,))
    return rows, People(account, users)


async def _people_on_disk(store: SqlStore) -> People:
    platform = await store.create_platform("Platform")
    account = await store.create_account(platform.id, "Bakery")
    number = await store.create_phone_number(account.id, OUTWARD, caller_id_name="Bakery")
    account = await store.set_account_caller_number(account.id, number.id)
    users: dict[str, User] = {}
    for name, devices in DEVICES.items():
        user = users[name] = await store.create_user(account.id, name.capitalize())
        for device in devices:
            await store.create_device(account.id, user.id, device)
        if name in EXTENSIONS:
            await store.create_extension(account.id, EXTENSIONS[name], user.id)
    return People(account, users)
