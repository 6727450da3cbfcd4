"""One call's runner: one signal at a time, commands beside them, and the record first where that matters."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from c2c_stasis.call import machine
from c2c_stasis.call.commands import Command, CreateBridge, CreateLeg, DestroyBridge, DialLeg, HangUpLeg, JoinLeg
from c2c_stasis.call.events import EventType
from c2c_stasis.call.machine import step
from c2c_stasis.call.model import Call, CallState, Now
from c2c_stasis.call.signals import (
    NO_REPLY,
    CallPlaced,
    CancelRequested,
    CommandRefused,
    DeadlinePassed,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegInvited,
    LegJoined,
    LegRinging,
    Signal,
)
from c2c_stasis.errors import StoreUnavailable, SwitchRefused, SwitchUnavailable
from c2c_stasis.ids import LegId
from c2c_stasis.ports import StoredEvent
from c2c_stasis.publish.envelope import Envelopes
from c2c_stasis.service.orders import OVERTAKES_AFTER
from c2c_stasis.service.runner import DEAF_PATIENCE, DIALLED_WITHIN, PATIENCE, RECORD_WITHIN, TRUNK_HINT, Runner
from tests.call.stories import A1, A2, B1, RING, created, outward_call
from tests.fakes.ari_log import KeptLog
from tests.fakes.clock import Clock, standing_clock
from tests.fakes.store import MemoryStore
from tests.fakes.switch import FakeSwitch

pytestmark = pytest.mark.asyncio(loop_scope="function")


class Bench(MemoryStore, FakeSwitch):
    """A runner between a store and a switch of which each does only what a test says.

    `log` is what they were asked, in order; `takes` how long a command or `"record"` takes, `fails` how it fails.
    """

    clock: Clock
    task: asyncio.Task[None]

    def __init__(self, clock: Clock) -> None:
        MemoryStore.__init__(self)
        self.clock = clock
        self.log: list[str] = []
        self.takes: dict[object, float] = {}
        self.fails: dict[object, Exception] = {}
        self.touch = True
        self.signals: list[Signal] = []
        self.within: dict[CallState, float] = {}  # how long the last record of each state could wait

    async def record(self, call: Call, events: Sequence[StoredEvent], *, within: float = 0.0) -> None:
        self.within[call.state] = within
        await self._do("record", f"record {call.state}")

    async def execute(self, call: Call, command: Command) -> None:
        await self._do(type(command), told(command))

    async def _do(self, kind: object, what: str) -> None:
        self.log.append(what)
        await asyncio.sleep(self.takes.get(kind, 0.0))
        self.log.append(f"{what} done")
        if kind in self.fails:
            raise self.fails[kind]

    def begin(self, *signals: Signal, devices: int = 2) -> Runner:
        """A runner of a placed call, with these signals waiting."""
        now = self.clock.now()
        call = step(_on(outward_call(devices), now), CallPlaced(), now).call
        self.runner = runner = Runner(
            call, store=self, switch=self, publisher=Envelopes(), clock=self.clock, in_touch=lambda: self.touch
        )
        genuine = runner.put

        def put(signal: Signal) -> None:
            self.signals.append(signal)
            genuine(signal)

        runner.put = put  # type: ignore[method-assign]  # what it tells itself is of interest
        for signal in signals:
            runner.put(signal)
        self.task = asyncio.create_task(runner.run())
        return runner

    def begin_anew(self, devices: int = 2) -> tuple[Command, ...]:
        """A runner that begins with the commands of the first step, which are given back."""
        now = self.clock.now()
        first = step(_on(outward_call(devices), now), CallPlaced(), now)
        self.runner = Runner(
            first.call, store=self, switch=self, publisher=Envelopes(), clock=self.clock, in_touch=lambda: True
        )
        self.task = asyncio.create_task(self.runner.run(first.commands))
        return first.commands

    def state(self) -> CallState:
        """Where the call is."""
        return self.runner.call.state

    def begun(self) -> list[str]:
        """What was begun, without the ends of it and without records."""
        return [line for line in self.log if not line.endswith(" done") and not line.startswith("record")]


def told(command: Command) -> str:
    leg = getattr(command, "leg_id", "").rpartition(".")[2]
    return f"{type(command).__name__} {leg}".strip()


def _on(call: Call, now: Now) -> Call:
    return replace(call, accepted_at=now.wall, clock_zero=now.mono)


@pytest_asyncio.fixture(loop_scope="function")
async def bench() -> AsyncIterator[Bench]:
    with standing_clock() as clock:
        bench = Bench(clock)
        yield bench
        bench.task.cancel()
        await asyncio.wait({bench.task})


ANSWERED = [*created(A1, A2, B1), LegInvited(A1), LegRinging(A1), LegAnswered(A1)]


# --- one signal at a time ---


async def test_a_signal_does_not_wait_for_the_commands_of_the_last(bench: Bench) -> None:
    bench.takes[DialLeg] = 1.0
    bench.begin(LegCreated(A1), CancelRequested())
    await bench.clock.settle()
    assert bench.state() is CallState.RELEASING
    assert bench.begun() == ["DialLeg a1", "HangUpLeg a2", "HangUpLeg b1"]


async def test_commands_for_several_legs_are_carried_out_at_the_same_time(bench: Bench) -> None:
    bench.takes = dict.fromkeys((JoinLeg, DialLeg, HangUpLeg), 1.0)
    runner = bench.begin(*created(A1, A2, B1), LegJoined(B1), LegInvited(A1), LegRinging(A1))
    await bench.clock.advance(2.0)
    bench.log.clear()
    runner.put(LegAnswered(A1))
    await bench.clock.settle()
    assert set(bench.begun()) == {"HangUpLeg a2", "JoinLeg a1", "DialLeg b1"}


async def test_commands_for_one_leg_are_carried_out_one_after_the_other(bench: Bench) -> None:
    """A destination whose channel appears after the answer joins the bridge, and only then is dialled."""
    bench.takes[JoinLeg] = 0.5
    runner = bench.begin(LegCreated(A1), LegInvited(A1), LegAnswered(A1), LegJoined(A1), devices=1)
    await bench.clock.advance(1.5)
    bench.log.clear()
    runner.put(LegCreated(B1))
    await bench.clock.advance(0.9)
    assert [line for line in bench.log if "record" not in line] == [
        "JoinLeg b1",
        "JoinLeg b1 done",
        "DialLeg b1",
        "DialLeg b1 done",
    ]


async def test_commands_of_later_steps_wait_for_those_of_their_leg_too(bench: Bench) -> None:
    """The destination's channel was reported before the switch said that it is in the bridge."""
    bench.takes[JoinLeg] = 0.8
    bench.begin(*created(A1, B1), LegAnswered(A1), devices=1)
    await bench.clock.advance(0.7)
    assert "DialLeg b1" not in bench.begun()
    await bench.clock.advance(0.2)
    assert bench.begun()[-1] == "DialLeg b1"


