"""A log is replayed: the same signals at the same moments bring about the same decisions, numbers masked or not."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from c2c_stasis.arilog import AriLog, Settings
from c2c_stasis.arilog.coding import NotReadable, read_signal
from c2c_stasis.arilog.reading import files_of, lines_by_call
from c2c_stasis.call import machine
from c2c_stasis.call.commands import Command
from c2c_stasis.call.machine import step
from c2c_stasis.call.model import Call, Now
from c2c_stasis.call.signals import CallPlaced, LegAnswered, LegCreated, Signal, SwitchRestarted
from c2c_stasis.trace.replay import Decision, NoBeginning, replay
from tests.arilog.test_log import until
from tests.call.stories import A1, ACCEPTED_AT, CALL_ID, CLOCK_ZERO, outward_call
from tests.call.worlds import TEMPERS, Moment, World, random_call
from tests.trace.ladders import answered

HISTORIES = 300


class Life:
    """A call whose every step is written into a log."""

    def __init__(self, call: Call, log: AriLog) -> None:
        self.call = call
        self.steps = 0
        self._log = log

    def hear(self, moment: Moment) -> tuple[Call, tuple[Command, ...]]:
        """What a signal makes of it."""
        before, now = self.call, Now(ACCEPTED_AT + moment.at, CLOCK_ZERO + moment.at)
        made = step(before, moment.signal, now)
        self._log.step(before, moment.signal, now, made)
        self.steps += 1
        self.call = made.call
        return made.call, made.commands


def written(folder: Path, *, full: bool, histories: int = HISTORIES) -> int:
    """Write so many histories of every temper into a log, and give how many steps they have."""
    log = AriLog(Settings(folder, "c2c", 1_000_000_000, full=full), capacity=1_000_000)
    steps = 0
    for number in range(histories):
        rng = Random(number)
        life = Life(random_call(rng), log)
        World(rng, rng.choice(TEMPERS), life.call, life.hear).live()
        if life.call.live:
            life.hear(Moment(1e6, SwitchRestarted()))
        steps += life.steps
    log.close(within=60.0)
    return steps


def replayed(folder: Path) -> list[Decision]:
    warned: list[str] = []
    calls = lines_by_call(files_of(folder), warned.append)
    assert not warned
    return [decision for lines in calls.values() for decision in replay(lines)]


@pytest.mark.parametrize("full", [False, True])
def test_every_decision_of_hundreds_of_disorderly_calls_is_the_same_again(tmp_path: Path, full: bool) -> None:
    steps = written(tmp_path, full=full)
    decisions = replayed(tmp_path)
    assert len(decisions) == steps
    assert [one for one in decisions if one.differences] == []
    assert ("5551234567" in "".join(path.read_text() for path in files_of(tmp_path))) is full


def altered(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the lines of a log."""
    for path in files_of(folder):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            change(line)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def begin(folder: Path, *signals: Signal) -> None:
    log = AriLog(Settings(folder, "c2c", 10_000_000))
    life = Life(outward_call(), log)
    for number, signal in enumerate(signals):
        life.hear(Moment(float(number), signal))
    log.close()


def test_a_decision_that_was_another_one_then_is_found(tmp_path: Path) -> None:
    begin(tmp_path, CallPlaced(), LegCreated(A1))

    def change(line: dict[str, Any]) -> None:
        if line.get("signal", {}).get("is") == "LegCreated":
            line["commands"] = []

    altered(tmp_path, change)
    first, second = replayed(tmp_path)
    assert (first.differences, second.differences) == ([], ["commands"])
    assert second.now["commands"] == [{"is": "DialLeg", "leg_id": A1, "caller": None, "timeout": 35}]
    assert (second.at, second.signal) == (1.0, "LegCreated a1")


