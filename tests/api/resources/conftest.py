"""An office of its own for every test."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from c2c_stasis.store.sql_store import open_store
from tests.api.resources.office import Office, opened
from tests.store.samples import Place, settle, url_of


@pytest.fixture(scope="session")
async def settled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Place]:
    """A closed database with a platform, an account and a user, to be copied: to make one takes longer."""
    file = tmp_path_factory.mktemp("settled") / "c2c.db"
    place = await settle(await open_store(url_of(file), migrate=True))
    await place.store.close()
    return file, place


@pytest.fixture
async def office(tmp_path: Path, settled: tuple[Path, Place]) -> AsyncIterator[Office]:
    """The office, open."""
    original, place = settled
    file = tmp_path / "c2c.db"
    shutil.copy(original, file)
    store = await open_store(url_of(file))
    async with opened(replace(place, store=store)) as office:
        yield office
    await store.close()
