"""Letting something run until somebody ends it: Ctrl-C, SIGTERM, a closed terminal, or nobody reads any more."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from c2c_stasis.lab.demo.timeline import Screen

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_told(work: Coroutine[Any, Any, None], screen: Screen) -> None:
    """Run this until it ends by itself or we are told to end it; it is then cancelled, and gives back what it has.

    What it raises by itself is passed on.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in SIGNALS:
        # Under nohup a closed terminal is to be survived.
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, told.set)
    running = asyncio.create_task(work)
    ends = [asyncio.create_task(told.wait()), asyncio.create_task(screen.gone.wait())]
    await asyncio.wait({running, *ends}, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    if not running.done():
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running
