"""The tables: made whole or not at all, the same as the code believes, and refused when they are another version's."""

# ruff: noqa: ASYNC240 - a test may touch its own small files

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateIndex, CreateTable

from c2c_stasis.store import schema
from c2c_stasis.store.errors import SchemaNotCurrent
from c2c_stasis.store.sql_store import open_store
from c2c_stasis.store.sqlite import create_private, migration_engine, parse_url
from c2c_stasis.store.tables import metadata
from c2c_stasis.store.upgrading import migration_config, upgrade
from tests.store.samples import change, rows, settle, url_of

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


def test_the_names_of_the_files_are_the_revisions() -> None:
    script = ScriptDirectory(str(schema.MIGRATIONS))
    assert schema.known() == sorted(one.revision for one in script.walk_revisions())
    assert schema.head() == script.get_current_head()


def test_a_start_does_not_read_what_only_a_migration_needs() -> None:
    code = "import sys, c2c_stasis.app, c2c_stasis.cli.serve; print('alembic' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_tables_and_migrations_agree(file: Path) -> None:
    upgrade(url_of(file))
    engine = create_engine(url_of(file))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_migrations_make_the_same_statements_as_the_tables(file: Path, tmp_path: Path) -> None:
    """Alembic does not compare checks and the conditions of indexes; the statements tell all."""
    upgrade(url_of(file))
    engine = create_engine(url_of(tmp_path / "direct.db"))
    metadata.create_all(engine)
    engine.dispose()
    statements = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version' ORDER BY name"

    def made(path: Path) -> dict[str, list[str]]:
        return {name: parts_of(sql) for name, sql in rows(path, statements)}

    assert made(file) == made(tmp_path / "direct.db")


def parts_of(statement: str) -> list[str]:
    """The columns and constraints of a statement in any order: a column that was added later stands last."""
    head, _, rest = " ".join(statement.split()).partition("(")
    inside, _, tail = rest.rpartition(")")
    parts, depth = [""], 0
    for character in inside:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [head.strip(), *sorted(part.strip() for part in parts), tail.strip()]


def test_the_tables_can_be_made_in_postgresql_too() -> None:
    dialect = PGDialect()  # type: ignore[no-untyped-call] # SQLAlchemy's own is untyped
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        assert all(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)


async def test_upgrading_again_changes_nothing(file: Path) -> None:
    upgrade(url_of(file))
    store = await open_store(url_of(file), migrate=True)
    await settle(store)
    await store.close()
    store = await open_store(url_of(file), migrate=True)
    assert len((await store.directory()).users) == 1
    await store.close()


def test_a_migration_that_fails_leaves_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Exception):
        pass

    def interrupted(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", interrupted)
    with pytest.raises(Interrupted):
        upgrade(url_of(file))
    assert rows(file, TABLES) == []
    monkeypatch.undo()
    upgrade(url_of(file))
    assert len(rows(file, TABLES)) == len(metadata.tables) + 1


def test_a_migration_that_breaks_a_reference_is_undone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(url_of(file))

    def careless(config: Config, _revision: str) -> None:
        connection = config.attributes["connection"]
        connection.exec_driver_sql("INSERT INTO event_counters VALUES ('acct_of_nobody', 0)")

    monkeypatch.setattr("alembic.command.upgrade", careless)
    with pytest.raises(SchemaNotCurrent, match="a row of event_counters would refer to nothing"):
        upgrade(url_of(file))
    assert rows(file, "SELECT * FROM event_counters") == []


async def test_a_database_of_the_first_version_is_brought_to_this_one_with_all_that_is_in_it(file: Path) -> None:
    create_private(file)
    engine = migration_engine(parse_url(url_of(file)))
    with engine.begin() as connection:
        command.upgrade(migration_config(connection), "0001")
    engine.dispose()
    change(file, "INSERT INTO platforms VALUES ('plat_1', 'Acme', 1.0)")
    change(file, "INSERT INTO accounts VALUES ('acct_1', 'plat_1', 'Bakery', 'DE', 3, 'UTC', NULL, 2.0, 3.0)")
    change(file, "INSERT INTO users VALUES ('user_1', 'acct_1', 'Ann', 'a@b.c', 1, NULL, 4.0, 5.0)")
    change(file, "INSERT INTO devices VALUES ('ep_1', 'acct_1', 'user_1', 'desk', 'Desk', 6.0)")
    upgrade(url_of(file))
    store = await open_store(url_of(file))
    there = await store.directory()
    await store.close()
    (account,), (user,), (device,) = there.accounts, there.users, there.devices
    assert (device.endpoint, device.name, device.created_at, device.provisioned) == ("desk", "Desk", 6.0, False)
    assert (account.name, account.region, account.email, account.kept, account.created_at) == (
        "Bakery",
        "DE",
        "",
        "{}",
        2.0,
    )
    assert (user.name, user.email, user.do_not_disturb, user.kept, user.updated_at) == ("Ann", "a@b.c", True, "{}", 5.0)


async def refusal(file: Path) -> str:
    with pytest.raises(SchemaNotCurrent) as refused:
        await open_store(url_of(file))
    return str(refused.value)


async def test_no_tables(file: Path) -> None:
    file.touch()
    assert await refusal(file) == f"{file}: has no tables yet; run `c2c-stasis init`"


async def test_tables_of_an_older_version(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(url_of(file))
    monkeypatch.setattr(schema, "head", lambda: "9999")
    said = await refusal(file)
    assert (
        said
        == f"{file}: the tables are those of an older version; run `c2c-stasis migrate`, which makes a backup first"
    )


async def test_tables_of_a_newer_version(file: Path) -> None:
    upgrade(url_of(file))
    change(file, "UPDATE alembic_version SET version_num = '9999'")
    said = f"{file}: was made by a newer c2c-stasis (revision 9999); install that version"
    assert await refusal(file) == said
    with pytest.raises(SchemaNotCurrent) as refused:
        upgrade(url_of(file))
    assert str(refused.value) == said


async def test_half_the_tables(file: Path) -> None:
    upgrade(url_of(file))
    change(file, "DROP TABLE legs")
    assert await refusal(file) == f"{file}: tables are missing: legs; restore a backup"


async def test_somebody_elses_tables(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE recipes (cake TEXT)")
    connection.close()
    assert "did not complete, or did not make" in await refusal(file)
    with pytest.raises(SchemaNotCurrent):
        upgrade(url_of(file))
    assert rows(file, TABLES) == [("recipes",)]
