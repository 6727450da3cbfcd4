"""The demonstration as a newcomer runs it: what it shows, when it says no, and that nothing of it stays."""

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from c2c_stasis.lab.rundir import sweep
from tests.live.process import heed_signals
from tests.live.waiting import eventually, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

READY_WITHIN = 120.0  # seconds; 5 is usual, an Asterisk may have to be fetched first
ENDS_WITHIN = 60.0  # seconds from ready; the call takes 6

# Each of them on a line of its own, in this order.
TIMELINE = (
    r"API +POST /v1/calls: 202 Accepted .*Location: /v1/calls/call_",
    r"(desk|mobile) +INVITE, shows \+15551234567",
    r"(desk|mobile) +INVITE, shows \+15551234567",
    r"(desk|mobile) +rings",
    r"desk +answers",
    r"call +desk has won; the destination is dialled",
    r"carrier +INVITE for \+15551234567 from \+12025550142",
    r"carrier +rings",
    r"desk +hears ringback",
    r"carrier +answers",
    r"call +bridged",
    r"(desk +hears carrier's tone|carrier +hears desk's tone)",
    r"(desk +hears carrier's tone|carrier +hears desk's tone)",
    r"carrier +hangs up, BYE",
    r"call +ended: completed, reason normal, by destination",
    r"The record, GET /v1/calls/call_",
    r"  mobile +answered elsewhere.*cause 26",
    r"Done: the call was completed, and each end heard the other's tone",
)
PAGE_ERRORS: tuple[tuple[dict[str, str], dict[str, str | None], int, str], ...] = (
    ({}, {"user_id": None}, 400, "user_id is required"),
    ({}, {"dial_string": None}, 400, "dial_string is required"),
    ({}, {"user_id": "alice"}, 400, "Invalid user_id format"),
    ({"Authorization": "Bearer sk_live_YOUR_SECRET_KEY"}, {}, 401, "Unauthorized"),
    ({}, {"user_id": "user_01h2xcejqtf2nbrexx3vqjhp42"}, 404, "User not found"),
)


