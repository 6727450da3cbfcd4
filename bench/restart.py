"""`python -m bench.restart [CALLS]`: how long a restart takes with so many people talking, and that they talk on."""

import asyncio
import itertools
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.measure import settled
from bench.town import SETTINGS, Town, town
from c2c_stasis.lab.child import preparation

RATE = 20.0  # calls a second are begun
ROUNDS = 5  # restarts of each kind
READY_WITHIN = 60.0  # seconds
POLL = 0.005  # seconds
AIM = 2.0  # seconds from the signal until new calls are taken
FIRST = 5554000000
COMMAND = (sys.executable, "-m", "c2c_stasis")


@dataclass(frozen=True, slots=True)
class Restart:
    """Seconds from the signal to the end; from the start until the next one listens, and until it takes calls."""

    ended: float
    listening: float
    ready: float

    @property
    def whole(self) -> float:
        """From the signal until calls are taken."""
        return self.ended + self.ready


class Service:
    """The service as systemd or an engine of containers starts it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "restart.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> tuple[float, float]:
        """Give the seconds until it listens, and until it takes calls."""
        began, read = time.monotonic(), self._log.stat().st_size if self._log.exists() else 0
        config = ("--config", str(self._folder / "c2c.toml"))
        environment = {**os.environ, **SETTINGS}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *COMMAND,
                "serve",
                *config,
                stdout=log,
                stderr=log,
                preexec_fn=preparation(rename=False),
                env=environment,
                start_new_session=True,
            )
        address = await self._said(read, "url=http://")
        listening = time.monotonic() - began
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"http://{address}/readyz") as reply:
                    if reply.status == 200:
                        return listening, time.monotonic() - began
                if time.monotonic() - began > READY_WITHIN:
                    raise RuntimeError(self._log.read_text())
                await asyncio.sleep(POLL)

    async def end(self, number: signal.Signals) -> float:
        """Send it this signal, and give the seconds until it has ended."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(number)
        await self._process.wait()
        return time.monotonic() - began

    async def _said(self, read: int, what: str) -> str:
        end = time.monotonic() + READY_WITHIN
        while time.monotonic() < end:
            _, found, rest = self._log.read_bytes()[read:].decode().partition(what)
            if found:
                return rest.split()[0]
            await asyncio.sleep(POLL)
        raise RuntimeError(self._log.read_text())


async def main() -> int:
    """Restart with so many live calls, in order and by a kill; gives 1 if a call was lost or a restart took long."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    async with town() as place:
        job = place.ways["service"].job
        await _bear_silence(place)
        place.phones.tell(talk=None)
        await place.caller.ask(**job, calls=calls, first=FIRST, rate=RATE, until_ended=False)
        await _talking(place, calls)
        await place.ways["service"].child.stop()
        service = Service(place.database.parent)
        await service.start()
        done: dict[signal.Signals, list[Restart]] = {signal.SIGTERM: [], signal.SIGKILL: []}
        for number in itertools.chain.from_iterable([tuple(done)] * ROUNDS):
            ended = await service.end(number)
            done[number].append(Restart(ended, *await service.start()))
        await _talking(place, calls)
        place.phones.tell(release=50)
        outcomes = await _ended(place, calls)
        await settled(place)
        await service.end(signal.SIGTERM)
    for number, restarts in done.items():
        print(f"{number.name}, {calls} live calls, {len(restarts)} times, load {os.getloadavg()[0]:.1f}:")
        for name in ("ended", "listening", "ready", "whole"):
            values = sorted(getattr(one, name) for one in restarts)
            print(f"  {name:9} p50 {values[len(values) // 2]:.2f} s, most {values[-1]:.2f} s")
    lost = calls - outcomes.count("completed")
    slow = sorted(one.whole for one in done[signal.SIGTERM])[ROUNDS // 2] > AIM
    print(f"{lost} of {calls} calls lost; {'MISSED' if slow else 'met'}: a restart within {AIM:.0f} s (median)")
    return int(bool(lost) or slow)


async def _bear_silence(place: Town) -> None:
    """Let Asterisk keep calls of phones that send no sound, as these; with the shipped file they would end after a minute."""
    file = place.asterisk.run_dir / "etc/pjsip.conf"
    file.write_text(file.read_text().replace("rtp_timeout = 60", "rtp_timeout = 0"))
    await place.asterisk.cli("module reload res_pjsip.so")


async def _talking(place: Town, calls: int) -> None:
    await _counted(place, calls, "state = 'talking'")


async def _ended(place: Town, calls: int) -> list[str]:
    await _counted(place, calls, "state = 'ended'")
    return place.outcomes(FIRST, calls)


async def _counted(place: Town, calls: int, which: str) -> None:
    """Wait until so many calls are so by their records."""
    end, found = time.monotonic() + READY_WITHIN, 0
    with closing(sqlite3.connect(f"file:{place.database}?mode=ro", uri=True)) as connection:
        while time.monotonic() < end:
            (found,) = connection.execute(f"SELECT count(*) FROM calls WHERE {which}").fetchone()  # noqa: S608
            if found == calls:
                return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{found} of {calls} calls have {which}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
