"""The laboratory by hand: an Asterisk that stands until it is told to end, a phone at it, and tidying up."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.live.client import COMPLETED_BY_DESTINATION, ending
from tests.live.waiting import eventually, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

READY_WITHIN = 120.0  # seconds; 2 is usual, an Asterisk may have to be fetched first
UNAVAILABLE = 69


class Command:
    """A command that runs, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.output = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while chunk := await self.process.stdout.read(4096):
            self.output += chunk.decode(errors="replace")

    async def said(self, what: str, within: float = READY_WITHIN) -> None:
        await until(lambda: what in self.output or self.process.returncode is not None, what, within)
        assert what in self.output, self.output

    async def ended(self) -> int:
        async with asyncio.timeout(30):
            await self._reading
            return await self.process.wait()

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await self.ended()


class Bench:
    """A place of its own to run commands in, with the environment that `lab up` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables: dict[str, str] = {}
        self.commands: list[Command] = []

    async def start(self, *arguments: str) -> Command:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("C2C_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-u", "-m", "c2c_stasis", *arguments),
            cwd=self.folder,
            env=kept | {"TMPDIR": str(self.folder), "C2C_LOG__FORMAT": "json"} | self.variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        command = Command(process)
        self.commands.append(command)
        return command

    async def run(self, *arguments: str) -> str:
        command = await self.start(*arguments)
        assert await command.ended() == 0, command.output
        return command.output

    async def up(self, *options: str) -> Command:
        """A laboratory that stands; its variables count from now on."""
        up = await self.start("lab", "up", "--env", "lab.env", *options)
        await up.said("What the carrier sees:")
        lines = shlex.split((self.folder / "lab.env").read_text())
        self.variables = dict(line.split("=", 1) for line in lines)
        return up

    @property
    def laboratories(self) -> list[Path]:
        """The folders of laboratories, also of dead ones."""
        return list(self.folder.glob("c2c-lab-*"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: Asterisk's socket is in it."""
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def bench(folder: Path) -> AsyncIterator[Bench]:
    bench = Bench(folder)
    yield bench
    for command in reversed(bench.commands):
        await command.end(signal.SIGKILL)


async def test_a_service_and_phones_meet_at_a_laboratory_that_stands(bench: Bench) -> None:
    up = await bench.up("--device", "desk", "--device", "mobile", "--hang-up-after", "1")
    assert (bench.folder / "lab.env").stat().st_mode & 0o777 == 0o600
    desk = await bench.start("lab", "phone", "desk", "--answer-after", "0.3", "--calls", "1")
    mobile = await bench.start("lab", "phone", "mobile")
    for phone in (desk, mobile):
        await phone.said("is registered at 127.0.0.1:")
    made = json.loads(
        await bench.run(
            *(
                "init",
                "--json",
                "--listen",
                "127.0.0.1:0",
                "--trunk",
                "carrier",
                "--account",
                "Demo",
                "--user",
                "Alice",
            ),
            *("--device", "desk", "--device", "mobile"),
        )
    )
    serve = await bench.start("serve")
    await serve.said('"message":"listening"')
    url = json.loads(next(line for line in serve.output.splitlines() if '"listening"' in line))["url"]

    record = await one_call(url, made)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert await desk.ended() == 0  # after its one call
    told = [
        "<- INVITE sip:desk@",
        "-> SIP/2.0 180",
        "-> SIP/2.0 200",
        "hears carrier's tone, 1000 Hz",
        "<- BYE",
        "-> REGISTER",
    ]
    assert in_order(told, desk.output), desk.output
    assert await mobile.end() == 0
    assert in_order(["<- INVITE sip:mobile@", "-> SIP/2.0 180", "<- CANCEL", "cause=26"], mobile.output), mobile.output
    assert in_order(["INVITE for +15551234567", "rings", "answers", "hears desk's tone", "hangs up, BYE"], up.output)
    said = json.loads(await bench.run("doctor", "--security", "--json", "--ignore", "asterisk_is_root"))
    assert [one["level"] for one in said["findings"] if one["check"] == "asterisk's files"] == ["ok"]
    assert await serve.end() == 0
    assert await up.end(signal.SIGINT) == 0
    assert not (bench.folder / "lab.env").exists()
    assert bench.laboratories == []


async def one_call(url: str, made: dict[str, Any]) -> dict[str, Any]:
    """A call of Alice to the carrier, and its record when it has ended."""
    headers = {"Authorization": f"Bearer {made['key']}", "DialStack-Account": made["account_id"]}
    async with aiohttp.ClientSession(url, headers=headers) as http:

        async def ready() -> bool:
            async with http.get("/readyz") as answer:
                return answer.status == 200

        await eventually(ready, bool, "the service to be ready")
        body = {"user_id": made["user_id"], "dial_string": "+15551234567"}
        async with http.post("/v1/calls", json=body) as answer:
            assert answer.status == 202
            location = answer.headers["Location"]

        async def record() -> dict[str, Any]:
            async with http.get(location) as answer:
                found: dict[str, Any] = await answer.json()
                return found

        return await eventually(record, lambda found: found["state"] == "ended", "the end of the call")


