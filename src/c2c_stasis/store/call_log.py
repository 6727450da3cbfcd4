"""The call log in pages, what leaves it, and the requests that were carried out once."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, delete, exists, select, text, tuple_

from c2c_stasis.call.model import Call, CallState
from c2c_stasis.directory.call_log import CallFilter, Once
from c2c_stasis.directory.pages import Page, Place, Wish
from c2c_stasis.ids import AccountId, CallId
from c2c_stasis.store.database import Database
from c2c_stasis.store.erasing import erase, erase_some_answers
from c2c_stasis.store.records import call_of_row, once_again, once_row
from c2c_stasis.store.tables import accounts, calls, events, legs, once
from c2c_stasis.store.writer import Writer

logger = logging.getLogger(__name__)

_live = calls.alias("live")
LIVE = select(_live.c.id).where(text("live.state <> 'ended'"))  # to the letter the condition of their index
# Of several filters the one is looked up that leaves least; the others look at what it found.
EQUAL = ("to_number", "user_id", "did_id", "from_number", "outcome", "status", "direction")


class CallLog:
    """The part of the store that shows the call log, and lets calls leave it."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._log = database
        self._keeper = writer

    async def calls_page(self, account_id: AccountId, wanted: CallFilter, wish: Wish) -> Page[Call]:
        """A page of the calls of an account, newest first, as they are committed. Raises `StoreUnavailable`.

        A call that a newer version wrote and this one cannot read is logged and left out.
        """
        return await self._log.read(lambda connection: _page(connection, account_id, wanted, wish))

    async def find_once(self, wanted: Once, *, since: float) -> tuple[str, CallId] | None:
        """The fingerprint and the call of the request that had this name since then. Raises `StoreUnavailable`."""
        mine = (once.c.account_id == wanted.account_id, once.c.livemode == wanted.livemode, once.c.key == wanted.key)
        statement = select(once.c.fingerprint, once.c.call_id).where(*mine, once.c.created_at > since)
        found = await self._log.read(lambda connection: connection.execute(statement).first())
        return (found.fingerprint, CallId(found.call_id)) if found else None

    async def remember_once(self, request: Once, call_id: CallId, at: float) -> None:
        """Keep that a request led to a call which another one had begun. Raises `StoreUnavailable`."""

        def keep(connection: Connection) -> None:
            connection.execute(once_again(connection.dialect.name), once_row(request, call_id, at))

        await self._keeper.run(keep)

    async def forget_once(self, before: float, most: int) -> int:
        """Forget requests of the time before, the oldest first; gives how many. Raises `StoreUnavailable`."""

        def forget(connection: Connection) -> int:
            old = select(once.c.created_at).where(once.c.created_at < before).order_by(once.c.created_at).limit(most)
            moments = connection.scalars(old).all()
            if moments:
                connection.execute(delete(once).where(once.c.created_at <= moments[-1]))
            return len(moments)

        return await self._keeper.run(forget)

    async def delete_calls(self, before: float, most: int) -> int:
        """Delete calls that began before this moment and have ended, with legs, events, and what receivers of those answered;
        gives how many.

        So many at most, so that nobody waits long for the writer. Raises `StoreUnavailable`.
        """
        # From the accounts, so that the index of each account is walked from its old end: no index more is needed.
        whose = (calls.c.account_id == accounts.c.id, calls.c.livemode.in_([True, False]))
        old = (calls.c.started_at < before, calls.c.state == CallState.ENDED)
        statement = select(calls.c.id).select_from(accounts).join(calls, whose[0]).where(whose[1], *old).limit(most)
        ids = await self._log.read(lambda connection: connection.scalars(statement).all())
        if ids:
            while await self._keeper.run(lambda connection: erase_some_answers(connection, ids)):
                pass  # each a transaction of its own: there may be many, and calls are recorded between them
            await self._keeper.run(lambda connection: _delete(connection, ids))
        return len(ids)

    async def erase_number(self, account_id: AccountId, modes: Sequence[bool], number: str, most: int) -> int:
        """Erase a number from so many ended calls of these modes, events included; gives from how many.

        Raises `StoreUnavailable`.
        """
        return await self._keeper.run(lambda connection: erase(connection, account_id, modes, number, most))


