"""Requests that come more than once: by a double click, or by a client that was not sure and gave its request a name."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from c2c_stasis.call.model import Call
from c2c_stasis.directory.call_log import Accepted, Once
from c2c_stasis.errors import KeyUsedOtherwise
from c2c_stasis.ids import CallId, UserId
from c2c_stasis.ports import Clock, Store

REMEMBERED = 86_400.0  # seconds for which the name of a request stands for it

Name = tuple[str, bool, str]


class OnceOnly:
    """Carries out each request with a name once in a day; what repeats it meanwhile waits for it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._at_work: dict[Name, tuple[str, asyncio.Future[CallId | None]]] = {}

    async def do(self, once: Once, place: Callable[[], Awaitable[Call]]) -> Accepted:
        """The call that this request led to, or leads to now. A request that is refused leaves its name free.

        Raises `KeyUsedOtherwise`, `StoreUnavailable`, and what `place` raises, which must record the name with a new call.
        """
        name = (once.account_id, once.livemode, once.key)
        while (before := self._at_work.get(name)) is not None:
            fingerprint, done = before
            _require_same(once, fingerprint)
            call_id = await asyncio.shield(done)
            if call_id is not None:
                return Accepted(call_id, replayed=True)
        done = asyncio.get_running_loop().create_future()
        self._at_work[name] = once.fingerprint, done
        call_id = None
        try:
            found = await self._found(once)
            if found is not None:
                call_id = found
                return Accepted(found, replayed=True)
            call_id = (await place()).id
            return Accepted(call_id, replayed=False)
        finally:
            del self._at_work[name]
            done.set_result(call_id)

    async def _found(self, once: Once) -> CallId | None:
        found = await self._store.find_once(once, since=self._clock.now().wall - REMEMBERED)
        if found is None:
            return None
        fingerprint, call_id = found
        _require_same(once, fingerprint)
        return call_id


def _require_same(once: Once, fingerprint: str) -> None:
    if once.fingerprint != fingerprint:
        raise KeyUsedOtherwise


Click = tuple[UserId, str, bool]  # who calls which number, with a live key or a test key


@dataclass(slots=True)
class _First:
    at: float  # monotonic seconds
    placed: asyncio.Future[CallId | None]


class Clicks:
    """The calls that were asked for a moment ago. One that is asked for again is the same click of an impatient finger."""

    def __init__(self) -> None:
        self._recent: dict[Click, _First] = {}

    async def first(self, call: Call, now: float, within: float) -> CallId | None:
        """The call that the same click brought so many seconds ago at most; waits until it is accepted or refused."""
        while (first := self._recent.get(_click(call))) is not None and now - first.at < within:
            call_id = await asyncio.shield(first.placed)
            if call_id is not None:
                return call_id
        return None

    @contextmanager
    def placing(self, call: Call, now: float, within: float) -> Iterator[None]:
        """The time in which a call is accepted, or refused by an exception: then the click was none."""
        for click, first in list(self._recent.items()):  # oldest first
            if now - first.at < within:
                break
            del self._recent[click]
        click, this = _click(call), _First(now, asyncio.get_running_loop().create_future())
        self._recent.pop(click, None)  # the newest stands last
        self._recent[click] = this
        accepted: CallId | None = None
        try:
            yield
            accepted = call.id
        finally:
            if accepted is None and self._recent.get(click) is this:
                del self._recent[click]
            this.placed.set_result(accepted)


def _click(call: Call) -> Click:
    return call.user_id, call.destination.party.number, call.livemode
