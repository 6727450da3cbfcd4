"""Several things at once, of which the first failure is the failure of all."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def all_of(jobs: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of these beside each other. When one fails the others are cancelled, and its error is raised when they have ended.

    In place of `asyncio.TaskGroup`: until Python 3.11.3 a task whose group has failed counts as cancelled from then on, and the
    next `asyncio.timeout` that expires in it ends the task instead of raising `TimeoutError` (Debian 12 has 3.11.2).
    """
    tasks = [asyncio.ensure_future(job) for job in jobs]
    if not tasks:
        return
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    failed = [task for task in tasks if task in done and not task.cancelled() and task.exception() is not None]
    for task in failed:
        task.result()
