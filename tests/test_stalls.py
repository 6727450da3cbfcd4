"""Whoever blocks the event loop is named in the log, once; who comes back in time is not."""

import asyncio
import logging
import time
from collections.abc import Callable

import pytest

from c2c_stasis import stalls
from c2c_stasis.stalls import StallWatch

BLOCKED = "the event loop is blocked"


def block_until(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage() == BLOCKED]


def test_what_blocks_is_named_once_and_what_comes_soon_after_is_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "TELLS_EVERY", 3600.0)
    with StallWatch() as watch:
        watch.expect(0.0)
        block_until(lambda: told(caplog))
        watch.expect(0.0)
        block_until(lambda: watch.not_told)
        assert len(told(caplog)) == 1
        watch.expect(60.0)
        monkeypatch.setattr(stalls, "TELLS_EVERY", 0.0)
        watch.expect(0.0)
        block_until(lambda: len(told(caplog)) == 2)
    first, second = told(caplog)
    assert "block_until (test_stalls.py:" in vars(first)["running"]
    assert vars(first)["late_s"] >= stalls.TOO_LATE
    assert (vars(first)["not_told"], vars(second)["not_told"]) == (0, 1)


async def test_a_loop_that_comes_back_is_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    with StallWatch() as watch:
        for _ in range(5):
            watch.expect(60.0)
            await asyncio.sleep(0.15)
    assert told(caplog) == []
