"""Waiting for something in real time, with a deadline."""

import asyncio
import time
from collections.abc import Callable

WITHIN = 5.0  # seconds


async def until(ready: Callable[[], object], what: str, within: float = WITHIN) -> None:
    """Wait until something is so; fails when it is not in time."""
    give_up = time.monotonic() + within
    while not ready():
        assert time.monotonic() < give_up, f"{what}: not within {within} s"
        await asyncio.sleep(0.001)
