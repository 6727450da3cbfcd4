"""A process of the bench: started, asked in lines of JSON, measured from outside, ended."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

from c2c_stasis.lab.child import preparation

LONGEST_LINE = 1 << 24  # bytes; the moments of a thousand calls are a tenth of it
ANSWER_WITHIN = 120.0  # seconds; an answer comes when a measurement is over
END_WITHIN = 15.0  # seconds; the service lets go of its calls first

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Child:
    """A module of the bench that runs on its own: it gets its settings as JSON, and says one line when it is ready."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        """Use `start`."""
        self.name = name
        self.process = process

    @classmethod
    async def start(
        cls,
        module: str,
        settings: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None = None,
        log: IO[bytes] | None = None,
    ) -> Self:
        """Start `python -m bench.<module>`. What it writes to its standard error goes into the log, else to the terminal."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"bench.{module}",
            json.dumps(settings),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**os.environ, **(environment or {})},
            cwd=Path(__file__).parents[1],  # where this package is
            limit=LONGEST_LINE,
            start_new_session=True,  # Ctrl-C is for us, who then end it
            preexec_fn=preparation(rename=False),  # and if we are killed, it is too
        )
        return cls(module, process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def ask(self, **question: Any) -> Any:
        """Give it one line of JSON and wait for its answer."""
        self.tell(**question)
        return await self.hear()

    def tell(self, **news: Any) -> None:
        """Give it one line of JSON that it does not answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(news).encode() + b"\n")

    async def hear(self) -> Any:
        """The next line that it says. Raises `RuntimeError` when it has ended."""
        assert self.process.stdout is not None
        async with asyncio.timeout(ANSWER_WITHIN):
            line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"bench.{self.name} has ended")
        return json.loads(line)

    async def stop(self) -> None:
        """End it, in order if it does so in time."""
        if self.process.returncode is None:
            self.process.terminate()
        try:
            async with asyncio.timeout(END_WITHIN):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def cpu_of(pid: int) -> float:
    """Processor seconds that a process has used with all its threads, those that have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory_of(pid: int) -> int:
    """Resident memory of a process in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