async def test_no_leg_enters_the_bridge_before_it_is_made(bench: Bench) -> None:
    bench.takes[CreateBridge] = 0.8
    bench.begin_anew(devices=1)
    await bench.clock.settle()
    bench.runner.put(LegCreated(B1))
    await bench.clock.advance(0.7)
    assert "JoinLeg b1" not in bench.begun()
    await bench.clock.advance(0.2)
    assert bench.begun()[-1] == "JoinLeg b1"


async def test_a_hung_command_delays_nothing_but_its_own_leg(bench: Bench) -> None:
    """A user who cancels while `addChannel` hangs: the carrier, which rings, is let go at once."""
    bench.takes[JoinLeg] = 6.0
    runner = bench.begin(*created(A1), LegAnswered(A1), devices=1)
    await bench.clock.settle()
    bench.takes[JoinLeg] = 0.0
    runner.put(LegCreated(B1))
    await bench.clock.settle()
    assert bench.begun() == ["DialLeg a1", "JoinLeg a1", "JoinLeg b1", "DialLeg b1"]
    runner.put(CancelRequested())
    await bench.clock.settle()
    assert bench.state() is CallState.RELEASING
    assert bench.begun()[-1] == "HangUpLeg b1"


async def test_a_hang_up_waits_for_its_leg_only_so_long_and_takes_the_place_of_what_waits(bench: Bench) -> None:
    bench.takes[JoinLeg] = 6.0
    bench.begin(*created(A1, B1), LegAnswered(A1), CancelRequested(), devices=1)
    await bench.clock.advance(OVERTAKES_AFTER - 0.01)
    assert bench.begun() == ["DialLeg a1", "JoinLeg b1", "JoinLeg a1"]
    await bench.clock.advance(0.02)
    assert sorted(bench.begun()[3:]) == ["HangUpLeg a1", "HangUpLeg b1"]
    await bench.clock.advance(6.0)
    assert "DialLeg b1" not in bench.begun()


