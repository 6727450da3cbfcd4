"""Both clients beside an office: the real service over HTTP, whose phones are silent."""

from collections.abc import AsyncIterator

import pytest

from c2c_stasis.client import AsyncClient, Client
from tests.api.resources.conftest import office, settled
from tests.api.resources.office import Office

__all__ = ["office", "settled"]


@pytest.fixture
async def client(office: Office) -> AsyncIterator[AsyncClient]:
    """The client for asyncio, with the key of the platform."""
    async with AsyncClient(office.url, office.key, account=office.account.id) as client:
        yield client


@pytest.fixture
def blocking(office: Office) -> Client:
    """The client for ordinary programs; it has to be used in a thread, for the service runs in this one."""
    return Client(office.url, office.key, account=office.account.id)
