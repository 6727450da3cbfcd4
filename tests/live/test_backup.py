"""A backup is taken while the service has calls on a real Asterisk; a restore waits until the service has ended."""

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.live.client import COMPLETED_BY_DESTINATION, PlacedCall, ending
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live

USERS = 10
UNAVAILABLE = 69


async def command(folder: Path, *arguments: str) -> tuple[int, str]:
    """A command of ours, with the configuration of the story's service."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "c2c_stasis", *arguments, "--config", str(folder / "c2c.toml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_backup_is_whole_although_calls_are_going_on_and_a_restore_waits_for_the_end_of_the_service(
    story: Story,
) -> None:
    users = [await story.user(await story.phone(ANSWERS_SOON), name=f"User {n}") for n in range(USERS)]
    numbers = [story.destination(TALKS_BRIEFLY) for _ in users]
    service = await story.open_process()
    accepted: list[PlacedCall] = []
    enough = asyncio.Event()

    async def call_again_and_again(turn: int) -> None:
        while not enough.is_set():
            call = await story.place(users[turn], numbers[turn])
            accepted.append(call)
            await call.ended()

    async with asyncio.TaskGroup() as group:
        for turn in range(USERS):
            group.create_task(call_again_and_again(turn))
        await asyncio.gather(*[story.dialled_call(number) for number in numbers])
        during = set[str]()
        while not during:  # a copy takes a moment, in which by chance nobody may call
            before = {call.id for call in accepted}
            status, said = await command(story.folder, "backup", str(story.folder / "copy.db"), "--json", "--force")
            during = {call.id for call in accepted} - before
            assert status == 0, said
        refused = await command(story.folder, "restore", str(story.folder / "copy.db"))
        enough.set()
    assert refused[0] == UNAVAILABLE
    assert "is used by a running service" in refused[1]
    assert {ending(await call.ended()) for call in accepted} == {COMPLETED_BY_DESTINATION}

    with closing(sqlite3.connect(story.folder / "copy.db")) as copy:
        recorded = dict(copy.execute("SELECT id, snapshot FROM calls"))
        logs = dict(
            copy.execute(
                "SELECT call_id, group_concat(sequence) FROM (SELECT * FROM events ORDER BY sequence) GROUP BY 1"
            )
        )
    assert before <= set(recorded)
    for call_id, snapshot in recorded.items():
        assert logs.get(call_id, "") == ",".join(str(n) for n in range(1, json.loads(snapshot)["events"] + 1))

    await service.stop()
    status, said = await command(story.folder, "restore", str(story.folder / "copy.db"))
    assert status == 0, said
    await story.start_process()  # what lived in the backup is settled; Asterisk has none of it any more
    for call in (one for one in accepted if one.id in recorded):
        assert (await call.record())["id"] == call.id
    lost = [call for call in accepted if call.id not in recorded]
    story.client.placed[:] = [call for call in story.client.placed if call not in lost]