async def test_what_waits_already_is_not_asked_twice(bench: Bench) -> None:
    bench.takes[JoinLeg] = 6.0
    bench.begin(*created(A1, B1), LegJoined(B1), LegAnswered(A1), devices=1)
    await bench.clock.advance(5.9)  # asked again after one second and after three
    assert bench.begun().count("JoinLeg a1") == 1
    await bench.clock.advance(0.2)
    assert bench.begun().count("JoinLeg a1") == 2
    await bench.clock.advance(0.9)
    assert bench.begun().count("JoinLeg a1") == 2


async def test_a_runner_lives_until_its_last_command_is_carried_out(bench: Bench) -> None:
    bench.takes[DestroyBridge] = 1.0
    bench.begin(CancelRequested(), LegEnded(A1), LegEnded(A2), LegEnded(B1))
    await bench.clock.advance(0.9)
    assert bench.state() is CallState.ENDED
    assert not bench.task.done()
    await bench.clock.advance(0.2)
    assert bench.task.done()


async def test_a_runner_that_is_stopped_leaves_no_command_behind(bench: Bench) -> None:
    bench.takes[DialLeg] = 1.0
    before = asyncio.all_tasks()
    bench.begin(LegCreated(A1))
    await bench.clock.advance(0.5)
    bench.task.cancel()
    await bench.clock.settle()
    assert asyncio.all_tasks() == before
    assert "DialLeg a1 done" not in bench.log


# --- records ---


async def test_a_destination_is_dialled_when_its_record_is_written(bench: Bench) -> None:
    bench.takes["record"] = RECORD_WITHIN / 2
    bench.begin(*ANSWERED)
    await bench.clock.advance(10.0)
    written = bench.log.index(f"record {CallState.DIALLING_DESTINATION} done")
    assert written < bench.log.index("DialLeg b1")


async def test_a_destination_is_dialled_though_its_record_hangs(bench: Bench) -> None:
    bench.takes["record"] = 1_000.0
    bench.begin(*ANSWERED)
    await bench.clock.advance(RECORD_WITHIN - 0.01)
    assert "DialLeg b1" not in bench.log
    await bench.clock.advance(0.02)
    assert "DialLeg b1" in bench.log


async def test_a_hang_up_does_not_wait_for_a_record_that_hangs(bench: Bench) -> None:
    bench.takes["record"] = 1_000.0
    bench.begin(*created(A1, A2, B1), LegInvited(A1), LegInvited(A2), LegAnswered(A1))
    await bench.clock.advance(RECORD_WITHIN / 2)
    assert [line for line in bench.begun() if line in ("HangUpLeg a2", "DialLeg b1")] == ["HangUpLeg a2"]
    await bench.clock.advance(RECORD_WITHIN)
    assert [line for line in bench.begun() if line in ("HangUpLeg a2", "DialLeg b1")] == ["HangUpLeg a2", "DialLeg b1"]


