"""A store in memory, and a watch that can be put on any store: it notes what is written when, and makes the disk fail."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from c2c_stasis.call.model import Call
from c2c_stasis.directory.call_log import CallFilter, Once
from c2c_stasis.directory.model import DirectoryRows
from c2c_stasis.directory.pages import Page, Wish
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import AccountId, CallId
from c2c_stasis.ports import EventFilter, EventPage, Hear, NumberedEvent, RecentCall, Store, StoredEvent

T = TypeVar("T")


class MemoryStore:
    """The `Store` of one process; nothing in it can fail. `unreadable` are live calls that this version cannot read."""

    def __init__(self, rows: DirectoryRows = DirectoryRows()) -> None:  # noqa: B008  # frozen
        self.rows = rows
        self.calls: dict[CallId, Call] = {}
        self.events: dict[CallId, list[StoredEvent]] = {}
        self.unreadable: set[CallId] = set()
        self.numbered: list[NumberedEvent] = []  # of one account: there is no other here
        self.hear: Hear = lambda _events: None
        self.once: dict[tuple[str, bool, str], tuple[str, CallId, float]] = {}

    @property
    def failing(self) -> bool:
        return False

    async def accept(self, call: Call, events: Sequence[StoredEvent], once: Once | None = None) -> None:
        self._write(call, events)
        if once is not None:
            await self.remember_once(once, call.id, call.accepted_at)

    async def find_once(self, wanted: Once, *, since: float) -> tuple[str, CallId] | None:
        found = self.once.get((wanted.account_id, wanted.livemode, wanted.key))
        return found[:2] if found is not None and found[2] > since else None

    async def remember_once(self, request: Once, call_id: CallId, at: float) -> None:
        self.once[request.account_id, request.livemode, request.key] = request.fingerprint, call_id, at

    async def forget_once(self, before: float, most: int) -> int:
        old = [name for name, (_, _, at) in self.once.items() if at < before][:most]
        for name in old:
            del self.once[name]
        return len(old)

    async def delete_calls(self, before: float, most: int) -> int:
        old = [call.id for call in self.calls.values() if call.accepted_at < before and not call.live][:most]
        for call_id in old:
            del self.calls[call_id], self.events[call_id]
        return len(old)

    async def erase_number(self, account_id: AccountId, modes: Sequence[bool], number: str, most: int) -> int:
        raise NotImplementedError("what is erased from is the real store")

    async def calls_page(self, account_id: AccountId, wanted: CallFilter, wish: Wish) -> Page[Call]:
        fitting = [call for call in self.calls.values() if call.account_id == account_id and wanted.fits(call)]
        fitting.sort(key=lambda call: (call.accepted_at, call.id), reverse=True)
        assert wish.place is None, "pages are the real store's business"
        return Page(tuple(fitting[: wish.limit]))

    async def record(self, call: Call, events: Sequence[StoredEvent], *, within: float = 0.0) -> None:
        self._write(call, events)

    async def live_calls(self) -> list[Call]:
        return [call for call in self.calls.values() if call.live and call.id not in self.unreadable]

    async def recent_calls(self, began: float, talked: float) -> list[RecentCall]:
        return [
            RecentCall(
                *(call.id, call.account_id, call.user_id, call.key_id, call.destination.kind),
                *(call.destination.party.number, call.livemode, call.live, call.accepted_at),
                *(call.wall(call.connected_at), call.wall(call.ended_at)),
            )
            for call in self.calls.values()
            if call.live or call.accepted_at >= began or (call.accepted_at >= talked and call.connected_at is not None)
        ]

    async def find_call(self, account_id: AccountId, call_id: CallId) -> Call | None:
        call = self.calls.get(call_id)
        return call if call is not None and call.account_id == account_id else None

    async def call_events(self, account_id: AccountId, call_id: CallId) -> list[StoredEvent]:
        return [event for event in self.events.get(call_id, []) if event.account_id == account_id]

    async def events_after(self, account_id: AccountId, after: int | None, wanted: EventFilter) -> EventPage:
        last = len(self.numbered)
        if after is None or after >= last:
            return EventPage((), last, last, lost=last if after is not None and after > last else None)
        return EventPage(tuple(one for one in self.numbered[after:] if wanted.fits(one)), last, last)

    def tell(self, hear: Hear) -> None:
        self.hear = hear

    async def ended_calls(self, call_ids: Iterable[CallId]) -> set[CallId]:
        return {call_id for call_id in call_ids if call_id in self.calls and not self.calls[call_id].live}

    async def directory(self) -> DirectoryRows:
        return self.rows

    async def check(self) -> None:
        """Always well."""

    def _write(self, call: Call, events: Sequence[StoredEvent]) -> None:
        stored = self.events.setdefault(call.id, [])
        assert not any(old.id == new.id or old.sequence == new.sequence for old in stored for new in events)
        self.calls[call.id] = call
        stored += events
        first = len(self.numbered) + 1
        new = [NumberedEvent(first + at, call.user_id, call.livemode, event) for at, event in enumerate(events)]
        self.numbered += new
        if new:
            self.hear(new)


@dataclass(frozen=True, slots=True)
class Written:
    """One committed record."""

    call: Call
    events: tuple[StoredEvent, ...]


class WatchedStore:
    """A store under watch. `down`: it fails at once, but keeps records until it is well, as `Store.record` promises.

    `full`: the same, but what is there can be read. `slow`: seconds that each write takes. `wrote` is told every commit.
    """

    def __init__(self, store: Store, wrote: Callable[[Written], None] = lambda _: None) -> None:
        self.inner = store
        self.down = False
        self.full = False
        self.slow = 0.0
        self._wrote = wrote
        self._well = asyncio.Event()
        self._well.set()
        self._hangs_for: Callable[[Call], bool] = lambda _: True
        self._turns: dict[CallId, asyncio.Lock] = {}
        self._kept: list[tuple[Call, tuple[StoredEvent, ...]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_work = 0

    @property
    def failing(self) -> bool:
        return self.down or self.full or self.inner.failing

    @property
    def busy(self) -> bool:
        """Whether the store itself is at work; one that is made to wait is not."""
        return self._at_work > 0

    def hang(self, which: Callable[[Call], bool] = lambda _: True) -> None:
        """Leave the writing of these calls unanswered from now on."""
        self._hangs_for = which
        self._well.clear()

    async def mend(self) -> None:
        """Be well again: write what was kept, and answer those who wait."""
        self.down = self.full = False
        self._well.set()
        kept, self._kept = self._kept, []
        for call, events in kept:
            await self._write(call, events, self.inner.record)

    async def accept(self, call: Call, events: Sequence[StoredEvent], once: Once | None = None) -> None:
        await self._hold(self._accept(call, events, once))

    async def find_once(self, wanted: Once, *, since: float) -> tuple[str, CallId] | None:
        return await self._ask(self.inner.find_once(wanted, since=since))

    async def remember_once(self, request: Once, call_id: CallId, at: float) -> None:
        await self._ask(self.inner.remember_once(request, call_id, at))

    async def forget_once(self, before: float, most: int) -> int:
        return await self._ask(self.inner.forget_once(before, most))

    async def delete_calls(self, before: float, most: int) -> int:
        return await self._ask(self.inner.delete_calls(before, most))

    async def erase_number(self, account_id: AccountId, modes: Sequence[bool], number: str, most: int) -> int:
        return await self._ask(self.inner.erase_number(account_id, modes, number, most))

    async def calls_page(self, account_id: AccountId, wanted: CallFilter, wish: Wish) -> Page[Call]:
        return await self._ask(self.inner.calls_page(account_id, wanted, wish))

    async def record(self, call: Call, events: Sequence[StoredEvent], *, within: float = 0.0) -> None:
        await self._hold(self._record(call, events))

    async def live_calls(self) -> list[Call]:
        return await self._ask(self.inner.live_calls())

    async def recent_calls(self, began: float, talked: float) -> list[RecentCall]:
        return await self._ask(self.inner.recent_calls(began, talked))

    async def find_call(self, account_id: AccountId, call_id: CallId) -> Call | None:
        return await self._ask(self.inner.find_call(account_id, call_id))

    async def call_events(self, account_id: AccountId, call_id: CallId) -> list[StoredEvent]:
        return await self._ask(self.inner.call_events(account_id, call_id))

    async def events_after(self, account_id: AccountId, after: int | None, wanted: EventFilter) -> EventPage:
        return await self._ask(self.inner.events_after(account_id, after, wanted))

    def tell(self, hear: Hear) -> None:
        self.inner.tell(hear)

    async def ended_calls(self, call_ids: Iterable[CallId]) -> set[CallId]:
        return await self._ask(self.inner.ended_calls(call_ids))

    async def directory(self) -> DirectoryRows:
        return await self._ask(self.inner.directory())

    async def check(self) -> None:
        await self._ask(self.inner.check())

    async def _hold(self, work: Coroutine[None, None, None]) -> None:
        """Do it to the end, also when the caller stops waiting."""
        task = asyncio.create_task(work, name="store at work")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _accept(self, call: Call, events: Sequence[StoredEvent], once: Once | None) -> None:
        await self._weather(call)
        if self.down or self.full:
            raise StoreUnavailable("the disk is full")
        await self._write(call, events, lambda call, events: self.inner.accept(call, events, once))

    async def _record(self, call: Call, events: Sequence[StoredEvent]) -> None:
        turn = self._turns.setdefault(call.id, asyncio.Lock())
        async with turn:  # a lock is given in the order in which it was asked for
            await self._weather(call)
            if self.down or self.full:
                self._kept.append((call, tuple(events)))
                raise StoreUnavailable("the disk is full")
            await self._write(call, events, self.inner.record)

    async def _weather(self, call: Call) -> None:
        if self._hangs_for(call):
            await self._well.wait()
        if self.slow:
            await asyncio.sleep(self.slow)

    async def _write(
        self,
        call: Call,
        events: Sequence[StoredEvent],
        write: Callable[[Call, Sequence[StoredEvent]], Awaitable[None]],
    ) -> None:
        self._at_work += 1
        try:
            await write(call, events)
            self._wrote(Written(call, tuple(events)))
        finally:
            self._at_work -= 1

    async def _ask(self, question: Awaitable[T]) -> T:
        self._at_work += 1
        try:
            answer = await question
        finally:
            self._at_work -= 1
        if self.down:
            raise StoreUnavailable("the disk is full")
        return answer
