"""How fast the call log is with very many calls: seeds a database and asks for pages, with each filter, near and deep.

`python tools/measure_call_log.py [--calls 1000000]` prints the table of docs/figures.md. The calls are those of 200 users over
a year: most to numbers that are called once, one in a hundred internal, one in fifty failed. Words that nobody's calls have
(`status=voicemail`) are asked for as well: to find nothing must not take a walk through everything.
"""

import argparse
import asyncio
import gc
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from c2c_stasis.app import COLLECT_AFTER
from c2c_stasis.call.model import (
    Call,
    CallState,
    Destination,
    DestinationKind,
    End,
    EndedBy,
    FailedLeg,
    Leg,
    LegOutcome,
    LegState,
    Limits,
    Outcome,
    Party,
    Reason,
    Side,
)
from c2c_stasis.directory.call_log import CallFilter
from c2c_stasis.directory.model import Account, PhoneNumber, Platform, User
from c2c_stasis.directory.pages import Place, Wish
from c2c_stasis.ids import CALL, DEVICE, CallId, DeviceId, leg_id, new_id
from c2c_stasis.store.records import call_row
from c2c_stasis.store.sql_store import SqlStore, open_store
from c2c_stasis.store.tables import calls

YEAR = 365 * 86_400.0
BEGAN = 1_735_689_600.0  # 2025-01-01
USERS = 200
ROUNDS = 150
LIMIT = 100  # entries of a page, the most there may be
AIM = 50.0  # ms


def ended_call(platform: Platform, account: Account, user: User, number: PhoneNumber, at: float, serial: int) -> Call:
    """One call of the log."""
    call_id = CallId(new_id(CALL))
    internal, failed = serial % 100 == 0, serial % 50 == 1
    destination = Destination(
        DestinationKind.EXTENSION if internal else DestinationKind.EXTERNAL,
        Party("1001") if internal else Party(f"+1202{serial % 10_000_000:07}"),
    )
    leg = Leg(
        leg_id(call_id, "a", 1),
        Side.A,
        "PJSIP/desk",
        DeviceId(new_id(DEVICE)),
        "desk",
        state=LegState.ENDED,
        outcome=LegOutcome.ANSWERED,
        won=True,
        dialled_at=0.01,
        answered_at=2.0,
        ended_at=60.0,
    )
    far = Leg(leg_id(call_id, "b", 1), Side.B, "PJSIP/x@carrier", state=LegState.ENDED, ended_at=60.0)
    end = (
        End(Outcome.FAILED, Reason.TRUNK_FAILED, EndedBy.SYSTEM, FailedLeg.DESTINATION, 38, 503)
        if failed
        else End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, cause=16)
    )
    return Call(
        id=call_id,
        platform_id=platform.id,
        account_id=account.id,
        user_id=user.id,
        dial_string=destination.party.number,
        destination=destination,
        caller=Party("1000") if internal else Party(number.number, "Bakery"),
        region="US",
        limits=Limits(),
        legs=(leg, far),
        accepted_at=at,
        clock_zero=0.0,
        state=CallState.ENDED,
        deadline=None,
        end=end,
        answered_at=2.0,
        connected_at=5.0,
        ended_at=60.0,
        did_id=None if internal else number.id,
    )


async def seed(store: SqlStore, file: Path, how_many: int) -> tuple[Account, User, PhoneNumber]:
    """Fill the log; gives whose it is."""
    platform = await store.create_platform("Platform")
    account = await store.create_account(platform.id, "Bakery")
    number = await store.create_phone_number(account.id, "+12025550142")
    users = [await store.create_user(account.id, f"User {one}") for one in range(USERS)]
    names = [column.name for column in calls.columns]
    choose = random.Random(4)  # noqa: S311 # no secret
    template = ended_call(platform, account, users[0], number, BEGAN, 2)

    def rows() -> Iterator[tuple[Any, ...]]:
        for serial in range(how_many):
            at = BEGAN + serial * YEAR / how_many
            if serial % 100 in (0, 1, 51):
                call = ended_call(platform, account, choose.choice(users), number, at, serial)
            else:  # the ordinary one, made by changing little: a million take long enough
                party = Party(f"+1202{serial % 10_000_000:07}")
                call = replace(
                    template,
                    id=CallId(new_id(CALL)),
                    user_id=choose.choice(users).id,
                    accepted_at=at,
                    dial_string=party.number,
                    destination=replace(template.destination, party=party),
                )
            row = call_row(call)
            yield tuple(row[name] for name in names)

    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -400000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO calls ({', '.join(names)}) VALUES ({marks})", rows())  # noqa: S608 # our names
        connection.execute("COMMIT")
    return account, users[7], number


async def measure(
    store: SqlStore, account: Account, wanted: CallFilter, place: Place | None
) -> tuple[float, float, int]:
    """p50 and p99 in milliseconds of a page from a place on, and how many entries it had."""
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        page = await store.calls_page(account.id, wanted, Wish(LIMIT, place))
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=100)[98], len(page.entries)


async def run(how_many: int, folder: Path) -> int:
    """Seed, measure, print; gives how many pages were too slow."""
    file = folder / "log.db"
    store = await open_store(f"sqlite:///{file}", migrate=True)
    began = time.perf_counter()
    account, user, number = await seed(store, file, how_many)
    size = file.stat().st_size / 1e6
    gc.collect()
    gc.freeze()  # as the service does: else it is the collector of garbage that is measured
    gc.set_threshold(*COLLECT_AFTER)
    print(f"{how_many} calls in {time.perf_counter() - began:.0f} s, {size:.0f} MB\n")
    middle = BEGAN + YEAR / 2
    filters: dict[str, dict[str, Any]] = {
        "none": {},
        "user_id": {"user_id": user.id},
        "did": {"did_id": number.id},
        "direction=outbound": {"direction": "outbound"},
        "direction=internal": {"direction": "internal"},
        "direction=inbound (none)": {"direction": "inbound"},
        "from_number": {"from_number": number.number},
        "to_number (one call)": {"to_number": "+12020500002"},
        "to_number (many)": {"to_number": "1001"},
        "status=completed": {"status": "completed"},
        "status=failed": {"status": "failed"},
        "status=voicemail (none)": {"status": "voicemail"},
        "outcome=failed": {"outcome": "failed"},
        "outcome=cancelled (none)": {"outcome": "cancelled"},
        "live=true (none)": {"live": True},
        "live=false": {"live": False},
        "from_date, to_date": {"since": BEGAN + YEAR / 10, "until": BEGAN + YEAR * 0.9},
        "user_id, status=failed": {"user_id": user.id, "status": "failed"},
        "test key (none)": {"livemode": False},
    }
    print("| filter | first page, p50 / p99 ms | deep page | back from there | entries |\n|---|---|---|---|---|")
    slow = 0
    for name, fields in filters.items():
        wanted = CallFilter(**({"livemode": True} | fields))
        cells = []
        for place in (None, Place(middle, "call_"), Place(middle, "call_", towards_newer=True)):
            half, most, entries = await measure(store, account, wanted, place)
            slow += most > AIM
            cells.append(f"{half:.1f} / {most:.1f}")
        print(f"| {name} | {' | '.join(cells)} | {entries} |", flush=True)
    await store.close()
    return slow


def main() -> int:
    """Measure in a folder that is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        return 1 if asyncio.run(run(parser.parse_args().calls, Path(folder))) else 0


if __name__ == "__main__":
    raise SystemExit(main())
