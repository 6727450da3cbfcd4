"""A new user's first hour: the package from a built wheel, in an empty environment, without a file of the checkout."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from c2c_stasis.lab import child
from c2c_stasis.lab.phone import Phone
from c2c_stasis.lab.ports import free_ports
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY
from tests.live.town import Town, password_of
from tests.live.waiting import eventually

# pip fetches what the package needs; half a minute without a cache.
pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PARTS = ("pyproject.toml", "README.md", "LICENSE", "src", "asterisk")
DESK, MOBILE, DESTINATION = "d1", "d2", "+15551234567"
STARTS_WITHIN = 30.0  # seconds


class Newcomer:
    """Somebody with a wheel, an empty environment and an empty folder."""

    def __init__(self, bin_folder: Path, home: Path) -> None:
        self.home = home
        self._bin = bin_folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("C2C_", "PYTHON", "VIRTUAL"))}
        self._env = {**kept, "PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(home)}

    async def begin(self, *command: str, **options: Any) -> asyncio.subprocess.Process:
        """Start a command in the empty folder."""
        program = str(self._bin / command[0])
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *(program, *command[1:]), cwd=self.home, env=self._env, stdin=pipe, stdout=pipe, stderr=pipe, **options
        )

    def knows(self, **variables: str) -> None:
        """Export variables for all commands from now on."""
        self._env |= variables

    async def run(self, *command: str, typed: str = "") -> str:
        """What a command prints; it must succeed."""
        process = await self.begin(*command)
        output, complaints = await process.communicate(typed.encode())
        assert process.returncode == 0, (output + complaints).decode()
        return output.decode()

    @asynccontextmanager
    async def serving(self, url: str) -> AsyncIterator[None]:
        """The service while it runs; it must end in order."""
        process = await self.begin("c2c-stasis", "serve", preexec_fn=child.preparation(rename=False))
        try:
            await eventually(lambda: ready(url), bool, "the service to be ready", STARTS_WITHIN)
            yield
        finally:
            process.terminate()
            _, said = await process.communicate()
        assert process.returncode == 0, said.decode()


async def ready(url: str) -> bool:
    """Whether the service takes calls."""
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False


def in_readme(pattern: str) -> str:
    """A command of the README, on one line."""
    found = re.search(pattern, (ROOT / "README.md").read_text(), re.MULTILINE)
    assert found is not None, pattern
    return joined(found[0])


def joined(command: str) -> str:
    """A command on one line, as the shell takes it; shlex does not."""
    return command.replace("\\\n", " ")


def carried_out(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def installed_from_a_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the sources, install it into an empty environment, and give the `bin` of that."""
    source, wheels, venv = folder / "source", folder / "wheels", folder / "venv"
    source.mkdir()
    for name in PARTS:
        part = ROOT / name
        if part.is_dir():
            shutil.copytree(part, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(part, source)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    carried_out(*pip, "wheel", "--no-deps", "--wheel-dir", wheels, source)
    shutil.rmtree(source)
    (wheel,) = wheels.glob("*.whl")
    carried_out(sys.executable, "-m", "venv", "--without-pip", venv)
    constraints = ("--constraint", ROOT / "constraints.txt")
    carried_out(*pip, "--python", venv / "bin/python", "install", *constraints, wheel)
    return venv / "bin"


@pytest.fixture(scope="module")
async def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    folder = tmp_path_factory.mktemp("newcomer")
    home = folder / "home"
    home.mkdir()
    return Newcomer(await asyncio.to_thread(installed_from_a_wheel, folder), home)


@pytest.fixture
async def phones(town: Town) -> AsyncIterator[dict[str, Phone]]:
    server = town.asterisk.sip_address
    desk = await Phone.start(DESK, server=server, password=password_of(DESK), script=ANSWERS_SOON)
    mobile = await Phone.start(MOBILE, server=server, password=password_of(MOBILE))
    town.scripts[DESTINATION] = TALKS_BRIEFLY
    yield {DESK: desk, MOBILE: mobile}
    for phone in (desk, mobile):
        await phone.stop()
    town.scripts.clear()
    await town.clear()


async def test_a_wheel_in_an_empty_environment_goes_from_init_to_a_completed_call(
    newcomer: Newcomer, town: Town, phones: dict[str, Phone]
) -> None:
    # The command of the README; the devices are those of this Asterisk, whose ports are its own.
    words = shlex.split(in_readme(r"c2c-stasis init --trunk(.*\\\n)*.*"))
    words = [{"alice-desk": DESK, "alice-mobile": MOBILE}.get(word, word) for word in words]
    asterisk, listen = town.asterisk, f"127.0.0.1:{free_ports().http}"
    elsewhere = ("--listen", listen, "--ari-url", asterisk.http_url, "--ari-app", asterisk.app, "--ari-password", "-")
    printed = await newcomer.run(*words, *elsewhere, typed=f"{asterisk.ari_password}\n")
    curl = shlex.split(joined(printed.partition("The same over HTTP:\n")[2]))
    newcomer.knows(C2C_API_KEY=re.findall(r"sk_live_\w+", printed)[0])

    said = await newcomer.run("c2c-stasis", "doctor")
    assert all(f"emergency_{what}, not counted" in said for what in ("trunk_none", "location_none", "nobody_told")), (
        said
    )
    async with newcomer.serving(f"http://{listen}"):
        record = await placed(curl)
        await newcomer.run("c2c-stasis", "doctor")
        told = await newcomer.run("c2c-stasis", "call", "Alice", DESTINATION)

    assert "both sides are joined" in told
    assert [record["outcome"], record["reason"]] == ["completed", "normal"]
    assert {leg["outcome"] for leg in record["legs"]} == {"answered", "answered_elsewhere"}
    assert len(phones[DESK].calls) == len(phones[MOBILE].calls) == 2
    assert sorted(path.name for path in newcomer.home.iterdir()) == ["c2c.db", "c2c.db.lock", "c2c.toml"]


async def placed(curl: list[str]) -> dict[str, Any]:
    """Send what the printed curl says, and give the record once the call has ended."""
    method, url = curl[curl.index("-X") + 1 : curl.index("-X") + 3]
    headers = dict(curl[at + 1].split(": ", 1) for at, word in enumerate(curl) if word == "-H")
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.request(method, url, data=curl[curl.index("-d") + 1]) as answer:
            assert (answer.status, await answer.text()) == (202, "")
            location = answer.headers["Location"]

        async def ask() -> dict[str, Any]:
            async with http.get(url.removesuffix("/v1/calls") + location) as found:
                record: dict[str, Any] = await found.json()
                return record

        return await eventually(ask, lambda record: record["state"] == "ended", "the end of the call")


async def test_the_package_is_whole(newcomer: Newcomer) -> None:
    program = """
import json, sys
import c2c_stasis
from c2c_stasis.lab.configuration import shipped
print(json.dumps([c2c_stasis.__file__, str(shipped()), sys.path]))
"""
    package, etc, path = json.loads(await newcomer.run("python", "-c", program))

    assert not any(Path(name).is_relative_to(ROOT) for name in (package, etc, *path) if name)
    assert texts(Path(etc)) == texts(ROOT / "asterisk/etc")


def texts(folder: Path) -> dict[str, str]:
    """Every file of a folder."""
    return {path.name: path.read_text() for path in folder.iterdir()}
