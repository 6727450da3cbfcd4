"""What tests of phones hold to."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from tests.lab.phones import started


@pytest.fixture
async def nothing_is_left() -> AsyncIterator[None]:
    """Every phone of the test is stopped, and no task and no socket of it is left."""
    tasks = asyncio.all_tasks()
    yield
    while started:
        await started.pop().stop(quietly=True)
    gc.collect()  # an unclosed socket speaks up now
    assert asyncio.all_tasks() <= tasks | {asyncio.current_task()}
