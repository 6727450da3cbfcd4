"""Every story begins in a house of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.scenarios.house import House, house_in_memory, house_on_disk


@pytest_asyncio.fixture(loop_scope="function")
async def house() -> AsyncIterator[House]:
    """A service whose store is in memory."""
    async with house_in_memory() as house:
        yield house


@pytest_asyncio.fixture(loop_scope="function")
async def old_house(tmp_path: Path) -> AsyncIterator[House]:
    """A service whose store is the real one."""
    async with house_on_disk(tmp_path) as house:
        yield house
