"""A town for the fault trials, a gate at which the service can be killed, a line that can be spoiled; as in live stories."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.gate import Gate
from tests.faults.proxy import FaultProxy
from tests.live.conftest import FAILED, pytest_runtest_makereport, story, town
from tests.live.story import Story

__all__ = ["pytest_runtest_makereport", "story", "town"]


@pytest.fixture
async def gate(story: Story, request: pytest.FixtureRequest) -> AsyncIterator[Gate]:
    """A gate in front of Asterisk, there until the service has cleaned up."""
    gate = await Gate.start(story.town.asterisk.http_url)
    yield gate
    if not request.node.stash.get(FAILED, False):
        await story.until_asterisk_is_empty()
    await gate.close()


@pytest.fixture
async def line(story: Story, request: pytest.FixtureRequest) -> AsyncIterator[FaultProxy]:
    """A line to Asterisk that can be spoiled, there until the service has cleaned up."""
    line = await FaultProxy.start(story.town.asterisk.http_url)
    yield line
    if not request.node.stash.get(FAILED, False):
        await story.until_asterisk_is_empty()
    await line.close()
