"""Plants faults in the rules of a call, one at a time, and fails unless the tests of `tests/call` catch every one of them.

`planted_policy_faults.py` does the same to the rules of the policy.

Works on a copy in a temporary folder. A fault is one line of the kind that a hurried change leaves behind; the text it takes
the place of must stand in the file exactly once, so that a fault cannot get lost when the rules change.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import SimpleQueue

import click

ROOT = Path(__file__).parents[1]
FAILED = 1  # pytest's exit code when a test failed; every other one but 0 means that the tests could not run
# No plugins: the rules need none, and a run without them begins in a third of the time.
CONFIGURATION = "[pytest]\naddopts = --import-mode=importlib\nfilterwarnings = error\nmarkers = timeout\n"


@dataclass(frozen=True)
class Field:
    """Where faults are planted: the rules, their tests, and which of these are run first and which then."""

    rules: Path
    tests: Path
    runs: tuple[tuple[str, ...], ...]


CALL = Field(
    Path("src/c2c_stasis/call"),
    Path("tests/call"),
    (
        ("--ignore=tests/call/test_histories.py", "--ignore=tests/call/test_diagram.py", "tests/call"),
        ("tests/call/test_histories.py",),
    ),
)


@dataclass(frozen=True)
class Fault:
    """What somebody might have written, in `file`, in place of `right`."""

    file: str
    right: str
    wrong: str
    story: str


FAULTS = [
    Fault(
        "reports.py",
        "winner is not None and not winner.hanging_up:",
        "winner is not None:",
        "whoever hangs up meanwhile is dialled for",
    ),
    Fault("emergency.py", '"test": details.test,', '"test": False,', "a test call alarms everybody"),
    Fault(
        "emergency.py",
        '"address": dict(details.address) or None,',
        '"address": None,',
        "nobody is told where help is needed",
    ),
    Fault(
        "emergency.py",
        "call.caller.number or None,",
        "call.caller.number,",
        "an empty number is told as one to call back",
    ),
    Fault("machine.py", "if not call.live:", "if call.end is not None:", "a call whose end is decided is deaf"),
    Fault("machine.py", "on_ringing(move, leg_id)", "on_progressed(move, leg_id)", "a 180 is taken for a 183"),
    Fault(
        "machine.py",
        "leg.state is not LegState.CREATING:",
        "leg.state is LegState.ENDED:",
        "a lost reply ends a leg that rings",
    ),
    Fault("machine.py", "if status == NO_REPLY:", "if status != NO_REPLY:", "a leg made without a reply is forgotten"),
    Fault("machine.py", " or leg.invited_at is not None:", ":", "a refused dial cancels a leg that was invited"),
    Fault(
        "machine.py",
        "let_go(move, leg, causes.OUT_OF_ORDER)  # its",
        "pass  # its",
        "a leg that was not dialled is kept",
    ),
    Fault("machine.py", " or leg.in_bridge:", ":", "a lost reply of the bridge ends a conversation"),
    Fault("machine.py", "    if status in (400, 422):", "    if True:", "the user is left in silence"),
    Fault("machine.py", "move.at < call.deadline:", "move.at <= call.deadline:", "a timer that is on time is early"),
    Fault(
        "machine.py",
        "release(move, forking.out_of_time(call, Side.A))",
        "release(move, forking.nobody_left(call, Side.A))",
        "phones that rang were not reachable",
    ),
    Fault(
        "machine.py",
        "play_tone(move, forking.out_of_time(call, Side.B))",
        "release(move, forking.out_of_time(call, Side.B))",
        "the user is hung up without a tone",
    ),
    Fault("machine.py", "Reason.MAX_DURATION", "Reason.NORMAL", "the longest duration is no reason"),
    Fault("machine.py", "            release_again(move)", "            pass", "a lost hang-up is never repeated"),
    Fault(
        "machine.py",
        "if move.call.connected_at is not None:",
        "if move.call.answered_at is not None:",
        "a call cancelled while the destination rings is completed",
    ),
    Fault(
        "machine.py", "fail(move, Reason.SERVICE_RESTARTED)", "on_placed(move)", "a phone rings long after the click"
    ),
    Fault(
        "reports.py",
        "if not winner.leaving:",
        "if winner.live:",
        "a user who has hung up talks with a destination that answers too late",
    ),
    Fault("model.py", "self.left_bridge or self.hanging_up", "self.left_bridge", "who has hung up talks"),
    Fault("reports.py", "and not leg.leaving for", "for", "who is about to leave the bridge talks"),
    Fault(
        "reports.py",
        "leg.state is LegState.UP and not leg.hanging_up:",
        "not leg.hanging_up:",
        "who never answered leaves",
    ),
    Fault(
        "ending.py", "_gave_up(leg) if move.call.connected_at is None else", "", "nobody talked, and it is completed"
    ),
    Fault("reports.py", "in_bridge=True, left_bridge=False,", "in_bridge=True,", "who came back is gone for ever"),
    Fault("reports.py", "if call.state is not CallState.ACCEPTED:", "if not call.live:", "a call is placed twice"),
    Fault("reports.py", "move.ask(HangUpLeg(leg.id, causes.NORMAL))", "pass", "a late channel is left behind"),
    Fault(
        "reports.py",
        "    if leg.release_cause is not None:\n        move.ask(HangUpLeg(leg.id, leg.release_cause))  # the first",
        "    if leg.won:\n        move.ask(HangUpLeg(leg.id, causes.NORMAL))  # the first",
        "a phone is dialled after the call was cancelled",
    ),
    Fault("reports.py", "if not forking.forked(move.call, Side.B):", "if leg.won:", "no early media for the user"),
    Fault("reports.py", "caller.id if caller else None", "None", "the destination sees Anonymous"),
    Fault("reports.py", "ceil(timeout) + DIAL_MARGIN", "ceil(timeout)", "Asterisk's timer decides before ours"),
    Fault(
        "reports.py",
        "deadline = move.at + EMERGENCY_LIFETIME if move.call.emergency else move.call.answer_by",
        "deadline = move.call.answer_by",
        "an emergency centre that rings is given up",
    ),
    Fault(
        "reports.py",
        "move.ask(HangUpLeg(leg.id, leg.release_cause))  # the answer",
        "pass  # the answer",
        "a second phone that answered is left alone in a dead call",
    ),
    Fault(
        "reports.py",
        "if leg.state is LegState.UP:\n        return",
        "if False:\n        return",
        "an answer counts twice",
    ),
    Fault(
        "reports.py",
        "let_go(move, loser, causes.ANSWERED_ELSEWHERE)",
        "let_go(move, loser, causes.NORMAL)",
        "losers show a missed call",
    ),
    Fault(
        "reports.py", "        move.ask(StartRingback(leg.id))", "        pass", "silence while several far phones ring"
    ),
    Fault(
        "reports.py", "        move.ask(StopRingback(winner.id))", "        pass", "ringback through the conversation"
    ),
    Fault(
        "reports.py",
        "return all(leg is not None",
        "return any(leg is not None",
        "they talk before both are in the bridge",
    ),
    Fault(
        "reports.py",
        "move.to(CallState.JOINING, move.at + JOIN_WITHIN)",
        "move.to(CallState.JOINING, move.call.deadline)",
        "a bridge that never comes is waited for",
    ),
    Fault(
        "ending.py",
        "forking.hopeful(move.call, leg.side)",
        "forking.hopeful(move.call, Side.A)",
        "a dead trunk lets phones ring on",
    ),
    Fault(
        "ending.py",
        "            if leg.won:\n                release(move, _gave_up(leg) if move",
        "            if leg.id:\n                release(move, _gave_up(leg) if move",
        "a loser ends the conversation",
    ),
    Fault("ending.py", "if leg.live and not leg.released:", "if leg.live:", "a leg is let go twice with two causes"),
    Fault(
        "ending.py",
        "decided = call.end or end",
        "decided = end or call.end",
        "a later reason takes the place of the first",
    ),
    Fault(
        "ending.py",
        "    if not any(leg.live for leg in move.call.legs):\n        finish(move)",
        "    finish(move)",
        "a call ends while legs live",
    ),
    Fault(
        "ending.py",
        "if rounds >= RELEASE_ROUNDS:",
        "if rounds > RELEASE_ROUNDS:",
        "a leg that never ends keeps the record open longer",
    ),
    Fault("ending.py", "        move.ask(DestroyBridge())", "        pass", "bridges are left behind"),
    Fault("ending.py", "if not forking.hopeful(move.call, Side.B):", "if True:", "one busy far phone stops the others"),
    Fault("forking.py", "if leg.can_win)", "if leg.live)", "the winner is let go with the losers"),
    Fault(
        "forking.py",
        "for leg in call.side(side)) > 1",
        "for leg in call.side(side)) >= 1",
        "a single destination is not prepared",
    ),
    Fault(
        "forking.py", "leg.can_win or leg.state is LegState.PLANNED", "leg.can_win", "a call gives up before it begins"
    ),
    Fault(
        "recovery.py",
        "    for leg in gone:\n        on_ended(move, LegEnded(leg.id))",
        "    pass",
        "a leg that is gone is waited for",
    ),
    Fault(
        "recovery.py",
        "call.limits.ring_timeout if call.emergency else SETS",
        "SETS",
        "who asked for help is not rung after a restart",
    ),
    Fault("recovery.py", "inf if call.emergency else _attempt", "_attempt", "a restart hangs up who waits for help"),
    Fault("recovery.py", "never_made and call.emergency", "False", "help is asked for and given up at once"),
    Fault(
        "recovery.py",
        "call.on_any_failure and call.routes and not any(",
        "False and not any(",
        "a trunk that failed unheard ends a call for help",
    ),
    Fault("recovery.py", "and not before.emergency", "", "a call for help ends in doubt after a restart"),
    Fault("recovery.py", " and _undecided(move.call, before, found):", " and False:", "silence after a restart"),
    Fault("recovery.py", "    _correct(move, found)\n", "", "a destination that nobody dialled is waited for"),
    Fault(
        "recovery.py", "            dial_destination(move, leg, winner)", "            pass", "silence after a restart"
    ),
    Fault(
        "recovery.py", " or leg.id in found.dialled\n", "\n", "a silent destination is dialled twice after a restart"
    ),
    Fault(
        "recovery.py",
        " or _waits_in_vain(call, found):",
        ":",
        "a destination rings for somebody who has waited in silence",
    ),
    Fault(
        "recovery.py",
        "            again.hang_up(move, leg, leg.release_cause)",
        "            pass",
        "a loser rings on after a lost connection",
    ),
    Fault(
        "recovery.py",
        "deadline=move.at + JOIN_WITHIN",
        "deadline=move.call.deadline",
        "a long restart cuts off who answered",
    ),
    Fault("recovery.py", "    if move.at > _soon(call):", "    if False:", "a phone rings a minute after the click"),
    Fault(
        "recovery.py",
        "leg.state is LegState.CREATING and leg.can_win and leg.id in missing",
        "leg.can_win and leg.id in missing",
        "who refused is called again after a restart",
    ),
    Fault("recovery.py", "    _trust(move, found)", "    pass", "a destination is dialled twice after a restart"),
    Fault("recovery.py", "        finish(move)", "        pass", "a restart of Asterisk leaves calls half ended"),
    Fault(
        "causes.py",
        "if rang else (Outcome.FAILED, Reason.TRUNK_FAILED)",
        "if rang is not None else (Outcome.FAILED, Reason.TRUNK_FAILED)",
        "a dead trunk is a destination that did not answer",
    ),
    Fault("machine.py", "    again.ask_what_is_due(move)", "    pass", "a lost hang-up or join is never repeated"),
    Fault(
        "machine.py",
        "fail(move, Reason.SWITCH_LOST)\n        case JoinLeg",
        "fail(move, Reason.INTERNAL_ERROR)\n        case JoinLeg",
        "a silent Asterisk is our own fault",
    ),
    Fault(
        "again.py",
        "again_at=move.at + HANG_UP_AGAIN, asked_in_vain=0",
        "asked_in_vain=0",
        "a loser rings on while the others talk",
    ),
    Fault(
        "again.py",
        "again_at=move.at + JOIN_AGAIN, asked_in_vain=0",
        "asked_in_vain=0",
        "the bridge forgets a leg for as long as it likes",
    ),
    Fault("again.py", "2 ** (leg.asked_in_vain + 1)", "1", "what is in vain is asked as often for ever"),
    Fault("again.py", ", LONGEST_PAUSE)", ", 1e9)", "asking again is put off for hours"),
    Fault(
        "again.py",
        "if leg.again_at is not None and leg.asked_in_vain and",
        "if leg.again_at is not None and",
        "who is about to enter the bridge is hurried",
    ),
    Fault(
        "again.py",
        "again_at=move.at + JOIN_AGAIN))  # it left",
        "again_at=None))  # it left",
        "who fell out of the bridge stays outside",
    ),
    Fault(
        "again.py",
        "    if move.call.state is CallState.RELEASING:\n        return",
        "    if False:\n        return",
        "two rhythms of hanging up at a time",
    ),
    Fault(
        "reports.py",
        "        move.to(CallState.RINGING_DESTINATION, deadline)\n        again.join_now(move)",
        "        move.to(CallState.RINGING_DESTINATION, deadline)",
        "ringback waits for the next attempt",
    ),
    Fault(
        "reports.py",
        "    again.join_now(move)\n    if not winner",
        "    if not winner",
        "the destination answers to nobody",
    ),
    Fault(
        "reports.py",
        "again_at = leg.again_at if leg.released else None",
        "again_at = None",
        "a loser in the bridge is left there",
    ),
    Fault(
        "reports.py",
        "again_at = leg.again_at if leg.released else None",
        "again_at = leg.again_at",
        "who is in the bridge is put there again",
    ),
    Fault(
        "ending.py",
        "winner = move.set(replace(winner, again_at=None))",
        "winner = move.set(winner)",
        "a tone is disturbed by the bridge",
    ),
    Fault(
        "ending.py",
        "sip_code = sip_code if declined else None",
        "sip_code = sip_code",
        "a status that nobody sent is recorded",
    ),
    Fault(
        "ending.py",
        "leg.dialled and not leg.released and",
        "leg.dialled and",
        "a cancelled phone has a status of its own",
    ),
    Fault("ending.py", "        if not leg.dialled:", "        if False:", "a phone that never rang has declined"),
    Fault("recovery.py", "    _both_left(move, gone)", "    pass", "who hung up is guessed"),
    Fault(
        "attempts.py", "if call.on_any_failure or not", "if not", "an emergency call is given up with its first trunk"
    ),
    Fault("attempts.py", " or not ended.dialled:", ":", "a trunk that Asterisk does not know ends the call"),
    Fault("attempts.py", "if ended.alerted or", "if", "a destination that rang is called again"),
    Fault("attempts.py", " or ended.answered_at is not None:", ":", "who answered too late is called again"),
    Fault(
        "attempts.py",
        "return end.reason in causes.NEXT_ROUTE_AFTER",
        "return True",
        "who is busy is called again through the next trunk",
    ),
    Fault("attempts.py", "routes=tuple(others))", ")", "a trunk is tried for ever"),
    Fault("attempts.py", "if call.answered_at is not None:", "if False:", "a late attempt is cut short"),
    Fault(
        "attempts.py",
        "return min(at + call.limits.attempt_timeout, answer_by)",
        "return answer_by",
        "a silent trunk is waited for",
    ),
    Fault(
        "attempts.py",
        "at + call.limits.attempt_timeout, answer_by",
        "at + call.limits.attempt_timeout, at + call.limits.answer_timeout",
        "every trunk has the time to answer anew",
    ),
    Fault("attempts.py", "if leg.can_win and not leg.alerted else None", "", "a silent trunk is let go for ever"),
    Fault("attempts.py", "or not call.emergency:", "or call.id:", "an emergency call has no time for its next trunk"),
    Fault("attempts.py", "if leg.trusted else", "if True else", "a hidden number is told to a trunk that tells it"),
    Fault("attempts.py", "    if not call.anonymous:", "    if not call.routes:", "who wants to be anonymous is shown"),
    Fault(
        "machine.py",
        "case CallState.JOINING if _may_join_yet(call, move.at):",
        "case CallState.JOINING if False:",
        "help is hung up",
    ),
    Fault(
        "machine.py", "            again.join_all(move)\n", "", "who called for help is not put into the bridge again"
    ),
    Fault("machine.py", "    if move.call.emergency:\n", "    if False:\n", "help is hung up for a bridge"),
    Fault(
        "machine.py",
        "            if not move.call.emergency:  #",
        "            if True:  #",
        "no help without a bridge",
    ),
    Fault(
        "machine.py", "call.emergency and call.state is CallState.TALKING", "False", "a fault of ours hangs up on help"
    ),
    Fault("machine.py", "    attempts.wait(move)", "    pass", "a trunk that never ends is waited for at full speed"),
    Fault("reports.py", "attempts.note_alert(move, leg)", "pass", "who rang at the last moment is called twice"),
    Fault("reports.py", ", progressed_at=move.at)", ")", "an announcement of the carrier is called again"),
    Fault(
        "recovery.py", "    _stay_on_this_route(move, found, gone)\n", "", "who may have rung unheard is called again"
    ),
    Fault("recovery.py", "max(answered_at, leg.begun_at)", "answered_at", "a kill between two trunks ends the call"),
    Fault("forking.py", " and leg.device_id)", ")", "the second trunk is kept out of the bridge"),
    Fault("forking.py", "last = legs[-1]", "last = legs[0]", "the first trunk tells why the last one failed"),
    Fault("move.py", "max(0.0, now.mono - call.clock_zero)", "now.wall - call.accepted_at", "the wall clock decides"),
]


class Nursery:
    """Copies of the package and its tests, one for each worker, in which faults are planted."""

    def __init__(self, field: Field, folder: Path, workers: int) -> None:
        self._field = field
        self._free: SimpleQueue[Path] = SimpleQueue()
        for number in range(workers):
            self._free.put(_copy(field, folder / str(number)))

    def catch(self, fault: Fault | None) -> tuple[str, float]:
        """Which test catches this fault, empty if none, and in how many seconds. Raises `ClickException` if none could run."""
        home = self._free.get()
        begun = time.monotonic()
        target = home / self._field.rules / (fault.file if fault else "__init__.py")
        sound = target.read_text()
        try:
            if fault is not None:
                _write(target, sound.replace(fault.right, fault.wrong))
            caught = next(filter(None, (_run(home, tests) for tests in self._field.runs)), "")
        finally:
            _write(target, sound)
            self._free.put(home)
        return caught, time.monotonic() - begun


def _write(target: Path, text: str) -> None:
    """Write a file with a time of its own: Python knows compiled files by whole seconds, and ours change more often."""
    stamp = next(_stamps)
    target.write_text(text)
    os.utime(target, (stamp, stamp))


_stamps = count(1_000_000_000)


def _copy(field: Field, home: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", home / "src", ignore=ignored)
    shutil.copytree(ROOT / field.tests, home / field.tests, ignore=ignored)
    for file in ("__init__.py", "conftest.py"):
        shutil.copy(ROOT / "tests" / file, home / "tests")
    (home / "pytest.ini").write_text(CONFIGURATION)
    return home


def _run(home: Path, tests: tuple[str, ...]) -> str:
    """The first test that fails, empty if all pass."""
    environment = os.environ | {
        "PYTHONPATH": str(home / "src"),  # before the working tree, which is installed in the environment
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "--assert=plain",
        "--tb=no",
        "-rfE",
        *tests,
    ]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    failure = next((line for line in done.stdout.splitlines() if line.startswith("FAILED ")), None)
    if done.returncode != FAILED or failure is None:
        raise click.ClickException(f"the tests could not run:\n{done.stdout}{done.stderr}")
    return failure.split(" - ")[0].rpartition("::")[2]


def _check_texts(field: Field, faults: Sequence[Fault]) -> None:
    for fault in faults:
        found = (ROOT / field.rules / fault.file).read_text().count(fault.right)
        if found != 1:
            raise click.ClickException(
                f"{fault.file}: {fault.right!r} stands there {found} times: plant {fault.story!r} anew"
            )


def plant(field: Field, faults: Sequence[Fault], workers: int) -> bool:
    """Plant each fault and tell who caught it; whether all were caught. Raises `ClickException` when it could not be tried."""
    _check_texts(field, faults)
    begun = time.monotonic()
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="c2c-faults-") as folder, ThreadPoolExecutor(workers) as pool:
        nursery = Nursery(field, Path(folder), workers)
        trials = pool.map(nursery.catch, (None, *faults))
        if caught := next(trials)[0]:
            raise click.ClickException(f"{caught} fails without any fault")
        for fault, (catcher, seconds) in zip(faults, trials, strict=True):
            survivors += not catcher
            click.echo(f"{seconds:5.1f} s  {fault.file:12} {fault.story:62} {catcher or 'SURVIVED'}")
    click.echo(f"{len(faults) - survivors} of {len(faults)} faults caught in {time.monotonic() - begun:.0f} s")
    return not survivors


@click.command(help=__doc__)
@click.option("--workers", default=os.cpu_count() or 2, show_default=True, help="How many faults are tried at a time.")
def main(workers: int) -> None:
    sys.exit(not plant(CALL, FAULTS, workers))


if __name__ == "__main__":
    main()