async def test_the_phones_of_the_user_are_dialled_without_waiting(bench: Bench) -> None:
    bench.takes["record"] = 1_000.0
    bench.begin(LegCreated(A1))
    await bench.clock.settle()
    assert "DialLeg a1" in bench.log


async def test_only_what_is_acted_upon_is_recorded_at_once(bench: Bench) -> None:
    bench.begin(*created(A1, A2, B1), LegInvited(A1))
    await bench.clock.advance(0.1)
    assert bench.within == {CallState.RINGING_USER: PATIENCE}
    bench.runner.put(LegAnswered(A1))
    await bench.clock.advance(0.1)
    assert bench.within == {CallState.RINGING_USER: PATIENCE, CallState.DIALLING_DESTINATION: 0.0}


async def test_that_a_device_is_dialled_is_recorded_before_it_can_ring(bench: Bench) -> None:
    bench.begin(LegCreated(B1), LegCreated(A1))
    await bench.clock.advance(0.1)
    assert bench.within == {CallState.RINGING_USER: DIALLED_WITHIN}


async def test_what_is_told_to_those_who_follow_is_recorded_at_once(bench: Bench) -> None:
    bench.begin(*created(A1, A2, B1), LegInvited(A1))
    bench.runner._followed = lambda: True
    await bench.clock.advance(0.1)
    assert bench.within == {CallState.RINGING_USER: PATIENCE}  # of legs one reads later
    bench.runner.put(LegRinging(A1))
    await bench.clock.advance(0.1)
    assert bench.within == {CallState.RINGING_USER: 0.0}


async def test_what_changes_nothing_is_not_recorded(bench: Bench) -> None:
    stranger = LegId("call_01h2xcejqtf2nbrexx3vqjhp42.a1")
    bench.begin(LegRinging(A1), LegEnded(stranger), LegJoined(stranger), DeadlinePassed())
    await bench.clock.settle()
    assert bench.log == []


async def test_a_runner_lives_until_its_last_record_is_written(bench: Bench) -> None:
    bench.takes["record"] = 1.0
    bench.begin(CancelRequested(), LegEnded(A1), LegEnded(A2), LegEnded(B1))
    await bench.clock.advance(0.9)
    assert bench.state() is CallState.ENDED
    assert not bench.task.done()
    await bench.clock.advance(0.5)
    assert bench.task.done()


async def test_waiting_for_records_has_an_end(bench: Bench) -> None:
    bench.takes["record"] = 1_000.0
    runner = bench.begin(LegCreated(A1))
    await bench.clock.settle()
    waiting = asyncio.create_task(runner.recorded())
    await bench.clock.advance(RECORD_WITHIN + 0.01)
    assert waiting.done()


async def test_a_runner_that_is_stopped_gives_its_records_no_end(bench: Bench) -> None:
    bench.takes["record"] = 1.0
    bench.begin(LegCreated(A1))
    await bench.clock.settle()
    bench.task.cancel()
    await bench.clock.advance(1.1)
    assert bench.task.cancelled()
    assert f"record {CallState.RINGING_USER} done" in bench.log


# --- deadlines ---


async def test_a_deadline_passes_when_it_is_due_and_not_before(bench: Bench) -> None:
    bench.begin(LegCreated(A1))
    await bench.clock.advance(RING - 0.01)
    assert bench.state() is CallState.RINGING_USER
    await bench.clock.advance(0.02)
    assert bench.state() is CallState.RELEASING


async def test_a_signal_that_is_there_when_the_deadline_passes_comes_first(bench: Bench) -> None:
    """The user answered in the last moment: the timer has fired, and its news is not heard yet."""
    runner = bench.begin(LegCreated(A1), LegInvited(A1))
    await bench.clock.settle()
    asyncio.get_running_loop().call_later(RING + 1e-7, runner.put, LegAnswered(A1))
    await bench.clock.advance(RING + 0.1)
    assert bench.state() is CallState.DIALLING_DESTINATION


