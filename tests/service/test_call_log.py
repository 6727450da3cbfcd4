"""The call log as it is now: the store's pages, corrected by what memory knows better."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from c2c_stasis.call.model import Call, CallState, End, EndedBy, Outcome, Reason
from c2c_stasis.directory.call_log import CallFilter
from c2c_stasis.directory.pages import Page, Place, Wish
from c2c_stasis.ids import AccountId, CallId
from c2c_stasis.service.call_log import CallLog
from tests.call.stories import outward_call
from tests.fakes.store import MemoryStore

ACCOUNT = outward_call().account_id
END = End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.USER)


def position(call: Call) -> tuple[float, str]:
    return call.accepted_at, call.id


class Stored(MemoryStore):
    """A store that gives pages of the calls it was made with."""

    def __init__(self, calls: Sequence[Call]) -> None:
        super().__init__()
        self.calls = {call.id: call for call in calls}

    async def calls_page(self, account_id: AccountId, wanted: CallFilter, wish: Wish) -> Page[Call]:
        fitting = sorted(filter(wanted.fits, self.calls.values()), key=position, reverse=True)
        place = wish.place
        if place is None:
            start, stop = 0, wish.limit
        elif place.towards_newer:
            stop = sum(position(call) > (place.created_at, place.key) for call in fitting)
            start = max(0, stop - wish.limit)
        else:
            start = sum(position(call) >= (place.created_at, place.key) for call in fitting)
            stop = start + wish.limit
        entries = fitting[start:stop]
        if not entries:
            return Page(())
        newer = Place(*position(entries[0]), towards_newer=True) if start else None
        return Page(tuple(entries), newer, Place(*position(entries[-1])) if stop < len(fitting) else None)


def call(number: int, *, live: bool) -> Call:
    made = replace(outward_call(), id=CallId(f"call_{number:02}"), accepted_at=float(number // 2))
    return made if live else replace(made, state=CallState.ENDED, end=END, ended_at=1.0)


CASES = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["stored", "ended in memory", "memory only", "both"])), max_size=14
)


@given(CASES, st.integers(1, 5), st.sampled_from([None, True, False]), st.booleans())
def test_a_walk_meets_each_call_once_and_as_it_is_in_memory(
    cases: list[tuple[bool, str]], limit: int, live: bool | None, towards_newer: bool
) -> None:
    stored: list[Call] = []
    memory: list[Call] = []
    truth: list[Call] = []
    for number, (alive, where) in enumerate(cases):
        now = call(number, live=alive and where != "ended in memory")
        truth.append(now)
        if where == "ended in memory":
            stored.append(call(number, live=True))
        elif where != "memory only":
            stored.append(now)
        if where != "stored":
            memory.append(now)
    wanted = CallFilter(livemode=True, live=live)
    fitting = sorted(filter(wanted.fits, truth), key=position, reverse=True)
    log = CallLog(Stored(stored), lambda: memory)

    async def walk() -> list[Call]:
        met: list[Call] = []
        wish = Wish(limit, Place(-1.0, "", towards_newer=True) if towards_newer else None)
        while True:
            page = await log.page(ACCOUNT, wanted, wish)
            assert len(page.entries) <= limit
            met = [*page.entries, *met] if towards_newer else [*met, *page.entries]
            further = page.newer if towards_newer else page.older
            if further is None:
                return met
            wish = Wish(limit, further)

    assert asyncio.run(walk()) == fitting


def test_another_accounts_call_in_memory_is_not_listed() -> None:
    theirs = replace(call(1, live=True), account_id=AccountId("acct_other"))
    log = CallLog(Stored([]), lambda: [theirs])
    assert asyncio.run(log.page(ACCOUNT, CallFilter(livemode=True), Wish(10))) == Page(())
