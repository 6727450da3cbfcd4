"""Several things at once: all are done, or the first that fails ends the others and is told."""

import asyncio

import pytest

from c2c_stasis.together import all_of


async def fail(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error


async def test_it_is_over_when_all_are_done() -> None:
    done: list[int] = []

    async def one(number: int) -> None:
        await asyncio.sleep(0.001 * number)
        done.append(number)

    await all_of(one(number) for number in (3, 1, 2))
    assert done == [1, 2, 3]
    await all_of([])


async def test_the_first_failure_ends_the_others_and_is_raised_when_they_have_ended() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append("long")

    with pytest.raises(OSError, match="first"):
        await all_of([long(), fail(OSError("first")), long()])
    assert ended == ["long", "long"]


async def test_of_two_failures_at_a_time_the_first_job_is_told() -> None:
    with pytest.raises(OSError, match="first"):
        await all_of([fail(OSError("first")), fail(ValueError("second"))])


async def test_who_is_cancelled_cancels_them_all() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("long")

    waiting = asyncio.create_task(all_of([long(), long()]))
    await asyncio.sleep(0.001)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert ended == ["long", "long"]


async def test_a_timeout_works_after_a_failure() -> None:
    async def story() -> None:
        with pytest.raises(OSError, match="first"):
            await all_of([fail(OSError("first"))])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)

    await asyncio.create_task(story())
