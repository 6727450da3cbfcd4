"""The parts of the demonstration that need no Asterisk: the order of its lines, what they say, and the file for scripts."""

import asyncio
import io
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from c2c_stasis.lab.demo import env_file
from c2c_stasis.lab.demo.onlooker import Onlooker
from c2c_stasis.lab.demo.record import describe, winner
from c2c_stasis.lab.demo.service_process import environment
from c2c_stasis.lab.demo.timeline import Screen, Timeline
from c2c_stasis.lab.phone import Phone, Script
from tests.live.waiting import until

Lines = Callable[[], list[str]]


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def timeline(stream: io.StringIO) -> Timeline:
    return Timeline(Screen(stream))


@pytest.fixture
def lines(stream: io.StringIO, timeline: Timeline) -> Lines:
    def read() -> list[str]:
        timeline.flush()
        return [" ".join(line.split()) for line in stream.getvalue().splitlines() if line]

    return read


# --- the timeline ---


def test_lines_stand_in_the_order_of_time_and_count_from_the_request(timeline: Timeline, lines: Lines) -> None:
    timeline.note(100.5, "desk", "rings")
    timeline.note(100.0, "API", "POST", begins=True)
    timeline.note(101.25, "desk", "answers")

    assert lines() == ["0.000 s API POST", "0.500 s desk rings", "1.250 s desk answers"]


def test_a_request_while_a_call_lives_does_not_move_the_zero_and_one_after_its_end_does(
    timeline: Timeline, lines: Lines
) -> None:
    timeline.note(10.0, "API", "POST one", begins=True)
    timeline.note(11.0, "API", "POST two", begins=True)
    timeline.note(12.0, "call", "one ended", ends=True)
    timeline.note(13.0, "call", "two ended", ends=True)
    timeline.note(20.0, "API", "POST three", begins=True)

    assert [line.split()[0] for line in lines()] == ["0.000", "1.000", "2.000", "3.000", "0.000"]


def test_while_two_calls_live_and_until_none_does_each_line_has_the_number_of_its_call(
    timeline: Timeline, stream: io.StringIO, lines: Lines
) -> None:
    timeline.note(10.0, "API", "POST one", of="call_1", begins=True)
    timeline.note(10.1, "desk", "INVITE", of="dialog-1", rouses=True)
    timeline.note(11.0, "API", "POST two", of="call_2", begins=True)
    timeline.note(11.1, "bob", "INVITE", of="dialog-2")
    timeline.belongs("dialog-1", "call_1")
    timeline.belongs("dialog-2", "call_2")
    timeline.note(12.0, "call", "ended", of="call_1", ends=True)
    timeline.note(12.1, "desk", "BYE", of="dialog-1")
    timeline.note(12.2, "carrier", "INVITE", of="dialog-3")
    timeline.note(13.0, "call", "ended", of="call_2", ends=True)
    timeline.note(20.0, "API", "POST three", of="call_3", begins=True)

    assert lines() == [
        "0.000 s API POST one",
        "0.100 s desk INVITE",
        "1.000 s [2] API POST two",
        "1.100 s [2] bob INVITE",
        "2.000 s [1] call ended",
        "2.100 s [1] desk BYE",
        "2.200 s carrier INVITE",
        "3.000 s [2] call ended",
        "0.000 s API POST three",
    ]
    assert "s      carrier  INVITE" in stream.getvalue()


def test_a_repeated_request_for_a_call_counts_as_no_second_call(timeline: Timeline, lines: Lines) -> None:
    for at in (10.0, 11.0):
        timeline.note(at, "API", "POST", of="call_1", begins=True)
    timeline.note(12.0, "call", "ended", of="call_1", ends=True)
    timeline.note(20.0, "API", "POST", of="call_2", begins=True)

    assert lines() == ["0.000 s API POST", "1.000 s API POST", "2.000 s call ended", "0.000 s API POST"]


