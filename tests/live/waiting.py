"""Waiting for what must become true; every wait has a deadline and says what it waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

POLL = 0.02  # seconds between two looks
GENEROUS = 30.0  # seconds; what comes at all comes in a fraction of it, but a machine may stand still for a while


async def until(ready: Callable[[], bool], what: str, within: float = GENEROUS) -> None:
    """Wait until `ready`; raises `AssertionError` after `within` seconds."""

    async def ask() -> bool:
        return ready()

    await eventually(ask, bool, what, within)


async def eventually(
    ask: Callable[[], Awaitable[T]], good: Callable[[T], bool], what: str, within: float = GENEROUS
) -> T:
    """Ask again and again until the answer is good, and give it; raises `AssertionError` with the last answer."""
    clock = asyncio.get_running_loop().time
    give_up = clock() + within
    while True:
        answer = await ask()
        if good(answer):
            return answer
        assert clock() < give_up, f"waited {within} s for {what}, in vain; the last answer: {answer!r}"
        await asyncio.sleep(POLL)