def in_order(told: list[str], output: str) -> bool:
    position = 0
    for what in told:
        position = output.find(what, position)
        if position < 0:
            return False
    return True


async def test_an_asterisk_that_is_killed_stands_again_on_the_same_ports(bench: Bench) -> None:
    up = await bench.up()
    os.kill(int(bench.variables["C2C_LAB_PID"]), signal.SIGKILL)
    await up.said("runs again")
    async with aiohttp.ClientSession() as http:
        login = aiohttp.encode_basic_auth(bench.variables["C2C_ARI__USERNAME"], bench.variables["C2C_ARI__PASSWORD"])
        url = f"{bench.variables['C2C_ARI__URL']}/ari/asterisk/info"
        async with http.get(url, headers={"Authorization": login}) as answer:
            assert answer.status == 200
    assert await up.end() == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--password", "wrong"), "was refused: SIP/2.0 401"),
        (("--server", "127.0.0.1:port"), "is no server that can be found"),
    ],
)
async def test_a_phone_that_cannot_register_says_why(bench: Bench, options: tuple[str, ...], told: str) -> None:
    await bench.up()
    phone = await bench.start("lab", "phone", "desk", *options)
    assert await phone.ended() == UNAVAILABLE
    assert told in phone.output


async def test_a_phone_that_nobody_answers_says_so_long_before_it_gives_up(bench: Bench) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        host, port = deaf.getsockname()
        phone = await bench.start("lab", "phone", "desk", "--server", f"{host}:{port}")
        await phone.said(f"no answer from {host}:{port} yet", within=20)
        assert await phone.end() == 0


async def test_what_is_printed_to_paste_puts_no_password_into_the_list_of_processes(bench: Bench) -> None:
    up = await bench.up()
    pasted = [line.strip() for line in up.output.splitlines() if line.startswith("    ")]
    secrets = [bench.variables["C2C_ARI__PASSWORD"], bench.variables["C2C_LAB_PASSWORD"]]
    named = [line for line in pasted if any(secret in line for secret in secrets)]
    assert len(named) == 2
    # A shell echoes by itself, and what comes before a command is that command's environment.
    assert all(re.match(r"(echo \S+ \| |C2C_[A-Z_]+=\S+ )c2c-stasis ", line) for line in named)
    assert not [line for line in named if any(secret in line.partition(" c2c-stasis ")[2] for secret in secrets)]


async def test_a_phone_refuses_when_its_script_says_so(bench: Bench) -> None:
    await bench.up()
    caller = await bench.start("lab", "phone", "mobile", "--reject", "486", "--reject-after", "0", "--calls", "1")
    await caller.said("is registered")
    await asyncio.to_thread(_originate, bench.variables)
    assert await caller.ended() == 0
    assert in_order(["<- INVITE", "-> SIP/2.0 486 Busy Here", "<- ACK"], caller.output)


def _originate(variables: dict[str, str]) -> None:
    """Let Asterisk call the phone."""
    login = b64encode(f"{variables['C2C_ARI__USERNAME']}:{variables['C2C_ARI__PASSWORD']}".encode()).decode()
    url = f"{variables['C2C_ARI__URL']}/ari/channels?endpoint=PJSIP/mobile&extension=x&context=c2c-helper"
    request = urllib.request.Request(url, method="POST", headers={"Authorization": f"Basic {login}"})
    with urllib.request.urlopen(request, timeout=10):
        pass


async def test_what_a_killed_laboratory_left_is_cleaned_and_a_living_one_is_not_touched(bench: Bench) -> None:
    cache = bench.folder / "cache"
    (cache / "asterisk-forky").mkdir(parents=True)
    up = await bench.up()
    refused = await bench.start("lab", "clean", "--cache", str(cache))
    assert await refused.ended() == UNAVAILABLE
    assert "a laboratory runs in" in refused.output
    assert (cache / "asterisk-forky").is_dir()

    await up.end(signal.SIGKILL)
    (left,) = bench.laboratories
    await until(_gone(int(bench.variables["C2C_LAB_PID"])), "the end of its Asterisk")
    said = await bench.run("lab", "clean", "--cache", str(cache))
    assert f"{left}: removed" in said
    assert bench.laboratories == []
    assert not cache.exists()


def _gone(pid: int) -> Callable[[], bool]:
    return lambda: not Path(f"/proc/{pid}").exists()
