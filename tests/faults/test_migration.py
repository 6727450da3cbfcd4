"""A14: the tables are being made, or brought to this version, and the process is killed at one statement or another."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from alembic import command

from c2c_stasis.store import sqlite, upgrading
from c2c_stasis.store.errors import DatabaseNotUsable, SchemaNotCurrent
from c2c_stasis.store.sql_store import open_store
from tests.store.samples import change, rows, url_of

FIRST = "0001"
DIES_AT = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine

left = int(sys.argv.pop(1))

@event.listens_for(Engine, "before_cursor_execute")
def count(*_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

from c2c_stasis.cli import main
main()
"""


async def migrate(url: str, dies_at: int = 1_000_000) -> int | None:
    """Run `c2c-stasis migrate` until so many statements are done; gives how it ended."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DIES_AT, str(dies_at), "migrate", "--no-backup", "--database", url),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


def make_first_tables(file: Path) -> None:
    """A database of the first version, with something in it."""
    url = sqlite.parse_url(url_of(file))
    sqlite.create_private(file)
    engine = sqlite.migration_engine(url)
    with engine.begin() as connection:
        command.upgrade(upgrading.migration_config(connection), FIRST)
    engine.dispose()
    change(file, "INSERT INTO platforms VALUES ('plat_1', 'One', 0)")


@pytest.mark.parametrize("dies_at", [5, 20, 35])
@pytest.mark.parametrize("old", [False, True], ids=["first start", "migration"])
async def test_a14_killed_while_the_tables_are_made_they_are_never_served_half_made(
    tmp_path: Path, old: bool, dies_at: int
) -> None:
    file = tmp_path / "c2c.db"
    if old:
        make_first_tables(file)

    assert await migrate(url_of(file), dies_at) == -signal.SIGKILL
    with pytest.raises((SchemaNotCurrent, DatabaseNotUsable)):
        await open_store(url_of(file))
    assert await migrate(url_of(file)) == 0
    await (await open_store(url_of(file))).close()

    assert rows(file, "PRAGMA integrity_check") == [("ok",)]
    assert rows(file, "SELECT id FROM platforms") == ([("plat_1",)] if old else [])
