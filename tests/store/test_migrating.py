"""`migrate`: says what it did, keeps a copy of what it changes, and leaves alone what it must not touch."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from c2c_stasis.cli import main
from c2c_stasis.store import schema
from c2c_stasis.store.upgrading import upgrade
from tests.store.samples import change, rows, url_of

UNAVAILABLE = 69
HEAD = schema.head()
NEXT = """revision, down_revision = "9998", "{head}"
def upgrade():
    from alembic import op
    op.execute("CREATE TABLE novelties (id TEXT)")
"""


@pytest.fixture
def older(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of an older version: this version has one migration more."""
    upgrade(url_of(file))
    change(file, "INSERT INTO platforms VALUES ('plat_1', 'One', 0)")
    here = schema.MIGRATIONS
    (tmp_path / "src").mkdir()
    shutil.copytree(here, tmp_path / "src/migrations")
    (tmp_path / "src/migrations/versions/r9998_next.py").write_text(NEXT.format(head=HEAD))
    monkeypatch.setattr(schema, "MIGRATIONS", tmp_path / "src/migrations")
    return file


def migrate(file: Path, *options: str) -> Result:
    result = CliRunner().invoke(main, ["migrate", "--database", str(file), *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def facts(file: Path, *options: str) -> dict[str, Any]:
    result = migrate(file, "--json", *options)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.output)
    return answer


def copies(file: Path) -> list[Path]:
    return list(file.parent.glob("c2c.db.before-migration-*"))


def test_a_new_database_is_made(file: Path) -> None:
    assert migrate(file).output == f"{file}: the tables of this version ({schema.head()}) were made\n"
    assert copies(file) == []


def test_a_second_time_nothing_is_changed(file: Path) -> None:
    migrate(file)
    before = file.read_bytes()
    said = f"{file}: is that of this version ({schema.head()}) already; nothing was changed\n"
    assert migrate(file).output == said
    assert file.read_bytes() == before
    assert copies(file) == []


def test_an_older_one_is_brought_to_this_version_and_what_it_was_is_kept(older: Path) -> None:
    done = facts(older)
    assert (done["before"], done["after"]) == (HEAD, "9998")
    (copy,) = copies(older)
    assert done["backup"] == str(copy)
    assert rows(older, "SELECT count(*) FROM novelties") == [(0,)]
    assert rows(copy, "SELECT id FROM platforms") == rows(older, "SELECT id FROM platforms") == [("plat_1",)]
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        rows(copy, "SELECT * FROM novelties")


def test_the_way_back_is_to_restore_that_copy(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = facts(older)
    monkeypatch.undo()  # the older version is installed again
    result = CliRunner().invoke(main, ["restore", done["backup"], "--database", str(older)])
    assert result.exit_code == 0, result.output
    assert rows(older, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_backup_of_an_older_version_is_restored_with_a_word_about_migrating(older: Path) -> None:
    copy = older.with_name("copy.db")
    assert CliRunner().invoke(main, ["backup", str(copy), "--database", str(older)]).exit_code == 0
    result = CliRunner().invoke(main, ["restore", str(copy), "--database", str(older)])
    assert result.exit_code == 0
    assert "run c2c-stasis migrate" in result.output


def test_a_copy_can_be_done_without(older: Path) -> None:
    assert facts(older, "--no-backup")["backup"] is None
    assert copies(older) == []


def test_without_a_copy_nothing_is_changed(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("c2c_stasis.store.migrating.backup", full)
    result = migrate(older)
    assert result.exit_code == UNAVAILABLE
    assert "No space left" in result.output
    assert rows(older, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_database_of_a_newer_version_is_refused(file: Path) -> None:
    upgrade(url_of(file))
    change(file, "UPDATE alembic_version SET version_num = '9999'")
    result = migrate(file)
    assert result.exit_code == UNAVAILABLE
    assert "was made by a newer c2c-stasis (revision 9999)" in result.output
    assert copies(file) == []


def test_a_file_that_is_no_database_is_named(file: Path) -> None:
    file.write_text("hello " * 1000)
    result = migrate(file)
    assert result.exit_code == UNAVAILABLE
    assert f"{file}: this file is not a database" in result.output


def test_init_keeps_a_copy_too(older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["init", "--ari-password", "x", "--database", str(older)])
    assert result.exit_code == 0, result.output
    assert len(copies(older)) == 1
    assert rows(older, "SELECT id FROM platforms") == [("plat_1",)]


SERVICE = """import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode = WAL").fetchone()
connection.execute("SELECT count(*) FROM platforms").fetchone()
print("open", flush=True)
sys.stdin.read()
"""


def test_one_that_a_service_uses_is_refused(older: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(older)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "open\n"
        result = migrate(older)
        service.communicate()
    assert result.exit_code == UNAVAILABLE
    assert "is used by a running service" in result.output
    assert rows(older, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert copies(older) == []