def test_a_first_invite_begins_a_new_clock_when_the_demonstration_placed_no_call(
    timeline: Timeline, stream: io.StringIO, lines: Lines
) -> None:
    """Another service uses this Asterisk: its requests are not seen, its INVITEs are."""
    timeline.note(10.0, "API", "POST", begins=True)
    timeline.note(10.1, "desk", "INVITE", rouses=True)
    timeline.note(12.0, "call", "ended", ends=True)
    timeline.note(30.0, "desk", "INVITE", rouses=True)
    timeline.note(30.5, "desk", "rings")

    assert [line.split()[0] for line in lines()] == ["0.000", "0.100", "2.000", "0.000", "0.500"]
    assert "\n\n    0.000 s  desk     INVITE\n" in stream.getvalue()


async def test_the_first_phone_of_a_call_begins_it_and_the_others_belong_to_it(
    timeline: Timeline, stream: io.StringIO
) -> None:
    onlooker = Onlooker(timeline, {})
    async with (
        await Phone.start("desk", script=Script(ring_after=0.0), on_message=onlooker.see) as desk,
        await Phone.start("bob", script=Script(ring_after=0.0), on_message=onlooker.see) as bob,
        await Phone.start("caller") as caller,
    ):
        for _ in range(2):
            first = caller.dial("desk", to=(desk.host, desk.port))
            await first.wait_ringing()
            second = caller.dial("bob", to=(bob.host, bob.port))
            await second.wait_ringing()
            await first.hang_up()
            await second.hang_up()
            await desk.wait_for(lambda: not desk.calls[-1].live, "the end")
            await bob.wait_for(lambda: not bob.calls[-1].live, "the end")

    timeline.flush()
    first_lines = [call.strip().split("\n")[0].split() for call in stream.getvalue().split("\n\n")]
    assert [line[2:4] for line in first_lines] == [["desk", "INVITE,"]] * 2


async def test_lines_are_held_back_until_earlier_ones_can_have_come(timeline: Timeline, stream: io.StringIO) -> None:
    clock = asyncio.get_running_loop().time
    printing = asyncio.create_task(timeline.run())
    timeline.note(clock(), "desk", "later")
    timeline.note(clock() - 0.05, "API", "earlier")

    await until(lambda: "later" in stream.getvalue(), "the later line")
    printing.cancel()

    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["earlier", "later"]


def test_when_nobody_reads_any_more_the_rest_is_dropped_and_it_is_known() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    screen = Screen(Closed())
    screen.say("one")
    screen.say("two")

    assert screen.gone.is_set()


# --- what is seen on the wire ---


async def test_a_call_between_phones_is_told_once_a_line_and_each_hears_the_other(
    timeline: Timeline, lines: Lines
) -> None:
    onlooker = Onlooker(timeline, {"desk": 800.0, "caller": 1000.0})
    script = Script(ring_after=0.0, answer_after=0.05, hang_up_after=0.8, tone_hz=800.0)
    async with (
        await Phone.start("desk", script=script, on_message=onlooker.see) as desk,
        await Phone.start("caller") as caller,
    ):
        placed = caller.dial("desk", Script(tone_hz=1000.0), to=(desk.host, desk.port))
        await desk.wait_for(lambda: bool(desk.calls) and not desk.calls[0].live, "the end")
        await placed.wait_ended()
        await asyncio.sleep(0.15)  # one more look of the ear
        await onlooker.stop()

        assert [line.partition(" s ")[2] for line in lines()] == [
            "desk INVITE, shows caller caller",
            "desk rings",
            "desk answers",
            "desk hears caller's tone, 1000 Hz",
            "desk hangs up, BYE",
        ]
        assert desk.calls[0].heard(1000.0) > 0.3


async def test_a_refusal_and_a_cancelled_call_are_told(timeline: Timeline, lines: Lines) -> None:
    onlooker = Onlooker(timeline, {})
    async with (
        await Phone.start("desk", script=Script(ring_after=0.0), on_message=onlooker.see) as desk,
        await Phone.start("caller") as caller,
    ):
        desk.queue.append(Script(reject=486))
        await caller.dial("desk", to=(desk.host, desk.port)).wait_ended()
        ringing = caller.dial("desk", to=(desk.host, desk.port))
        await ringing.wait_ringing()
        await ringing.hang_up()
        await desk.wait_for(lambda: len(desk.calls) == 2 and not desk.calls[1].live, "the end")

    assert [line.partition(" s ")[2] for line in lines()] == [
        "desk INVITE, shows caller caller",
        "desk refuses: 486 Busy Here",
        "desk INVITE, shows caller caller",
        "desk rings",
        "desk stops ringing, CANCEL",
    ]


