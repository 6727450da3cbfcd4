"""`call`: what it tells of calls whose phones nobody has; how it rings and is interrupted is a live story."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from c2c_stasis.cli.next_steps import next_step
from c2c_stasis.cli.remote import Remote
from tests.api.resources.office import Office
from tests.cli.line import OK, REFUSED, Line
from tests.live.process import COMMAND


async def call(*words: str) -> tuple[int, str, str]:
    """Status, output and complaints of the command in a process of its own: it listens for signals."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "call", *words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode or OK, out.decode(), err.decode()


async def test_a_call_that_reaches_nobody_is_told_and_is_no_success(office: Office, line: Line) -> None:
    status, told, complaints = await call("Ann", "+15551234567")
    first, *_, last = told.splitlines()
    assert status == REFUSED
    assert complaints == "c2c-stasis: Ann has no device: c2c-stasis devices create Ann ENDPOINT\n"
    assert first.startswith("call_")
    assert first.endswith(": accepted")
    assert "reason no_device" in last
    assert re.fullmatch(r" +0\.\d{3} s  call +ended: .*", last)


async def test_for_a_program_each_event_is_a_line_as_the_api_has_it(office: Office, line: Line) -> None:
    status, told, _ = await call("Ann", "+15551234567", "--json")
    events = [json.loads(text) for text in told.splitlines()]
    path = f"/v1/calls/{events[0]['data']['call_id']}/events"
    assert (status, (await office.get(path))["data"]) == (REFUSED, events)


async def test_who_has_devices_but_no_phone_is_told_where_to_look(office: Office, line: Line) -> None:
    await line.says("users", "create", "Bob O'Hara")
    await line.says("devices", "create", "Bob O'Hara", "desk")
    _, _, complaints = await call("Bob O'Hara", "+15551234567")
    told = "no phone of Bob O'Hara is registered: c2c-stasis devices list --user 'Bob O'\"'\"'Hara'"
    assert complaints == f"c2c-stasis: {told}\n"


async def test_what_is_refused_is_said_and_nothing_is_placed(office: Office, line: Line) -> None:
    for words, said in (
        (("Ann", "12"), "dial_string "),
        (("Zoe", "+15551234567"), "there is no user Zoe"),
        (("Ann", "+449990000000000"), "dial_string "),
        (("Ann", "+442079460018"), "the number belongs to GB; only US is dialled; rule other_region"),
    ):
        status, told, complaints = await call(*words)
        assert (status, told) == (REFUSED, "")
        assert said in complaints


async def test_a_limit_says_which_it_is_and_when_it_lets_the_call_through(office: Office, line: Line) -> None:
    await office.change(f"/v1/accounts/{office.account.id}", policy={"limits": {"calls_at_a_time": 0}})
    _, _, complaints = await call("Ann", "+15551234567")
    assert complaints.startswith("c2c-stasis: Limit reached: the account already has 0 calls")
    assert complaints.endswith("; try again in 3600 s; rule account_calls\n")


async def test_how_long_the_phones_ring_can_be_said(office: Office, line: Line) -> None:
    _, told, _ = await call("Ann", "+15551234567", "--ring-timeout", "20")
    assert "reason no_device" in told
    status, told, complaints = await call("Ann", "+15551234567", "--ring-timeout", "0.5")
    assert (status, told) == (REFUSED, "")
    assert "ring_timeout" in complaints


async def test_whose_phones_are_silent_is_told_where_to_look(office: Office, line: Line) -> None:
    remote = Remote(office.url, office.key, Path("c2c.toml"), account=office.account.id)
    told = await asyncio.to_thread(next_step, remote, "device_unreachable", office.user.id)
    assert told.startswith("every phone of Ann that is registered is silent: c2c-stasis devices list --user Ann tells")


async def silence_of(*words: str) -> str:
    """What a command complains of when nobody reads its output."""
    nobody, output = os.pipe()
    os.close(nobody)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, *words), stdout=output, stderr=asyncio.subprocess.PIPE
    )
    os.close(output)
    return (await process.communicate())[1].decode()


async def test_when_nobody_reads_on_a_command_ends_in_silence(office: Office, line: Line) -> None:
    _, told, _ = await call("Ann", "+15551234567")
    call_id = told.partition(":")[0]
    for words in (("trace", call_id), ("calls", "list"), ("calls", "export"), ("events",)):
        assert await silence_of(*words) == ""