async def test_what_got_lost_is_asked_again_before_the_deadline(bench: Bench) -> None:
    bench.begin(*created(A1, B1), LegJoined(B1), LegAnswered(A1), devices=1)
    await bench.clock.advance(0.9)
    assert bench.begun().count("JoinLeg a1") == 1
    await bench.clock.advance(0.2)
    assert bench.begun().count("JoinLeg a1") == 2
    assert bench.state() is CallState.DIALLING_DESTINATION


async def test_out_of_touch_nothing_is_asked_again(bench: Bench) -> None:
    bench.touch = False
    bench.begin(*created(A1, B1), LegJoined(B1), LegAnswered(A1), devices=1)
    await bench.clock.advance(5.0)
    assert bench.begun().count("JoinLeg a1") == 1


async def test_a_deadline_that_moves_counts_from_anew(bench: Bench) -> None:
    runner = bench.begin(LegCreated(A1), LegCreated(B1))
    await bench.clock.advance(RING - 1.0)
    runner.put(LegAnswered(A1))
    await bench.clock.advance(10.0)
    assert bench.state() is CallState.DIALLING_DESTINATION


async def test_out_of_touch_a_deadline_waits_and_a_signal_does_not(bench: Bench) -> None:
    runner = bench.begin(LegCreated(A1))
    bench.touch = False
    await bench.clock.advance(RING + 10.0)
    assert bench.state() is CallState.RINGING_USER
    runner.put(LegAnswered(A1))
    await bench.clock.settle()
    assert bench.state() is CallState.DIALLING_DESTINATION


async def test_out_of_touch_a_deadline_does_not_wait_for_ever(bench: Bench) -> None:
    bench.touch = False
    bench.begin(LegCreated(A1))
    await bench.clock.advance(RING + DEAF_PATIENCE - 0.1)
    assert bench.state() is CallState.RINGING_USER
    await bench.clock.advance(0.2)
    assert bench.state() is CallState.RELEASING


async def test_what_is_being_released_does_not_wait_to_be_heard(bench: Bench) -> None:
    bench.touch = False
    bench.begin(CancelRequested())
    await bench.clock.advance(10.0)
    assert bench.state() is CallState.ENDED


# --- commands that fail ---


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        (SwitchRefused(422, "Channel not in Stasis application"), 422, "Channel not in Stasis application"),
        (SwitchUnavailable("no answer"), NO_REPLY, "no answer"),
        (KeyError("x"), NO_REPLY, "KeyError('x')"),
    ],
)
async def test_a_command_that_fails_is_a_signal(bench: Bench, failure: Exception, status: int, message: str) -> None:
    bench.fails[DialLeg] = failure
    bench.begin(LegCreated(A1))
    await bench.clock.settle()
    assert bench.signals[1:] == [CommandRefused(DialLeg(A1, None, 35), status, message)]


async def test_a_command_that_fails_hinders_no_other_of_its_step(bench: Bench) -> None:
    bench.fails = dict.fromkeys((HangUpLeg, DestroyBridge), SwitchUnavailable("no answer"))
    bench.begin(CancelRequested())
    await bench.clock.settle()
    assert bench.begun() == ["HangUpLeg a1", "HangUpLeg a2", "HangUpLeg b1"]


