"""A fresh store in a file of its own for every test."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from c2c_stasis.store import writer
from c2c_stasis.store.sql_store import open_store
from tests.store.samples import Place, settle, url_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "c2c.db"


@pytest.fixture(scope="session")
async def settled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Place]:
    """A closed database with a platform, an account and a user, to be copied: to make one takes longer."""
    file = tmp_path_factory.mktemp("settled") / "c2c.db"
    place = await settle(await open_store(url_of(file), migrate=True))
    await place.store.close()
    return file, place


@pytest.fixture
async def place(file: Path, settled: tuple[Path, Place]) -> AsyncIterator[Place]:
    """A store with a platform, an account and a user."""
    original, place = settled
    shutil.copy(original, file)
    store = await open_store(url_of(file))
    yield replace(place, store=store)
    await store.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store opened after this waits a fraction of a second for what it else waits seconds for."""
    monkeypatch.setattr("c2c_stasis.store.sqlite.BUSY_TIMEOUT", 0.1)
    monkeypatch.setattr(writer, "RETRY_AFTER", 0.02)
    monkeypatch.setattr(writer, "CLOSE_WITHIN", 0.3)
