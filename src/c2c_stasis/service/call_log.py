"""The call log as it is now: what the store has, and what memory knows better."""

from collections.abc import Callable, Iterable

from c2c_stasis.call.model import Call
from c2c_stasis.directory.call_log import CallFilter
from c2c_stasis.directory.pages import Page, Place, Wish
from c2c_stasis.ids import AccountId
from c2c_stasis.ports import Store

Position = tuple[float, str]


class CallLog:
    """Pages of the log. `in_memory` gives every call of ours whose record may be older than it, or not there yet."""

    def __init__(self, store: Store, in_memory: Callable[[], Iterable[Call]]) -> None:
        self._store = store
        self._in_memory = in_memory

    async def page(self, account_id: AccountId, wanted: CallFilter, wish: Wish) -> Page[Call]:
        """A page of an account's calls, newest first. Raises `StoreUnavailable`.

        A call is listed as it is in memory, and only if it is wanted as it is there: a page may have less than its limit.
        """
        stored = await self._store.calls_page(account_id, wanted, wish)
        ours = {call.id: call for call in self._in_memory() if call.account_id == account_id}
        there = {call.id for call in stored.entries}
        entries = [ours.get(call.id, call) for call in stored.entries]
        entries += [call for call in ours.values() if call.id not in there and _on(stored, wish, call)]
        wanted_now = sorted((call for call in entries if call.id not in ours or wanted.fits(call)), key=_position)
        return _cut(stored, wish, wanted_now[::-1])


def _position(call: Call) -> Position:
    return call.accepted_at, call.id


def _on(page: Page[Call], wish: Wish, call: Call) -> bool:
    """Whether the place of a call is on this page: not beyond where it was asked to begin, nor beyond where it ends."""
    oldest, newest = page.older, page.newer
    if wish.place is not None and wish.place.towards_newer:
        oldest = wish.place
    elif wish.place is not None:
        newest = wish.place
    after = oldest is None or _position(call) > (oldest.created_at, oldest.key)
    return after and (newest is None or _position(call) < (newest.created_at, newest.key))


def _cut(page: Page[Call], wish: Wish, entries: list[Call]) -> Page[Call]:
    """No more than the limit, from where the page begins; what is left over is on the next one."""
    if len(entries) <= wish.limit:
        return Page(tuple(entries), page.newer, page.older)
    if wish.place is not None and wish.place.towards_newer:
        entries = entries[-wish.limit :]
        return Page(tuple(entries), Place(*_position(entries[0]), towards_newer=True), page.older)
    entries = entries[: wish.limit]
    return Page(tuple(entries), page.newer, Place(*_position(entries[-1])))
