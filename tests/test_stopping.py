"""The end of the process comes, whatever hangs."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from c2c_stasis.stopping import EX_STUCK, NOW_WITHIN, STOP_WITHIN, Told, wait_for_calls

WITHIN = 30.0  # seconds; a second is usual
HANGS = "threading.Thread(target=time.sleep, args=(3600,)).start()"  # Python waits for it at its end
BITES = f"import threading, time; from c2c_stasis.stopping import Watchdog; Watchdog().end_within(0.2); {HANGS}"
DISK_HANGS = """
import asyncio, time
from c2c_stasis import stopping
from c2c_stasis.store.sql_store import SqlStore
async def close(self):
    await asyncio.to_thread(time.sleep, 3600)
SqlStore.close, stopping.STOP_WITHIN = close, 0.5
from c2c_stasis.cli import main
main()
"""


def test_a_thread_that_does_not_come_back_keeps_nobody_waiting() -> None:
    ended = subprocess.run([sys.executable, "-c", BITES], timeout=WITHIN, capture_output=True, text=True)
    assert ended.returncode == EX_STUCK
    assert ended.stderr == "c2c-stasis: the end took too long, and was not waited for\n"


def test_nor_does_a_reader_of_the_log_that_stands_still() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writing, True)
    ended = subprocess.run([sys.executable, "-c", BITES], timeout=WITHIN, stderr=writing)
    os.close(reading)
    os.close(writing)
    assert ended.returncode == EX_STUCK


def test_nor_does_a_standard_error_that_was_closed_before() -> None:
    script = f"import sys; sys.stderr = None; {BITES}"  # as Python has it then
    assert subprocess.run([sys.executable, "-c", script], timeout=WITHIN).returncode == EX_STUCK


def test_an_end_that_comes_by_itself_does_not_wait_for_the_watchdog() -> None:
    script = "from c2c_stasis.stopping import Watchdog; Watchdog().end_within(3600)"
    assert subprocess.run([sys.executable, "-c", script], timeout=WITHIN).returncode == 0


def test_a_service_whose_disk_hangs_is_gone_all_the_same(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DISK_HANGS]
    options = ("--ari-password", "-", "--ari-url", "http://127.0.0.1:9", "--listen", "127.0.0.1:0")
    made = [sys.executable, "-m", "c2c_stasis", "init", *options]
    subprocess.run(made, cwd=tmp_path, input=b"secret\n", check=True, capture_output=True)
    service = subprocess.Popen([*command, "serve"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert service.stderr is not None
    for line in service.stderr:
        if "listening" in line:
            break
    service.send_signal(signal.SIGTERM)
    assert service.wait(WITHIN) == EX_STUCK
    service.stderr.close()


def test_told_once_it_has_the_grace_and_told_twice_next_to_nothing() -> None:
    bounds: list[float] = []
    told = Told(bounds.append, lambda: 60.0)
    told.hear()
    assert told.stop.is_set()
    assert not told.now.is_set()
    told.end_in_order()
    told.hear()
    assert told.now.is_set()
    told.end_in_order()
    assert bounds == [60.0 + STOP_WITHIN, STOP_WITHIN, NOW_WITHIN, NOW_WITHIN]


def test_told_while_it_ends_by_itself_it_has_no_more_time_for_that() -> None:
    bounds: list[float] = []
    told = Told(bounds.append, lambda: 60.0)
    told.end_in_order()
    told.hear()
    assert bounds == [STOP_WITHIN]
    told.hear()
    assert bounds == [STOP_WITHIN, NOW_WITHIN]


async def test_nothing_is_told_of_calls_that_nobody_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    other = asyncio.ensure_future(asyncio.sleep(3600))

    async def emptied() -> None:
        return

    await wait_for_calls(emptied, lambda: 0, {other}, 3600.0)
    other.cancel()
    assert "waiting for calls" not in caplog.text
