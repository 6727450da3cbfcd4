"""Live stories: a real Asterisk, scripted phones, and the service between them. Without an Asterisk they fail."""

import logging
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.live.story import Story
from tests.live.town import Town

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know that the story itself failed: then what it leaves behind is no news."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One Asterisk with devices and a carrier, for all stories of this process."""
    town = await Town.build(tmp_path_factory.mktemp("town"))
    yield town
    await town.close()


@pytest.fixture
async def story(town: Town, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Story]:
    """A story with its own database, and the proof at its end that nothing is left of it."""
    logging.getLogger("c2c_stasis").setLevel(logging.INFO)
    logging.getLogger("tests").setLevel(logging.INFO)
    story = Story(town, tmp_path)
    await story.begin()
    try:
        yield story
        if not request.node.stash.get(FAILED, False):
            await story.prove_nothing_is_left()
    finally:
        await story.tell()
        await story.finish()
        await town.clear()
    await story.prove_no_task_is_left()
    story.prove_no_alarm()
