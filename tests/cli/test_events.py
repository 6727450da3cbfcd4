"""`events`: what is kept, what happens, and that nothing is lost when the service goes away meanwhile."""

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.api.resources.office import Office
from tests.cli.line import NOT_ACCEPTED, NOT_THERE, REFUSED, Line
from tests.live.process import COMMAND, heed_signals
from tests.live.proxy import CuttableProxy

END = r"\d\d:\d\d:\d\d\.\d{3}  (call_\w{26})  to \+15551234567  ended: failed, reason no_device.*"


@asynccontextmanager
async def following(*words: str) -> AsyncIterator[Process]:
    """The command in a process of its own, which is interrupted at the end, also where the tests ignore interrupts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "events", "--follow", *words),
        stdout=PIPE,
        stderr=PIPE,
        preexec_fn=heed_signals,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def line_of(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(15):
        return (await process.stdout.readline()).decode()


async def test_what_is_kept_is_told_and_the_command_ends(office: Office, line: Line) -> None:
    assert await line.says("events") == ""
    location = await office.call(office.user.id)
    told = (await line.says("events")).splitlines()
    assert len(told) == 1  # nobody has a phone: it ends at once
    found = re.fullmatch(END, told[0])
    assert found
    assert found[1] == location.rpartition("/")[2]
    assert await line.says("events", "--after", "1", "--types", "call.end") == ""
    assert len((await line.says("events", "--types", "*")).splitlines()) >= 1


async def test_for_programs_a_line_is_the_number_the_name_and_the_event(office: Office, line: Line) -> None:
    location = await office.call(office.user.id)
    (told,) = (json.loads(text) for text in (await line.says("events", "--json")).splitlines())
    (kept,) = (await office.get(f"{location}/events"))["data"]
    assert told == {"id": 1, "event": "call.end", "data": kept}


async def test_one_user_can_be_chosen(office: Office, line: Line) -> None:
    await line.says("users", "create", "Bob")
    await office.call(office.user.id)
    assert await line.says("events", "--user", "Bob") == ""
    assert len((await line.says("events", "--user", "Ann")).splitlines()) == 1
    assert "there is no user Zoe" in await line.fails(REFUSED, "events", "--user", "Zoe")


async def test_a_number_that_was_never_given_is_told(office: Office, line: Line) -> None:
    await office.call(office.user.id)
    result = await line.run("events", "--after", "99", "--json")
    assert json.loads(result.stdout) == {"id": 1, "event": "reset", "data": {"reason": "unknown", "after": 1}}
    assert "was never given here" in result.stderr


async def test_what_is_refused_is_said(
    office: Office, line: Line, monkeypatch: pytest.MonkeyPatch, stranger: str
) -> None:
    assert "types" in await line.fails(REFUSED, "events", "--types", "call.incoming")
    assert "not c2c-stasis" in await line.fails(NOT_THERE, "events", "--follow", "--url", stranger)
    monkeypatch.setenv("C2C_API_KEY", "sk_live_nonsense")
    assert "not valid" in await line.fails(NOT_ACCEPTED, "events", "--follow")


async def test_who_follows_through_cuts_gets_every_event_once(office: Office, line: Line) -> None:
    proxy = await CuttableProxy.start(office.url)
    async with following("--json", "--url", proxy.url.rstrip("/"), "--after", "0") as process:
        for _ in range(3):
            await office.call(office.user.id)
        told = [json.loads(await line_of(process)) for _ in range(3)]
        await proxy.cut()
        for _ in range(3):
            await office.call(office.user.id)
        assert process.stderr is not None
        async with asyncio.timeout(15):
            assert b"Waiting; nothing is lost." in await process.stderr.readline()
        await proxy.mend()
        told += [json.loads(await line_of(process)) for _ in range(3)]
        await office.call(office.user.id)
        told.append(json.loads(await line_of(process)))
    await proxy.cut()
    assert [one["id"] for one in told] == list(range(1, 8))
    assert (await process.stderr.read()).decode() == "c2c-stasis: the service is there again\n"
    assert process.returncode == 130
