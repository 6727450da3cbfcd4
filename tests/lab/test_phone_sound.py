"""What scripted phones hear of one another."""

import asyncio
import time
from collections.abc import Callable

import pytest

from c2c_stasis.lab.audio import media_clock
from c2c_stasis.lab.call import CallState
from c2c_stasis.lab.phone import NotSeen, Script
from c2c_stasis.lab.tones import US_BUSY
from tests.lab.phones import pair, start, stop

pytestmark = pytest.mark.usefixtures("nothing_is_left")


async def test_each_side_hears_the_tone_of_the_other_and_no_other() -> None:
    alice, bob = await pair(Script(answer_after=0.0, tone_hz=700))
    placed = alice.dial("1", Script(tone_hz=600), to=bob.address)
    call = await bob.next_call()
    await placed.wait_tone(700)
    await call.wait_tone(600)

    assert (placed.heard(600), call.heard(700)) == (0.0, 0.0)
    assert placed.dominant() == pytest.approx((700,), abs=3)
    assert call.dominant() == pytest.approx((600,), abs=3)
    with pytest.raises(NotSeen, match="heard 600 Hz in"):
        await call.wait_tone(1300, timeout=0.1)
    call.speak(850)
    await placed.wait_tone(850)
    await placed.hang_up()
    await stop(alice, bob)


async def test_a_muted_side_is_heard_as_silence() -> None:
    alice, bob = await pair(Script(answer_after=0.0, tone_hz=700, muted=True))
    placed = alice.dial("1", to=bob.address)
    await placed.wait_answered()
    with pytest.raises(NotSeen, match=r"heard silence in .. packets"):
        await placed.wait_tone(700, timeout=0.4)

    assert placed.heard_sound() == 0.0
    assert placed.heard_silence() == pytest.approx(0.4, abs=0.2)
    await stop(alice, bob)


async def test_early_media_is_heard_before_the_answer() -> None:
    script = Script(progress_after=0.0, early_tone_hz=US_BUSY.hz, cadence=US_BUSY.cadence, tone_hz=700)
    alice, bob = await pair(script)
    placed = alice.dial("1", to=bob.address)
    await placed.wait_pattern(US_BUSY, timeout=4.0)

    assert (placed.state, placed.answered_at) == (CallState.PROGRESS, None)
    call = await bob.next_call()
    await call.answer()
    await placed.wait_tone(700)
    await stop(alice, bob)


async def test_digits_are_pressed_and_read_once() -> None:
    alice, bob = await pair(Script(answer_after=0.0))
    placed = alice.dial("1", to=bob.address)
    await placed.wait_answered()
    call = await bob.next_call()
    placed.press("1#")
    await _until(lambda: call.pressed == "1#")

    assert (call.pressed, placed.pressed) == ("1#", "")
    await stop(alice, bob)


async def _until(ready: Callable[[], bool], timeout: float = 3.0) -> None:
    async with asyncio.timeout(timeout):
        while not ready():  # noqa: ASYNC110 sound wakes nobody
            await asyncio.sleep(0.02)


async def test_ten_percent_loss_and_twenty_milliseconds_of_jitter_are_reported_by_the_other_side() -> None:
    alice = await start("alice", seed=7)
    bob = await start("bob", script=Script(answer_after=0.0))
    placed = [alice.dial("1", Script(tone_hz=600, loss=0.1, jitter=0.03), to=bob.address) for _ in range(20)]
    for one in placed:
        await one.wait_answered()
    await _until(lambda: all(one.audio is not None and len(one.audio.reports) >= 3 for one in placed), 6.0)
    blocks = [one.audio.reports[-1][1] for one in placed if one.audio]
    expected = sum(call.audio.received.expected for call in bob.calls if call.audio)
    lost = sum(call.audio.received.lost for call in bob.calls if call.audio)

    assert lost / expected == pytest.approx(0.1, abs=0.03)
    assert sum(block.fraction_lost for block in blocks) / len(blocks) == pytest.approx(0.1, abs=0.04)
    assert 0.005 < sum(block.jitter_seconds for block in blocks) / len(blocks) < 0.03
    assert all(block.last_sender_report for block in blocks)
    assert min(call.heard(600) for call in bob.calls) > 1.5
    await stop(alice, bob)


async def test_forty_streams_keep_pace() -> None:
    """Twenty calls between two phones are forty streams; each is to have sent what the clock says, within a tenth."""
    alice, bob = await pair(Script(answer_after=0.0, tone_hz=700))
    placed = [alice.dial("1", Script(tone_hz=600), to=bob.address) for _ in range(20)]
    for one in placed:
        await one.wait_answered()
    clock, began, cpu = media_clock(), time.monotonic(), time.process_time()
    before = [stream.sent.packets for call in (*placed, *bob.calls) if (stream := call.audio)]
    await asyncio.sleep(1.5)
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    after = [stream.sent.packets for call in (*placed, *bob.calls) if (stream := call.audio)]

    assert len(after) == 40
    pace = [(b - a) / (wall * 50) for a, b in zip(before, after, strict=True)]
    assert min(pace) > 0.9
    assert max(pace) < 1.1
    assert clock.skipped == 0
    assert cpu / wall < 0.6
    received = [call.audio.received for call in (*placed, *bob.calls) if call.audio]
    assert sum(one.lost for one in received) == 0
    await stop(alice, bob)


async def test_a_process_that_was_late_leaves_packets_out_instead_of_flooding() -> None:
    alice, bob = await pair(Script(answer_after=0.0, tone_hz=700))
    placed = alice.dial("1", to=bob.address)
    await placed.wait_tone(700)
    clock = media_clock()
    time.sleep(0.5)  # noqa: ASYNC251 the fault that this is about
    await _until(lambda: clock.skipped > 0)
    await placed.wait_tone(700, seconds=0.3, since=time.monotonic())

    assert clock.skipped >= 10
    assert clock.worst_delay >= 0.4
    assert placed.audio is not None
    assert placed.audio.received.lost == 0
    await stop(alice, bob)
    assert media_clock() is not clock