def test_rules_that_failed_fail_again_and_rules_that_were_mended_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AriLog(Settings(tmp_path, "c2c", 10_000_000))
    log.broken(outward_call(), LegCreated(A1), Now(ACCEPTED_AT, CLOCK_ZERO), KeyError("a1"))
    log.close()
    (mended,) = replayed(tmp_path)
    assert "error" in mended.differences

    def fail(*_: object) -> None:
        raise KeyError("a1")

    monkeypatch.setattr(machine, "on_created", fail)
    (broken,) = replayed(tmp_path)
    assert (broken.differences, broken.now) == ([], {"error": "KeyError('a1')"})


def signals_of_a_call() -> Iterator[Moment]:
    """What an ordinary call heard, from its acceptance to its end."""
    for line in answered().lines:
        if line["kind"] == "step":
            yield Moment(line["now"]["wall"] - ACCEPTED_AT, read_signal(line["signal"]))


def test_the_rules_are_not_accused_of_what_was_decided_in_lines_that_were_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = threading.Event()
    write = os.write

    def slow(file: int, data: Any) -> int:
        stuck.wait(10)
        return write(file, data)

    monkeypatch.setattr(os, "write", slow)
    log = AriLog(Settings(tmp_path, "c2c", 10_000_000), capacity=5)
    life = Life(outward_call(), log)
    moments = list(signals_of_a_call())
    for moment in moments[:-5]:
        life.hear(moment)
    lost = log.lost
    assert lost > 0
    stuck.set()
    until(lambda: '"kind":"step"' in text_of(tmp_path))
    for moment in moments[-5:]:
        life.hear(moment)
    log.close()
    kinds = [json.loads(line)["kind"] for line in text_of(tmp_path).splitlines()]
    gap = kinds.index("dropped")
    assert (kinds[gap - 1], kinds[gap + 1 : gap + 3]) == ("step", ["call", "step"])
    decisions = replayed(tmp_path)
    assert [one for one in decisions if one.differences] == []
    assert len(decisions) == len(moments) - lost


def text_of(folder: Path) -> str:
    return "".join(path.read_text() for path in files_of(folder))


def test_nor_of_a_step_that_could_not_be_written(tmp_path: Path) -> None:
    log = AriLog(Settings(tmp_path, "c2c", 10_000_000))
    life = Life(outward_call(), log)
    for moment in signals_of_a_call():
        if isinstance(moment.signal, LegAnswered):
            life.call = step(life.call, moment.signal, Now(ACCEPTED_AT + moment.at, CLOCK_ZERO + moment.at)).call
            log.event({"type": object()})  # no JSON
        else:
            life.hear(moment)
    log.close()
    assert [one for one in replayed(tmp_path) if one.differences] == []


def test_a_call_whose_beginning_is_gone_is_not_replayed(tmp_path: Path) -> None:
    begin(tmp_path, CallPlaced())

    def forget(line: dict[str, Any]) -> None:
        if line["kind"] == "call":
            line["kind"] = "gone"

    altered(tmp_path, forget)
    with pytest.raises(NoBeginning):
        replayed(tmp_path)


def test_a_log_of_another_version_is_refused_and_a_cut_line_passed_by(tmp_path: Path) -> None:
    begin(tmp_path, CallPlaced(), LegCreated(A1))
    (path,) = files_of(tmp_path)
    path.write_text(path.read_text()[:-20])
    assert len(replayed(tmp_path)) == 1
    path.write_text(path.read_text().replace('"version":1', '"version":2'))
    with pytest.raises(NotReadable, match="version 2"):
        replayed(tmp_path)
    path.write_text("something else\n")
    with pytest.raises(NotReadable, match="no ARI log"):
        replayed(tmp_path)


def test_a_line_of_unknown_words_is_refused(tmp_path: Path) -> None:
    begin(tmp_path, CallPlaced())

    def rename(line: dict[str, Any]) -> None:
        if line["kind"] == "step":
            line["signal"]["is"] = "LegTeleported"

    altered(tmp_path, rename)
    with pytest.raises(NotReadable, match="LegTeleported"):
        replayed(tmp_path)
    assert list(lines_by_call(files_of(tmp_path), print)) == [CALL_ID]
