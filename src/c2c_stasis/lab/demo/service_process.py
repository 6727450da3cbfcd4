"""The service as a process of its own, so that it can be killed; its log is read line by line as it writes it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from c2c_stasis.lab import child
from c2c_stasis.lab.errors import LaboratoryError

READY_WITHIN = 30.0  # seconds; 1 is usual
STOP_WITHIN = 5.0  # seconds for an orderly end; then it is killed
POLL = 0.05  # seconds
LAST_WORDS = 12  # lines
_PAGES = "C2C_HTTP__CORS_ORIGINS"
_OF_THE_SHOW = {
    # All calls of the demonstration are to one number, and it is ours: whoever looks at it for a while shall come to no limit.
    "C2C_ACCOUNT_LIMITS__SAME_DESTINATION": "unlimited",
    # The pages of examples/, whose servers listen there.
    _PAGES: "http://127.0.0.1:3000, http://localhost:3000",
}

Listener = Callable[[dict[str, Any]], None]


def command(*arguments: str) -> tuple[str, ...]:
    """A command line of our own program, in this same Python."""
    return (sys.executable, "-m", "c2c_stasis", *arguments)


def environment() -> dict[str, str]:
    """The environment without anything that would change the configuration; what is logged is for a program to read."""
    kept = {name: value for name, value in os.environ.items() if not (name.startswith("C2C_") and "__" in name)}
    return {**kept, "C2C_LOG__FORMAT": "json", "C2C_LOG__LEVEL": "info"}


class ServiceProcess:
    """One run of `c2c-stasis serve`; `listener` is given each line of its log as a dictionary.

    `sip_port` is where the phones that it makes register, and `websocket_url` where pages do; `origin` is one more whose
    pages may use it.
    """

    def __init__(
        self, config: Path, listener: Listener, sip_port: int = 0, websocket_url: str = "", origin: str = ""
    ) -> None:
        self._config = config
        self._variables = {"C2C_SIP__PORT": str(sip_port), "C2C_SIP__WEBSOCKET_URL": websocket_url}
        if origin:
            self._variables[_PAGES] = f"{_OF_THE_SHOW[_PAGES]}, {origin}"
        self._listener = listener
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._tail: deque[str] = deque(maxlen=LAST_WORDS)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self._tail) or "it said nothing"

    async def start(self, base_url: str) -> None:
        """Start it and wait until it can place calls. Raises `LaboratoryError` when it ends, or does not become ready."""
        self._process = await asyncio.create_subprocess_exec(
            *command("serve", "-c", str(self._config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._config.parent,
            env={**environment(), **_OF_THE_SHOW, **self._variables},
            start_new_session=True,  # Ctrl-C is for us, who then stop it in order
            preexec_fn=child.preparation(rename=False),
        )
        self._reading = asyncio.create_task(self._read(), name="service log")
        try:
            await self._wait_until_ready(base_url)
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> str:
        """Wait for its end, and give what it was in words."""
        assert self._process is not None
        assert self._reading is not None
        status = await self._process.wait()
        await asyncio.wait({self._reading})
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    async def stop(self) -> None:
        """End it in order, or by force. Twice is once."""
        process = self._process
        if process is None or self._reading is None:
            return
        try:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_WITHIN):
                        await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await asyncio.wait({self._reading})

    async def _wait_until_ready(self, base_url: str) -> None:
        assert self._process is not None
        loop = asyncio.get_running_loop()
        give_up = loop.time() + READY_WITHIN
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as http:
            while loop.time() < give_up:
                if self._process.returncode is not None:
                    raise LaboratoryError(f"the service {await self.wait()} as it started:\n{self.last_words}")
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with http.get(f"{base_url}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(POLL)
        raise LaboratoryError(f"the service was not ready within {READY_WITHIN:.0f} s:\n{self.last_words}")

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        rest = b""
        while chunk := await self._process.stderr.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._hear(line.decode(errors="replace"))

    def _hear(self, line: str) -> None:
        self._tail.append(line)
        try:
            record = json.loads(line)
        except ValueError:
            return
        if isinstance(record, dict):
            self._listener(record)


async def run_once(*arguments: str, folder: Path, secret: str = "") -> dict[str, Any]:
    """Run another command of ours that prints one JSON object, with `secret` as its standard input.

    Raises `LaboratoryError` with what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment(),
        start_new_session=True,
        preexec_fn=child.preparation(rename=False),
    )
    try:
        output, complaints = await process.communicate(f"{secret}\n".encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise LaboratoryError(f"c2c-stasis {arguments[0]} failed:\n{complaints.decode(errors='replace').strip()}")
    answer: dict[str, Any] = json.loads(output)
    return answer
