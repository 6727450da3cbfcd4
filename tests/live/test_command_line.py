"""The command line beside the running service: from an empty platform to a call, and back again."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

import pytest
from click.testing import CliRunner

from c2c_stasis.cli import main
from c2c_stasis.lab import child
from c2c_stasis.lab.phone import RINGS, Phone, RegistrationRefused, Script
from tests.live.process import COMMAND
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import until

pytestmark = pytest.mark.live

COMPLETED, NOT_COMPLETED = 0, 1
TALKS = Script(ring_after=0.02, answer_after=0.1, hang_up_after=10.0)


class Shell:
    """A terminal whose environment holds the service, its key and its configuration."""

    def __init__(self, story: Story) -> None:
        self._environment = {
            "C2C_API_KEY": story.client.key,
            "C2C_BASE_URL": story.client.url,
            "C2C_CONFIG": str(story.folder / "c2c.toml"),
        }

    async def call(self, *words: str) -> Process:
        """The command `call`, in a process of its own, which can be interrupted."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", COMMAND, "call", *words),
            env=os.environ | self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            preexec_fn=child.preparation(rename=False),
        )

    async def called(self, *words: str) -> tuple[int | None, str, str]:
        """Status, output and complaints of `call`, when it has ended."""
        process = await self.call(*words)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Status, output and complaints of any other command."""
        result = await asyncio.to_thread(CliRunner().invoke, main, words, env=self._environment)
        return result.exit_code, result.stdout, result.stderr

    async def json(self, *words: str) -> Any:
        """What a command prints that must succeed."""
        status, out, err = await self.run(*words, "--json")
        assert status == 0, err
        return json.loads(out)


async def opened(story: Story) -> Shell:
    """A running service whose directory is empty but for a key."""
    await story.open_process()
    return Shell(story)


async def alice_with(shell: Shell, endpoint: str) -> None:
    """An account with Alice in it, who has this endpoint and extension 1001."""
    await shell.json("accounts", "create", "Acme")
    await shell.json("users", "create", "Alice")
    await shell.json("devices", "create", "Alice", endpoint)
    await shell.json("extensions", "create", "1001", "Alice")


async def test_what_is_printed_of_a_new_phone_is_all_that_a_phone_needs(story: Story) -> None:
    shell = await opened(story)
    await shell.json("accounts", "create", "Acme")
    await shell.json("users", "create", "Alice")

    status, printed, warned = await shell.run("devices", "create", "Alice", "--name", "Desk")

    assert (status, warned.count("set domain under [sip]")) == (0, 1)
    setup = dict(re.findall(r"(?m)^(Server|User name|Password) +(\S+)", printed))
    assert setup["Server"] == "127.0.0.1"
    server = story.town.asterisk.sip_address  # the laboratory's port is another one at every start
    phone = await Phone.start(setup["User name"], server=server, password=setup["Password"], script=ANSWERS_SOON)
    story.phones.append(phone)
    called = await shell.called("Alice", story.destination(TALKS_BRIEFLY))
    assert called[0] == COMPLETED, called
    assert len(phone.calls) == 1
    await shell.run("devices", "delete", setup["User name"])
    with pytest.raises(RegistrationRefused):
        await phone.register()


async def test_from_nothing_to_a_completed_call_and_back_to_nothing(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    number = story.destination(TALKS_BRIEFLY)
    shell = await opened(story)

    await shell.json("accounts", "create", "Acme")
    user = await shell.json("users", "create", "Alice")
    ghost = await shell.run("devices", "create", "alice", "nosuch")
    assert ghost[0] == 0
    assert "has no PJSIP endpoint nosuch: the device cannot ring" in ghost[2]
    await shell.run("devices", "delete", "nosuch")
    device = await shell.json("devices", "create", "alice", desk.name)
    await shell.json("extensions", "create", "1001", "Alice")
    status, told, complaints = await shell.called("1001", number)

    assert (status, complaints) == (COMPLETED, "")
    assert device["status"] == "online"
    assert f"sip:{desk.name}@" in device["contacts"][0]["uri"]
    assert [call.final_status for call in desk.calls] == [200]
    lines = told.splitlines()
    assert lines[0].startswith("call_")
    steps = [line.split("s  ", 1)[1].split(None, 1) for line in lines[1:]]
    for step in ([desk.name, "rings"], [desk.name, "answers"], [number, "rings"], [number, "answers"]):
        assert step in steps
    assert ["call", "both sides are joined"] in steps
    assert steps[-1][1].startswith("ended: completed, reason normal, by destination, ")
    moments = [float(line.split()[0]) for line in lines[1:]]
    assert moments == sorted(moments)
    assert 0 <= moments[0] < moments[-1] < 15

    assert (await shell.run("devices", "delete", desk.name))[0] == 0
    status, told, _ = await shell.called(user["id"], number)
    assert (status, len(desk.calls)) == (NOT_COMPLETED, 1)
    assert "reason no_device" in told.splitlines()[-1]
    assert (await shell.run("users", "delete", "Alice"))[0] == 0
    status, _, complaints = await shell.called(user["id"], number)
    assert (status, complaints) == (1, "c2c-stasis: User not found\n")
    assert (await shell.run("accounts", "delete", "Acme"))[0] == 0
    assert await shell.json("accounts", "list") == []


async def test_an_interrupted_call_is_cancelled_and_its_end_is_awaited(story: Story) -> None:
    desk = await story.phone(RINGS)
    shell = await opened(story)
    await alice_with(shell, desk.name)

    process = await shell.call("Alice", story.destination(RINGS))
    ringing = await desk.next_call()
    await ringing.wait_ringing()
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()

    assert process.returncode == NOT_COMPLETED
    assert ringing.cancelled
    assert "reason cancelled_by_api" in out.decode().splitlines()[-1]
    assert err.decode() == "ending the call; Ctrl-C again leaves it alone\n"
    assert story.town.carrier.calls == []


async def test_a_call_whose_trunk_fails_says_what_to_look_at_and_claims_no_answer_of_its_end(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    shell = await opened(story)
    await alice_with(shell, desk.name)

    status, told, complaints = await shell.called("Alice", story.destination(Script(reject=403)))

    *_, leg, end = told.splitlines()
    assert status == NOT_COMPLETED
    assert (
        complaints == "c2c-stasis: the trunk's carrier refused the call or cannot be reached: c2c-stasis trunks check\n"
    )
    assert leg.endswith(f"{desk.name:<16} ended (cause 38)")
    assert end.endswith("ended: failed, reason trunk_failed, by destination")


async def test_a_user_who_talks_is_not_deleted(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    number = story.destination(TALKS)
    shell = await opened(story)
    await alice_with(shell, desk.name)

    process = await shell.call("Alice", number)
    far = await story.dialled_call(number)
    await far.wait_answered()
    refused = await shell.run("users", "delete", "Alice")
    process.send_signal(signal.SIGINT)
    await process.communicate()

    assert refused == (1, "", "c2c-stasis: Still in use: the user has a live call; end it first\n")
    assert process.returncode == COMPLETED
    assert (await shell.run("users", "delete", "Alice"))[0] == 0


async def test_a_call_is_followed_through_a_restart_of_the_service(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    number = story.destination(TALKS)
    service = await story.open_process()
    file = story.folder / "c2c.toml"
    file.write_text(file.read_text().replace("127.0.0.1:0", story.client.url.removeprefix("http://")))
    shell = Shell(story)
    await alice_with(shell, desk.name)

    calling = await shell.call("Alice", number)
    assert calling.stdout is not None
    assert calling.stderr is not None
    while b"both sides are joined" not in await calling.stdout.readuntil(b"\n"):
        pass
    await service.stop()
    said = await calling.stderr.readuntil(b"\n")
    await story.start_process()
    (far,) = story.dialled(number)
    await far.hang_up()
    out, _ = await calling.communicate()

    assert b"Waiting; the call goes on without it." in said
    assert calling.returncode == COMPLETED
    assert "ended: completed, reason normal, by destination" in out.decode().splitlines()[-1]


async def test_endpoints_that_asterisk_has_become_devices(story: Story) -> None:
    desk, mobile = await story.phone(ANSWERS_SOON), await story.phone(RINGS)
    number = story.destination(TALKS_BRIEFLY)
    shell = await opened(story)
    await shell.json("accounts", "create", "Acme")
    await shell.json("users", "create", "Alice")

    before = {one["endpoint"]: one for one in await shell.json("devices", "import")}
    wanted = ("--user", "alice", "--endpoint", desk.name, "--endpoint", mobile.name)
    dry = await shell.run("devices", "import", *wanted, "--dry-run")
    nobody = await shell.json("devices", "list")
    done = await shell.run("devices", "import", *wanted)
    again = await shell.run("devices", "import", *wanted)
    _, listed, _ = await shell.run("devices", "import")
    trunk = await shell.run("devices", "import", "--user", "alice", "--endpoint", "carrier", "--endpoint", "nothing")
    status, _, _ = await shell.called("alice", number)

    assert {one["online"] for one in before.values() if one["endpoint"] in (desk.name, mobile.name)} == {True}
    assert (before["carrier"]["trunk"], before[desk.name]["device"]) == (True, None)
    assert before[story.absent_device()]["online"] is False
    assert dry[1].splitlines() == [f"{name}: would be attached to Alice" for name in (desk.name, mobile.name)]
    assert nobody == []
    assert done[1].splitlines() == [f"{name}: attached to Alice" for name in (desk.name, mobile.name)]
    assert (again[0], again[1]) == (0, "")
    rows = [line.split() for line in listed.splitlines()]
    assert [desk.name, "online", "Alice"] in rows
    assert ["carrier", "trunk"] in [[row[0], row[-1]] for row in rows]
    assert trunk[0] == 1
    assert "carrier: is a trunk" in trunk[2]
    assert "nothing: Asterisk has no such PJSIP endpoint" in trunk[2]
    assert status == COMPLETED
    await until(lambda: all(len(phone.calls) == 1 for phone in (desk, mobile)), "both phones to have rung")
    assert mobile.calls[0].cancelled