# --- what the service logs ---


def test_the_log_of_the_service_becomes_lines(timeline: Timeline, lines: Lines) -> None:
    onlooker = Onlooker(timeline, {})
    request = {"message": "request", "method": "POST", "path": "/v1/calls", "ms": 10.0}

    onlooker.hear({"time": "2026-11-23T08:00:00.010Z", **request, "status": 202, "call_id": "call_1"})
    onlooker.hear({"time": "2026-11-23T08:00:00.011Z", "message": "call accepted", "level": "info"})
    onlooker.hear({"time": "2026-11-23T08:00:01.000Z", **request, "status": 404})
    onlooker.hear({"time": "2026-11-23T08:00:02.000Z", "message": "call.answered"})
    end = {"outcome": "completed", "reason": "normal", "ended_by": "user"}
    onlooker.hear({"time": "2026-11-23T08:00:03.000Z", "message": "call.end", **end})

    assert lines() == [
        "0.000 s API POST /v1/calls: 202 Accepted in 10 ms, Location: /v1/calls/call_1",
        "0.990 s API POST /v1/calls: 404 Not Found in 10 ms",
        "2.000 s call bridged: both sides are joined",
        "3.000 s call ended: completed, reason normal, by user",
    ]


def test_the_record_is_told_in_words() -> None:
    blank = {"ring_delay_ms": None, "hangup_cause": None, "sip_code": None, "state": "ended", "won": False}
    record: dict[str, Any] = {
        "id": "call_1",
        "status": "busy",
        "outcome": "busy",
        "reason": "destination_busy",
        "ended_by": "destination",
        "from_number": None,
        "to_number": "+15557650486",
        "direction": "outbound",
        "timings": {"user_ringing_ms": 120, "user_answered_ms": 1020, "connected_ms": None},
        "legs": [
            {**blank, "side": "a", "device": "desk", "outcome": "answered", "won": True, "ring_delay_ms": 98},
            {**blank, "side": "a", "device": "mobile", "outcome": "answered_elsewhere", "hangup_cause": 26},
            {**blank, "side": "b", "device": None, "outcome": "busy", "sip_code": 486},
        ],
    }

    assert describe(record).splitlines()[1:] == [
        "  status    busy; outcome busy, reason destination_busy, ended by destination",
        "  numbers   no number called +15557650486 (outbound)",
        "  times     user rings 0.12 s, answers 1.02 s",
        "  desk      answered, rang 98 ms after its INVITE",
        "  mobile    answered elsewhere, Q.850 cause 26",
        "  carrier   busy, SIP 486",
    ]
    assert (winner(record, "a"), winner(record, "b")) == ("desk", None)


# --- for scripts ---


@pytest.mark.parametrize("place", ["no/such/folder/demo.env", "."])
def test_a_file_for_scripts_that_cannot_be_written_is_said_before_anything_starts(place: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "c2c_stasis", "demo", "--env", place], capture_output=True, text=True, timeout=30
    )

    assert done.returncode == 2
    assert "--env" in done.stderr
    assert done.stdout == ""


def test_the_file_for_scripts_is_quoted_private_and_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "demo.env"
    env_file.write(path, {"C2C_API_KEY": "old"})
    env_file.write(path, {"C2C_API_KEY": "it's $HOME `id`", "C2C_SERVICE_PID": 12})

    read = subprocess.run(
        ["sh", "-c", '. "$0"; printf "%s|%s" "$C2C_API_KEY" "$C2C_SERVICE_PID"', str(path)],
        capture_output=True,
        text=True,
    )
    assert read.stdout == "it's $HOME `id`|12"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["demo.env"]


def test_the_service_is_not_configured_by_the_environment_of_the_demonstration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2C_ARI__URL", "http://elsewhere")
    monkeypatch.setenv("C2C_KEPT", "yes")

    given = environment()

    assert "C2C_ARI__URL" not in given
    assert (given["C2C_KEPT"], given["C2C_LOG__FORMAT"]) == ("yes", "json")
