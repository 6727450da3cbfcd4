"""A store of its own for every test that sends what is in it."""

from pathlib import Path

import pytest

from tests.publish.receiver import certify
from tests.store.conftest import file, place, settled

__all__ = ["file", "place", "settled"]


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for receivers on loopback, and its key."""
    return certify(tmp_path_factory.mktemp("tls"))