async def test_only_what_nobody_knew_is_told_with_a_traceback(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.fails[DialLeg] = SwitchRefused(409, "no")
    bench.begin(LegCreated(A1))
    await bench.clock.settle()
    assert not [record for record in caplog.records if record.exc_info]
    bench.fails[HangUpLeg] = KeyError("x")
    bench.signals.clear()
    await bench.clock.advance(RING + 1.0)
    assert [record.levelno for record in caplog.records if record.exc_info][:1] == [logging.ERROR]


# --- the story in the log ---


async def test_the_story_of_a_call_is_told_at_info_and_the_rest_at_debug(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="c2c_stasis.service.runner")
    bench.begin(*ANSWERED, LegInvited(B1), LegAnswered(B1))
    await bench.clock.settle()
    events = {event.value for event in EventType}
    story = [(record.message, record.levelname) for record in caplog.records if record.message in events]
    assert ("call.ringing", "INFO") in story
    assert ("call.answered", "INFO") in story
    assert all(level == "DEBUG" for message, level in story if message.startswith("leg."))
    assert all(getattr(record, "call_id", "") for record in caplog.records)


async def test_a_trunk_s_leg_that_asterisk_cannot_make_says_what_may_be_wrong_and_the_end_is_a_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="c2c_stasis.service.runner")
    bench.fails[CreateLeg] = SwitchRefused(500, "Allocation failed")
    bench.begin_anew()
    await bench.clock.settle()
    hints = {
        record.__dict__["endpoint"].partition("@")[2]: record.__dict__.get("hint")
        for record in caplog.records
        if record.message == "command refused"
    }
    assert hints == {"carrier": TRUNK_HINT, "": None}


async def test_an_end_that_somebody_must_mend_is_a_warning_and_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="c2c_stasis.service.runner")
    bench.begin(*ANSWERED, LegEnded(A2, 26), LegInvited(B1), LegEnded(B1, 38))
    await bench.clock.settle()
    bench.runner.put(LegEnded(A1, 16))
    await bench.clock.settle()
    bench.begin(CancelRequested(), LegEnded(A1, 26), LegEnded(A2, 26), LegEnded(B1, 16))
    await bench.clock.settle()
    ends = [(record.__dict__["reason"], record.levelname) for record in caplog.records if record.message == "call.end"]
    assert ends == [("trunk_failed", "WARNING"), ("cancelled_by_api", "INFO")]


async def test_a_created_call_asks_for_its_bridge_and_its_legs_first(bench: Bench) -> None:
    commands = bench.begin_anew()
    await bench.clock.settle()
    assert {type(command) for command in commands} == {CreateBridge, CreateLeg}
    assert sorted(bench.begun()) == ["CreateBridge", "CreateLeg a1", "CreateLeg a2", "CreateLeg b1"]


# --- the ARI log ---


async def test_what_our_own_code_failed_at_is_in_the_ari_log_and_the_call_is_given_up_there_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a1")

    monkeypatch.setattr(machine, "on_created", fail)
    monkeypatch.setattr(machine, "fail", fail)
    lines: list[dict[str, Any]] = []
    runner = bench.begin(LegCreated(A1))
    runner._ari_log = KeptLog(lines)
    await bench.clock.until(lambda: not runner.call.live, "the end of the call")
    steps = [line for line in lines if line["kind"] == "step"]
    assert {line.get("error") for line in steps[:-1]} == {"KeyError('a1')"}
    assert steps[-1]["signal"] is None
    assert steps[-1]["changed"]["end"]["reason"] == "internal_error"


async def test_records_that_are_delayed_are_told_once_until_one_is_in_time(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def told_of() -> int:
        return sum(line.levelno == logging.ERROR for line in caplog.records if line.getMessage() == "record delayed")

    bench.fails["record"] = StoreUnavailable("the disk is full")
    runner = bench.begin(*created(A1, A2, B1))
    await bench.clock.advance(1.0)
    runner.put(LegInvited(A1))
    runner.put(LegRinging(A1))
    await bench.clock.advance(1.0)
    assert told_of() == 1
    bench.fails.clear()
    runner.put(LegInvited(A2))
    await bench.clock.advance(1.0)
    assert not runner.behind
    bench.fails["record"] = StoreUnavailable("the disk is full")
    runner.put(LegRinging(A2))
    await bench.clock.advance(1.0)
    assert told_of() == 2
