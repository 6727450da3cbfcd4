"""A store of its own for every test that sends what is in it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.publish.receiver import Behaviour, Receiver, accepts, certify
from tests.publish.sending import Listen
from tests.store.conftest import file, place, settled

__all__ = ["file", "place", "settled"]


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for receivers on loopback, and its key."""
    return certify(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def listen(tls: tuple[Path, Path]) -> AsyncIterator[Listen]:
    """Makes receivers, and stops them."""
    async with AsyncExitStack() as stack:

        async def make(behave: Behaviour = accepts) -> Receiver:
            receiver = await Receiver(behave).start(tls)
            stack.push_async_callback(receiver.stop)
            return receiver

        yield make