def _delete(connection: Connection, ids: Any) -> None:
    for table in (events, legs):
        connection.execute(delete(table).where(table.c.call_id.in_(ids)))
    connection.execute(delete(calls).where(calls.c.id.in_(ids)))


def _page(connection: Connection, account_id: AccountId, wanted: CallFilter, wish: Wish) -> Page[Call]:
    where = _conditions(account_id, wanted)
    within = partial(_within, wanted)
    place = wish.place
    newest_first = place is None or not place.towards_newer
    statement = _ordered(select(calls.c.started_at, calls.c.id, calls.c.snapshot).where(*where), newest_first)
    statement = statement.where(*within(place, newer=not newest_first))
    rows = list(connection.execute(statement.limit(wish.limit + 1)))
    more, rows = len(rows) > wish.limit, rows[: wish.limit]
    if not rows:
        return Page(())
    if not newest_first:
        rows.reverse()

    def beyond(row: Any, *, newer: bool) -> Place | None:
        there = Place(row.started_at, row.id, towards_newer=newer)
        if newer is not newest_first:
            return there if more else None
        if place is None:
            return None
        found = connection.scalar(select(exists(select(calls.c.id).where(*where, *within(there, newer=newer)))))
        return there if found else None

    entries = tuple(call for row in rows if (call := _readable(row)) is not None)
    return Page(entries, beyond(rows[0], newer=True), beyond(rows[-1], newer=False))


def _ordered(statement: Select[Any], newest_first: bool) -> Select[Any]:
    if newest_first:
        return statement.order_by(calls.c.started_at.desc(), calls.c.id.desc())
    return statement.order_by(calls.c.started_at, calls.c.id)


def _conditions(account_id: AccountId, wanted: CallFilter) -> list[ColumnElement[bool]]:
    # With an empty text behind it, a column is not looked up in an index. Live calls are found by an index of their own.
    whose = calls.c.account_id.concat("") if wanted.live else calls.c.account_id
    where: list[ColumnElement[bool]] = [whose == account_id, calls.c.livemode == wanted.livemode]
    asked = [(calls.c[name], value) for name in EQUAL if (value := getattr(wanted, name)) is not None]
    where += [column == value for column, value in asked[:1]]
    where += [column.concat("") == value for column, value in asked[1:]]
    if wanted.live is False:
        where.append(calls.c.state == CallState.ENDED)
    elif wanted.live:
        where.append(calls.c.id.in_(LIVE))
    return where


def _within(wanted: CallFilter, place: Place | None, *, newer: bool) -> list[ColumnElement[bool]]:
    """The times that are wanted, on one side of a place if there is one.

    Of two bounds on one side only the narrower is said: the database walks an index from one bound, and takes the first it is
    told. The index ends with the time; to compare ids as well only parts calls of one moment.
    """
    began = calls.c.started_at
    since, until = wanted.since, wanted.until
    where: list[ColumnElement[bool]] = []
    if place is not None:
        position, there = tuple_(began, calls.c.id), tuple_(place.created_at, place.key)
        where.append(position > there if newer else position < there)
        if newer and (since is None or since <= place.created_at):
            since = place.created_at
        if not newer and (until is None or until > place.created_at):
            where.append(began <= place.created_at)
            until = None
    if since is not None:
        where.append(began >= since)
    if until is not None:
        where.append(began < until)
    return where


def _readable(row: Any) -> Call | None:
    try:
        return call_of_row(row.snapshot)
    except msgspec.DecodeError as error:
        logger.error("call cannot be read", extra={"call_id": row.id, "reason": str(error)})
        return None
