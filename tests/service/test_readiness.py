"""Everybody may ask whether the database is well; the disk is asked once a second, and says nothing of itself."""

import asyncio
import logging
from typing import cast

import pytest

from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ports import Store
from c2c_stasis.service.readiness import FRESH, DatabaseProbe
from tests.fakes.clock import standing_clock

pytestmark = pytest.mark.asyncio(loop_scope="function")


class Disk:
    """A store that counts how often it is asked, and can be made to fail or to hang."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = ""
        self.well = asyncio.Event()
        self.well.set()

    async def check(self) -> None:
        self.asked += 1
        await self.well.wait()
        if self.fails:
            raise StoreUnavailable(self.fails)


async def test_many_who_ask_within_a_second_cost_one_probe() -> None:
    disk = Disk()
    with standing_clock() as clock:
        probe = DatabaseProbe(cast("Store", disk), clock)
        assert await asyncio.gather(*(probe.state() for _ in range(50))) == ["ok"] * 50
        assert [await probe.state() for _ in range(50)] == ["ok"] * 50
        assert disk.asked == 1
        await clock.advance(FRESH)
        assert await probe.state() == "ok"
        assert disk.asked == 2


async def test_who_was_refused_by_the_store_is_not_told_that_all_was_well_a_moment_ago() -> None:
    disk = Disk()
    with standing_clock() as clock:
        probe = DatabaseProbe(cast("Store", disk), clock)
        assert await probe.state() == "ok"
        disk.fails = "the disk is full"
        assert await probe.state() == "ok"
        with pytest.raises(StoreUnavailable), probe.in_doubt():
            raise StoreUnavailable
        assert await probe.state() == "not writable"


async def test_what_is_wrong_is_in_the_log_once_and_nobody_is_told_the_name_of_the_file(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = Disk()
    disk.fails = "/var/lib/secret.db: the database file is gone"
    with standing_clock() as clock, caplog.at_level(logging.WARNING):
        probe = DatabaseProbe(cast("Store", disk), clock)
        for _ in range(3):
            assert await probe.state() == "not writable"
            await clock.advance(FRESH)
        disk.fails = ""
        assert await probe.state() == "ok"
        await clock.advance(FRESH)
        disk.fails = "the disk is full"
        assert await probe.state() == "not writable"
    assert [record.__dict__["reason"] for record in caplog.records] == [
        "/var/lib/secret.db: the database file is gone",
        "the disk is full",
    ]


async def test_a_disk_that_hangs_is_asked_once_however_many_give_up_waiting() -> None:
    disk = Disk()
    disk.well.clear()
    with standing_clock() as clock:
        probe = DatabaseProbe(cast("Store", disk), clock)
        for _ in range(5):
            asking = asyncio.create_task(probe.state())
            await clock.advance(5.0)
            asking.cancel()
            await asyncio.wait({asking})
        assert disk.asked == 1
        disk.well.set()
        await clock.settle()
        assert await probe.state() == "ok"
        assert disk.asked == 1


async def test_a_probe_that_runs_ends_with_the_service() -> None:
    disk = Disk()
    disk.well.clear()
    with standing_clock() as clock:
        probe = DatabaseProbe(cast("Store", disk), clock)
        asking = asyncio.create_task(probe.state())
        await clock.settle()
        await probe.stop()
        await asyncio.wait({asking})
    assert {task.get_name() for task in asyncio.all_tasks()}.isdisjoint({"database probe"})
