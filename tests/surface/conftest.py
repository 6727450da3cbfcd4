"""The service as operators run it, in front of an ARI server that is small and well: what is tried here is HTTP alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from c2c_stasis.config import Address, Ari, Config, Database, Http, Trunk
from c2c_stasis.store.sql_store import open_store
from tests.api.resources.conftest import office, settled
from tests.ari.server import APP, PASSWORD, USERNAME, ari_server
from tests.live.process import ServiceProcess
from tests.live.waiting import until
from tests.surface.corpus import Site

__all__ = ["office", "settled"]


@dataclass(frozen=True)
class Running:
    """A running service and where it is."""

    process: ServiceProcess
    host: str
    port: int
    site: Site
    config: Config


@pytest.fixture
async def prepared(tmp_path: Path) -> AsyncIterator[tuple[Config, Site]]:
    """A configuration with everything that it names: a directory with a user, and an ARI server."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'c2c.db'}")
    store = await open_store(database.url, migrate=True)
    platform = await store.create_platform("Platform")
    account = await store.create_account(platform.id, "Bakery")
    user = await store.create_user(account.id, "Ann")
    key, _ = await store.create_key(platform.id)
    await store.close()
    async with ari_server() as asterisk:
        ari = Ari(PASSWORD, asterisk.url, USERNAME, APP)
        trunk = Trunk("carrier", "PJSIP/{number}@carrier")
        yield Config(ari, Http(Address("127.0.0.1", 0)), database, (trunk,)), Site(key, account.id, user.id)


@asynccontextmanager
async def serving(config: Config, site: Site, folder: Path) -> AsyncIterator[Running]:
    """A process that serves, as soon as it can take calls."""
    process = ServiceProcess(config, folder)
    parts = urlsplit(await process.start())
    try:
        await until(lambda: any(line["message"] == "ready for calls" for line in process.lines()), "readiness")
        yield Running(process, parts.hostname or "", parts.port or 0, site, config)
        await process.stop()
    finally:
        await process.kill()


@pytest.fixture
async def running(prepared: tuple[Config, Site], tmp_path: Path) -> AsyncIterator[Running]:
    """It runs."""
    async with serving(*prepared, tmp_path / "process") as running:
        yield running
