"""What the demonstration shows: sets the stage, places one call, judges it by ear, and leaves all running for more."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c2c_stasis.errors import first_of
from c2c_stasis.lab.demo.stage import Stage
from c2c_stasis.lab.demo.timeline import HOLD_BACK, Screen
from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.printable import printable

ENDED_WITHIN = 90.0  # seconds; the first call takes 6
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BY_SIGNAL = 128  # what a shell adds to the signal's number

HINTS = """\
All keeps running until Ctrl-C, and calls that you place appear here. Paste into another terminal:

{curl}

Or be a phone yourself: {page_url} in a browser on this machine. Click Call, answer in the page, and listen.

Other numbers: 1002 is Bob; +15557654321 answers; one that ends in 486 is busy, in 603 declines, in 404 is unknown.
Records: {base_url}/v1/calls/<id from Location> and …/events, with the same two headers.\
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    once: bool = False
    mute: str | None = None
    env_file: Path | None = None
    mirror: str | None = None
    cache: Path | None = None


def run(options: Options) -> int:
    """Show it, and give the exit status: 0, or 1 when the first call did not do all that it should.

    Raises `LaboratoryError` when something that is needed is not there.
    """
    return asyncio.run(_Show(options).run())


class _Show:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._screen = Screen()
        self._status: int | None = None
        self._started = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        stop: asyncio.Future[signal.Signals] = loop.create_future()

        def end(number: signal.Signals) -> None:
            if not stop.done():
                stop.set_result(number)

        for number in SIGNALS:
            # Under nohup a closed terminal is to be survived; a shell's background job ignores only SIGINT.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, end, number)
        work = loop.create_task(self._perform())
        gone = loop.create_task(self._screen.gone.wait())
        ends: set[asyncio.Future[Any]] = {work, stop, gone}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            self._screen.say("\nstopping" + (" the service, the phones and Asterisk" if self._started else ""))
            work.cancel()
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await work
        if self._status is not None:
            return self._status
        return BY_SIGNAL + (stop.result() if stop.done() else signal.SIGPIPE)

    async def _perform(self) -> None:
        options, screen = self._options, self._screen
        installation = await obtain(cache=options.cache, mirror=options.mirror, progress=screen.say)
        self._started = True
        with _first_of_group():
            async with (
                Stage(installation, screen, mute=options.mute, env=options.env_file, page=not options.once) as stage,
                asyncio.TaskGroup() as group,
            ):
                keeping = group.create_task(stage.keep_alive())
                if options.once:
                    stage.write_env()
                self._status = await self._first_call(stage)
                if options.once:
                    keeping.cancel()
                    return
                stage.write_env()
                screen.say(HINTS.format(curl=stage.curl, base_url=stage.base_url, page_url=stage.page_url))

    async def _first_call(self, stage: Stage) -> int:
        """Place it, wait for its end, and say how it went; the exit status."""
        call_id = await stage.place_call()
        try:
            async with asyncio.timeout(ENDED_WITHIN):
                record = await stage.records[call_id]
        except TimeoutError:
            problem: str | None = f"the call did not end within {ENDED_WITHIN:.0f} s"
        else:
            if record["outcome"] == "completed":
                problem = stage.deaf_side(record)
            else:
                problem = f"the call ended as {record['outcome']} ({record['reason']}) and not as completed"
        await asyncio.sleep(2 * HOLD_BACK)  # for what the phones heard last
        stage.timeline.flush()
        if problem is None:
            self._screen.say("\nDone: the call was completed, and each end heard the other's tone.\n")
            return 0
        if self._options.once:
            print(printable(f"c2c-stasis demo: {problem}", also="\n"), file=sys.stderr)
        else:
            self._screen.say(f"\nFAILED: {problem}.\n")
        return 1


@contextmanager
def _first_of_group() -> Iterator[None]:
    """Let a group of errors out as the first of them."""
    try:
        yield
    except ExceptionGroup as errors:
        error = first_of(errors, LaboratoryError, OSError)
        if error is None:
            raise
        raise error from None