class Demo:
    """One run of `c2c-stasis demo`, with what it has printed so far and what it wrote for scripts."""

    def __init__(self, process: asyncio.subprocess.Process, env_file: Path) -> None:
        self.process = process
        self.env_file = env_file
        self.output = ""
        self.complaints = ""
        self._reading = asyncio.gather(self._read_output(), self._read_complaints())

    @classmethod
    async def start(cls, folder: Path, *arguments: str) -> "Demo":
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "c2c_stasis", "demo", "--env", str(folder / "demo.env"), *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=heed_signals,
        )
        return cls(process, folder / "demo.env")

    async def ended(self) -> int:
        async with asyncio.timeout(READY_WITHIN + ENDS_WITHIN):
            await self._reading
            return await self.process.wait()

    async def ready(self) -> dict[str, str]:
        """What it wrote for scripts, once it has."""
        await until(self._ready_or_over, "the file for scripts", READY_WITHIN)
        assert self.env_file.exists(), self.output + self.complaints
        return self.env

    @property
    def env(self) -> dict[str, str]:
        assignments = shlex.split(self.env_file.read_text())
        return dict(assignment.split("=", 1) for assignment in assignments)

    def _ready_or_over(self) -> bool:
        return self.env_file.exists() or self.process.returncode is not None

    async def _read_output(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.output += line.decode()

    async def _read_complaints(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.complaints += line.decode()


@asynccontextmanager
async def running(folder: Path, *arguments: str) -> AsyncIterator[Demo]:
    """A demonstration that is over afterwards, whatever the story does."""
    demo = await Demo.start(folder, *arguments)
    try:
        yield demo
    finally:
        if demo.process.returncode is None:
            demo.process.kill()
        await demo.ended()


def alive(pid: str) -> bool:
    """Whether a process lives; one that is dead and not yet taken away does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def assert_gone(demo: Demo, env: dict[str, str]) -> None:
    """Nothing is left: no process, no folder, no file for scripts."""
    assert [name for name in ("C2C_SERVICE_PID", "C2C_ASTERISK_PID") if alive(env[name])] == []
    assert not run_dir(env).exists()
    assert not demo.env_file.exists()


def run_dir(env: dict[str, str]) -> Path:
    return Path(env["C2C_CONFIG"]).parents[1]


@dataclass
class Ended:
    """A demonstration that has come to its end."""

    demo: Demo
    env: dict[str, str]
    status: int


async def to_the_end(folder: Path, *arguments: str) -> Ended:
    async with running(folder, "--once", *arguments) as demo:
        env = await demo.ready()
        return Ended(demo, env, await demo.ended())


@pytest.fixture(scope="module")
async def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Two runs to the end, side by side: an ordinary one, and one with a phone that sends silence."""
    ordinary, muted = await asyncio.gather(
        to_the_end(tmp_path_factory.mktemp("ordinary")),
        to_the_end(tmp_path_factory.mktemp("muted"), "--mute", "mobile"),
    )
    return {"ordinary": ordinary, "muted": muted}


async def test_the_demonstration_shows_a_call_from_the_request_to_the_record(runs: dict[str, Ended]) -> None:
    run = runs["ordinary"]

    assert run.status == 0, run.demo.output + run.demo.complaints
    rest = run.demo.output
    for pattern in TIMELINE:
        found = re.search(pattern, rest)
        assert found, f"{pattern!r} is not in what follows:\n{rest}"
        rest = rest[found.end() :]
    released = [line for line in run.demo.output.splitlines() if "stops ringing" in line]
    assert len(released) == 1
    assert "released as answered elsewhere" in released[0]
    assert "Q.850;cause=26" in released[0]
    assert_gone(run.demo, run.env)


async def test_a_muted_phone_is_missed_by_ear(runs: dict[str, Ended]) -> None:
    run = runs["muted"]

    assert run.status == 1
    assert run.demo.complaints == "c2c-stasis demo: carrier did not hear mobile's tone of 1200 Hz, but silence\n"
    assert "ended: completed" in run.demo.output
    assert "did not hear" not in run.demo.output  # it is told once
    assert_gone(run.demo, run.env)


async def test_it_stays_for_calls_of_ones_own_survives_a_killed_service_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    async with running(tmp_path) as demo:
        env = await demo.ready()
        await until(lambda: "Records:" in demo.output, "the curl")

        await every_error_of_the_page(demo, env)
        await pages_of_the_examples_may_call(env)
        await two_calls_at_once(demo, env)
        location = await paste_curl(demo)
        os.kill(int(env["C2C_SERVICE_PID"]), signal.SIGKILL)
        await until(lambda: demo.env["C2C_SERVICE_PID"] != env["C2C_SERVICE_PID"], "the service to be started again")
        again = demo.env
        assert {name for name in env if env[name] != again[name]} == {"C2C_SERVICE_PID"}
        record = await the_end_of(again, location)
        await tries(again, 10)
        await until(lambda: demo.output.count("The record, GET ") == 14, "the record of the last call")

        demo.process.send_signal(signal.SIGINT)
        assert await demo.ended() == 0, demo.complaints
    assert record["outcome"] == "completed"
    assert "was killed by SIGKILL; starting it again" in demo.output
    assert_gone(demo, again)


async def test_ended_in_the_middle_of_a_call_it_leaves_nothing_behind(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def end_by(number: signal.Signals) -> None:
        async with running(tmp_path_factory.mktemp(number.name), "--once") as demo:
            env = await demo.ready()
            await until(lambda: "rings" in demo.output, "a phone to ring")
            demo.process.send_signal(number)
            assert await demo.ended() == 128 + number, demo.complaints
        assert_gone(demo, env)

    await asyncio.gather(end_by(signal.SIGTERM), end_by(signal.SIGHUP))


async def test_killed_itself_it_takes_service_and_asterisk_along(tmp_path: Path) -> None:
    async with running(tmp_path, "--once") as demo:
        env = await demo.ready()
        demo.process.kill()
        await demo.ended()

    await until(lambda: not alive(env["C2C_SERVICE_PID"]) and not alive(env["C2C_ASTERISK_PID"]), "both to die")
    sweep()  # as the next start does
    assert not run_dir(env).exists()


async def paste_curl(demo: Demo) -> str:
    """Run the printed curl as it is, and give the Location of its answer."""
    curl = demo.output[demo.output.index("curl -i") :].partition("\n\n")[0]
    process = await asyncio.create_subprocess_exec("bash", "-c", curl, stdout=asyncio.subprocess.PIPE)
    answer = (await process.communicate())[0].decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 202 Accepted")
    assert body == ""
    location = re.search(r"^Location: (\S+)", head, re.MULTILINE)
    assert location
    return location[1]


async def every_error_of_the_page(demo: Demo, env: dict[str, str]) -> None:
    good = {"user_id": env["C2C_USER"], "dial_string": env["C2C_DESTINATION"]}
    async with http(env) as session:
        for headers, changes, status, error in PAGE_ERRORS:
            body = {name: value for name, value in (good | changes).items() if value is not None}
            async with session.post("/v1/calls", json=body, headers=headers) as answer:
                assert (answer.status, (await answer.json())["error"]) == (status, error)
    await until(lambda: demo.output.count("POST /v1/calls: 4") == len(PAGE_ERRORS), "the refusals on the timeline")


async def pages_of_the_examples_may_call(env: dict[str, str]) -> None:
    asked = {"Access-Control-Request-Method": "POST"}
    async with aiohttp.ClientSession(env["C2C_BASE_URL"]) as page:
        for origin, status in {
            "http://127.0.0.1:3000": 204,
            "http://localhost:3000": 204,
            "http://crm.local": 405,
        }.items():
            async with page.options("/v1/calls", headers=asked | {"Origin": origin}) as answer:
                assert answer.status == status


async def two_calls_at_once(demo: Demo, env: dict[str, str]) -> None:
    """Place one of Alice and one of Bob, and prove that the lines of each have one number."""
    before = len(demo.output)
    async with http(env) as session:
        async with session.get("/v1/users?search=Bob") as answer:
            (bob,) = (await answer.json())["data"]
        locations = []
        for user, number in ((env["C2C_USER"], "+15557654321"), (bob["id"], "+15551234567")):
            async with session.post("/v1/calls", json={"user_id": user, "dial_string": number}) as answer:
                locations.append(answer.headers["Location"])
    await asyncio.gather(*(the_end_of(env, location) for location in locations))
    await until(lambda: demo.output[before:].count("The record, GET ") == 2, "both records")
    lines = [line for line in demo.output[before:].splitlines() if re.match(r" +\d+\.\d{3} s  ", line)]
    numbers: dict[str, set[str]] = {"1": set(), "2": set()}
    for line in lines:
        if found := re.search(r"s  \[(\d)\] (\w+) +(.*)", line):
            numbers[found[1]].add(f"{found[2]} {found[3]}".split(" from ")[0])
    assert {"desk answers", "mobile rings", "carrier INVITE for +15557654321"} <= numbers["1"], demo.output[before:]
    assert {"bob answers", "carrier INVITE for +15551234567"} <= numbers["2"], demo.output[before:]
    assert not any(line.startswith("bob") for line in numbers["1"])
    assert not any(line.startswith(("desk", "mobile")) for line in numbers["2"])


async def tries(env: dict[str, str], times: int) -> None:
    """Let Alice call the one number that everybody tries, and hang up, as often as that and as fast as one user may."""
    wanted = {"user_id": env["C2C_USER"], "dial_string": env["C2C_DESTINATION"]}
    rules: set[str] = set()
    async with http(env) as session:

        async def place() -> str | None:
            async with session.post("/v1/calls", json=wanted) as answer:
                if answer.status == 429:
                    rules.add((await answer.json())["details"]["rule"])
                return answer.headers.get("Location")

        for _ in range(times):
            location = await eventually(place, lambda found: found is not None, "the next call")
            assert location is not None
            async with session.delete(location) as answer:
                assert answer.status == 204
            await the_end_of(env, location)
    assert rules <= {"user_starts"}


async def the_end_of(env: dict[str, str], location: str) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        async with session.get(location) as answer:
            record: dict[str, Any] = await answer.json()
            return record

    async with http(env) as session:
        return await eventually(ask, lambda record: record["status"] is not None, "the end of the call")


def http(env: dict[str, str]) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {env['C2C_API_KEY']}", "DialStack-Account": env["C2C_ACCOUNT"]}
    return aiohttp.ClientSession(env["C2C_BASE_URL"], headers=headers)
