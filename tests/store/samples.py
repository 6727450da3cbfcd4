"""Calls, events and files to fill a store with."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from c2c_stasis.call.model import (
    Call,
    CallState,
    Destination,
    DestinationKind,
    End,
    EndedBy,
    Leg,
    LegOutcome,
    LegState,
    Limits,
    Outcome,
    Party,
    Reason,
    Side,
)
from c2c_stasis.directory.model import Account, Platform, User
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import CALL, DEVICE, EVENT, CallId, DeviceId, leg_id, new_id
from c2c_stasis.ports import StoredEvent
from c2c_stasis.store.sql_store import SqlStore

ACCEPTED_AT = 1_700_000_000.125


@dataclass(frozen=True)
class Place:
    """A store with one user in it, who calls."""

    store: SqlStore
    platform: Platform
    account: Account
    user: User

    def call(self) -> Call:
        """A new call of the user to +15551234567, with two phones to ring."""
        return a_call(self.platform, self.account, self.user)


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


async def settle(store: SqlStore) -> Place:
    """Give the store a platform, an account and a user."""
    platform = await store.create_platform("Acme Telephony")
    account = await store.create_account(platform.id, "Bakery")
    return Place(store, platform, account, await store.create_user(account.id, "Ann"))


def a_call(platform: Platform, account: Account, user: User) -> Call:
    call_id = CallId(new_id(CALL))
    phones = tuple(
        Leg(
            leg_id(call_id, "a", number),
            Side.A,
            f"PJSIP/d{number}",
            device_id=DeviceId(new_id(DEVICE)),
            device=f"d{number}",
            contact=f"sip:d{number}@192.0.2.{number}:5060",
        )
        for number in (1, 2)
    )
    return Call(
        call_id,
        platform.id,
        account.id,
        user.id,
        "+15551234567",
        Destination(DestinationKind.EXTERNAL, Party("+15551234567")),
        Party("+15557654321", "Bakery"),
        "US",
        Limits(),
        phones,
        ACCEPTED_AT,
        clock_zero=1_000.0,
        deadline=30.0,
    )


def ended(call: Call, at: float = 12.5) -> Call:
    """The call after the first phone answered and the conversation ended normally."""
    first, *others = call.legs
    won = replace(
        first,
        state=LegState.ENDED,
        outcome=LegOutcome.ANSWERED,
        won=True,
        dialled_at=0.25,
        answered_at=2.5,
        ended_at=at,
    )
    lost = [
        replace(leg, state=LegState.ENDED, outcome=LegOutcome.ANSWERED_ELSEWHERE, cause=26, ended_at=2.625)
        for leg in others
    ]
    end = End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, cause=16, sip_code=200)
    return replace(
        call,
        state=CallState.ENDED,
        legs=(won, *lost),
        deadline=None,
        end=end,
        answered_at=2.5,
        connected_at=4.5,
        ended_at=at,
    )


def an_event(call: Call, sequence: int, type_: str = "leg.ringing") -> StoredEvent:
    body = b'{"type": "%s", "n": %d}' % (type_.encode(), sequence)
    return StoredEvent(new_id(EVENT), call.account_id, call.id, sequence, type_, ACCEPTED_AT + sequence, body)


def rows(file: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """What another connection reads, as another process would."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement, values).fetchall()


def change(file: Path, statement: str, *values: object) -> None:
    """A change that another process makes."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement, values)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another connection holds the write lock."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def eventually(condition: Callable[[], object], within: float = 5.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        await asyncio.sleep(0.005)


async def well_again(store: SqlStore) -> None:
    """Wait until the store takes new work; after an outage it is the writer that finds out."""
    async with asyncio.timeout(5):
        while True:
            with suppress(StoreUnavailable):
                return await store.check()
            await asyncio.sleep(0.005)


def store_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("store-")]
