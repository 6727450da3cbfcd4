"""How what was committed is handed out to many streams: some at a time, and what comes meanwhile in one piece."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from c2c_stasis.api import event_streams
from c2c_stasis.api.event_streams import AT_ONCE, Batch, Stream, Streams
from c2c_stasis.directory.model import Account
from c2c_stasis.ids import AccountId, CallId, PlatformId, UserId
from c2c_stasis.ports import Hear, NumberedEvent, StoredEvent
from tests.store.samples import eventually

OURS, OTHERS = AccountId("acct_1"), AccountId("acct_2")
Told = list[tuple[int, int] | None]


class Switchboard:
    """What the service has for streams: who hears of which account."""

    def __init__(self) -> None:
        self.hears: dict[AccountId, Hear] = {}

    def listen(self, account: Account, hear: Hear) -> Callable[[], None]:
        self.hears[account.id] = hear
        return lambda: None

    def commit(self, *numbers: int, account_id: AccountId = OURS) -> None:
        """Events with these numbers were committed; without any, somebody else did so."""
        event = StoredEvent("evt_1", account_id, CallId("call_1"), 1, "call.end", 0.0, b"{}")
        self.hears[account_id]([NumberedEvent(number, UserId("user_1"), True, event) for number in numbers])


class Client:
    """A stream that notes what it is told: the first and the last number of each piece."""

    def __init__(self) -> None:
        self.told: Told = []

    def push(self, batch: Batch | None) -> None:
        self.told.append((batch.first, batch.last) if batch else None)


@pytest.fixture
def switchboard(monkeypatch: pytest.MonkeyPatch) -> Switchboard:
    """Nothing is gathered, unless a story says so."""
    monkeypatch.setattr(event_streams, "GATHER", 0.0)
    return Switchboard()


def clients_of(switchboard: Switchboard, counts: dict[AccountId, int]) -> dict[AccountId, list[Client]]:
    """So many streams of each account, all there."""
    streams = Streams(cast("Any", switchboard))
    clients = {account_id: [Client() for _ in range(count)] for account_id, count in counts.items()}
    for account_id, theirs in clients.items():
        for client in theirs:
            streams._join(Account(account_id, PlatformId("plat_1"), ""), cast("Stream", client))
    return clients


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def turns_until(ready: Callable[[], object]) -> None:
    """As many turns of the loop as that takes, and none more."""
    for _ in range(1_000):
        if ready():
            return
        await asyncio.sleep(0)
    raise AssertionError("not within a thousand turns")


def told_by(clients: Sequence[Client]) -> set[tuple[tuple[int, int] | None, ...]]:
    return {tuple(client.told) for client in clients}


async def test_what_comes_while_the_first_are_served_comes_to_all_in_one_piece(switchboard: Switchboard) -> None:
    clients = clients_of(switchboard, {OURS: 3 * AT_ONCE})[OURS]
    switchboard.commit(1, 2)
    await turns_until(lambda: clients[0].told)
    assert told_by(clients[:AT_ONCE]) == {((1, 2),)}
    assert told_by(clients[AT_ONCE:]) == {()}

    switchboard.commit(3)
    switchboard.commit(4, 5)
    await turns_until(lambda: len(clients[-1].told) == 2)

    assert told_by(clients) == {((1, 2), (3, 5))}


async def test_between_two_turns_everybody_else_has_one(switchboard: Switchboard) -> None:
    clients = clients_of(switchboard, {OURS: 3 * AT_ONCE})[OURS]
    served = [0]

    def count() -> None:
        served.append(sum(map(bool, (client.told for client in clients))))
        if served[-1] < len(clients):
            asyncio.get_running_loop().call_soon(count)

    switchboard.commit(1)
    count()
    await turns_until(lambda: clients[-1].told)
    await turns(1)

    assert served[-1] == len(clients)
    assert max(after - before for before, after in itertools.pairwise(served)) == AT_ONCE


async def test_where_a_number_is_missing_they_look_for_themselves(switchboard: Switchboard) -> None:
    clients = clients_of(switchboard, {OURS: 2})[OURS]
    switchboard.commit(1)
    switchboard.commit(3)
    await turns(1)
    assert told_by(clients) == {(None, (1, 3))}

    switchboard.commit(4)
    switchboard.commit()
    await turns(1)
    assert told_by(clients) == {(None, (1, 3), None, (4, 4))}


async def test_accounts_are_served_in_turn(switchboard: Switchboard) -> None:
    clients = clients_of(switchboard, {OURS: 2 * AT_ONCE, OTHERS: 1})
    switchboard.commit(1)
    await turns_until(lambda: clients[OURS][0].told)
    switchboard.commit(1, account_id=OTHERS)
    switchboard.commit(2)
    await turns_until(lambda: clients[OTHERS][0].told)
    assert told_by(clients[OTHERS]) == {((1, 1),)}
    assert told_by(clients[OURS]) == {((1, 1),)}
    await turns_until(lambda: len(clients[OURS][-1].told) == 2)
    assert told_by(clients[OURS]) == {((1, 1), (2, 2))}


@pytest.mark.parametrize(("count", "told"), [(AT_ONCE, {((1, 1), (2, 2))}), (AT_ONCE + 1, {((1, 2),)})])
async def test_for_many_streams_news_are_gathered_for_a_moment(
    switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch, count: int, told: set[tuple[tuple[int, int], ...]]
) -> None:
    monkeypatch.setattr(event_streams, "GATHER", 0.05)
    clients = clients_of(switchboard, {OURS: count})[OURS]
    switchboard.commit(1)
    await turns(3)
    switchboard.commit(2)
    await eventually(lambda: all(client.told and client.told[-1] in ((2, 2), (1, 2)) for client in clients))
    assert told_by(clients) == told
