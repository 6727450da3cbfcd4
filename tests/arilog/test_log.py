"""The log that is written beside the calls: what is in it, what is lost and told, and that nobody waits for it."""

import errno
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from c2c_stasis.arilog import AriLog, Settings
from c2c_stasis.arilog.files import LONGEST, log_files
from c2c_stasis.call.machine import step
from c2c_stasis.call.model import Call, Now
from c2c_stasis.call.signals import CallPlaced, CancelRequested, LegCreated, Signal
from tests.call.stories import A1, A2, ACCEPTED_AT, CALL_ID, CLOCK_ZERO, outward_call

PLENTY = 100_000_000  # bytes


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "ari", "c2c", PLENTY)


@pytest.fixture
def log(settings: Settings) -> Iterator[AriLog]:
    log = AriLog(settings)
    yield log
    log.close()


def lines(settings: Settings) -> list[dict[str, Any]]:
    """All lines that are written, the first of each file left out."""
    read = [json.loads(line) for path in log_files(settings.folder) for line in path.read_text().splitlines()]
    return [line for line in read if line["kind"] != "log"]


def hear(log: AriLog, call: Call, signal: Signal, at: float = 0.5) -> Call:
    now = Now(ACCEPTED_AT + at, CLOCK_ZERO + at)
    made = step(call, signal, now)
    log.step(call, signal, now, made)
    return made.call


def until(ready: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 5
    while not ready():
        assert time.monotonic() < give_up
        time.sleep(0.005)


# --- what is in it ---


def test_each_file_says_what_it_is(log: AriLog, settings: Settings) -> None:
    log.event({"type": "Dial"})
    log.close()
    (path,) = log_files(settings.folder)
    head = json.loads(path.read_text().splitlines()[0])
    assert (head["kind"], head["version"], head["app"], head["numbers"]) == ("log", 1, "c2c", "masked")


def test_where_it_is_written_is_told_before_the_first_call(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        log = AriLog()
        log.use(settings)
        until(lambda: bool(caplog.records))
        assert len(log_files(settings.folder)) == 1
        log.use(replace(settings, folder=Path("/proc/nope")))
        until(lambda: len(caplog.records) == 2)
        log.close()
    told = [(record.getMessage(), vars(record)["folder"]) for record in caplog.records]
    assert told == [("ARI log is written", str(settings.folder)), ("ARI log cannot be written", "/proc/nope")]


def test_a_request_is_told_with_its_answer_and_its_call(log: AriLog, settings: Settings) -> None:
    log.request("POST", f"/ari/channels/{A1}/dial", {"timeout": 35}, 204, b"", ACCEPTED_AT, 0.0042)
    log.request("POST", "/ari/channels/create", {"channelId": A2}, 200, b'{"id":"x"}', ACCEPTED_AT, 0.001)
    log.request("DELETE", f"/ari/channels/{A1}", {}, 404, "Channel not found", ACCEPTED_AT, 0.001)
    log.request("GET", "/ari/bridges", {}, None, "no answer from Asterisk to GET: TimeoutError", ACCEPTED_AT, 3.0)
    log.close()
    dial, create, hang_up, silent = lines(settings)
    assert dial == {
        "n": 2,
        "time": "2023-11-14T22:13:20.000000Z",
        "kind": "request",
        "method": "POST",
        "path": f"/ari/channels/{A1}/dial",
        "call": CALL_ID,
        "parameters": {"timeout": 35},
        "status": 204,
        "ms": 4.2,
    }
    assert (create["call"], create["answer"]) == (CALL_ID, {"id": "x"})
    assert (hang_up["status"], hang_up["message"]) == (404, "Channel not found")
    assert (silent["status"], silent["message"]) == (None, "no answer from Asterisk to GET: TimeoutError")
    assert "call" not in silent


PRETTY = b"""{
  "id": "%s",
  "name": "PJSIP/desk-00000001",
  "lines": [
    15551234567,
    1.5
  ],
  "said": "one\\n  two, and 5551234567"
}
""" % A1.encode()


def test_an_answer_of_many_lines_is_told_on_one(log: AriLog, settings: Settings) -> None:
    """ari.conf may say `pretty = yes`."""
    log.request("POST", "/ari/channels/create", {"channelId": A1}, 200, PRETTY, ACCEPTED_AT, 0.001)
    log.request(
        "POST", "/ari/channels/create", {"channelId": A2}, 200, PRETTY.replace(b"\n", b"\r\n"), ACCEPTED_AT, 0.001
    )
    log.request("GET", "/ari/bridges", {}, 502, b"{ half\n of it", ACCEPTED_AT, 0.001)
    log.close()
    first, second, broken = lines(settings)
    answer = {
        "id": A1,
        "name": "PJSIP/desk-00000001",
        "lines": [15551234567, 1.5],
        "said": "one\n  two, and 5551•••567",
    }
    assert (first["answer"], second["answer"]) == (answer, answer)
    assert (broken["message"], "answer" in broken) == ("{ half\n of it", False)


def test_of_a_long_answer_only_the_length_is_told(log: AriLog, settings: Settings) -> None:
    log.request("GET", "/ari/api-docs/channels.json", {}, 200, b" " * 100_000, ACCEPTED_AT, 0.1)
    log.close()
    (line,) = lines(settings)
    assert line["answer_bytes"] == 100_000


def test_of_a_long_event_only_the_length_is_told(log: AriLog, settings: Settings) -> None:
    log.event({"type": "x" * 100_000}, 100_012)
    log.event("[" * 100_000, 100_000)
    log.close()
    assert [(line["event_bytes"], "event" in line) for line in lines(settings)] == [(100_012, False), (100_000, False)]


def test_whatever_stands_in_an_event_a_line_is_a_line_of_characters_that_can_be_shown(
    log: AriLog, settings: Settings
) -> None:
    bad = "".join(map(chr, range(0x20))) + "\x7f\x80\x9b\u2028\u202e\ufeff"
    log.event({"type": bad[:32]})
    log.event({"type": f"{bad[:32]}\x7f"})
    log.event({"type": bad})
    log.close()
    text = b"".join(path.read_bytes() for path in log_files(settings.folder)).decode()
    assert text.replace("\n", "").isprintable()
    assert [line["event"]["type"] for line in lines(settings)] == [bad[:32], f"{bad[:32]}\x7f", bad]


def test_an_event_is_told_with_its_call_also_when_it_is_not_understood(log: AriLog, settings: Settings) -> None:
    log.event({"type": "Dial", "peer": {"id": A1}, "dialstring": "+15551234567@carrier"})
    log.event({"type": "ContactStatusChange", "endpoint": {"resource": "desk"}})
    log.event("not JSON, and +15551234567")
    log.close()
    dial, contact, text = lines(settings)
    assert (dial["call"], dial["event"]["dialstring"]) == (CALL_ID, "+1555•••4567@carrier")
    assert "call" not in contact
    assert text["event"] == "not JSON, and +1555•••4567"


def test_a_step_is_told_with_its_moment_and_everything_it_decided(log: AriLog, settings: Settings) -> None:
    call = replace_metadata(outward_call())
    placed = hear(log, call, CallPlaced())
    hear(log, placed, LegCreated(A1), 0.75)
    log.close()
    planned, first, second = lines(settings)
    assert planned["planned"]["destination"]["party"]["number"] == "+1555•••4567"
    assert planned["planned"]["metadata"] == {}
    assert (first["state"], first["signal"]) == ("ringing_user", {"is": "CallPlaced"})
    assert second["now"] == {"wall": ACCEPTED_AT + 0.75, "mono": CLOCK_ZERO + 0.75}
    assert second["signal"] == {"is": "LegCreated", "leg_id": A1}
    assert [(one["is"], one["leg_id"]) for one in second["commands"]] == [("DialLeg", A1)]
    assert [one["type"] for one in second["events"]] == ["leg.created"]
    assert second["changed"]["legs"]["a1"]["state"] == "dialled"


def replace_metadata(call: Call) -> Call:
    from msgspec.structs import replace as with_other

    return with_other(call, metadata={"note": "the caller's own"})


def test_every_file_says_what_the_calls_in_it_were_before(settings: Settings) -> None:
    log = AriLog(replace(settings, most=20 * LONGEST))
    call = hear(log, outward_call(), CallPlaced())
    for _ in range(20):
        log.event({"type": "Dial", "filler": "x" * 20_000})
    hear(log, call, LegCreated(A1))
    log.close()
    assert len(log_files(settings.folder)) > 1
    last = [json.loads(line) for line in log_files(settings.folder)[-1].read_text().splitlines()]
    kinds = [line["kind"] for line in last if line["kind"] in ("call", "step")]
    assert kinds == ["call", "step"]


def test_a_line_can_be_looked_at_in_a_terminal(log: AriLog, settings: Settings) -> None:
    text = "\x1b[2J\x9b31m\u202e ann +15551234567 \U000e0001"
    log.event({"type": "Dial", "caller": text})
    log.close()
    (line,) = lines(settings)
    assert line["event"]["caller"] == text.replace("+15551234567", "+1555•••4567")
    (path,) = log_files(settings.folder)
    assert [char for char in path.read_text() if not char.isprintable() and char != "\n"] == []


# --- on and off ---


def test_an_idle_log_is_off_and_has_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    log = AriLog()
    log.event({"type": "Dial"})
    assert (log.on, threading.active_count()) == (False, before)


def test_it_is_switched_on_and_off_while_calls_live(settings: Settings) -> None:
    log = AriLog()
    call = hear(log, outward_call(), CallPlaced())
    log.use(settings)
    call = hear(log, call, LegCreated(A1))
    log.use(None)
    hear(log, call, CancelRequested())
    assert [line["kind"] for line in lines(settings)] == ["call", "step"]
    assert not any(thread.name == "ari log" for thread in threading.enumerate())


def test_other_settings_begin_another_file(log: AriLog, settings: Settings) -> None:
    log.event({"number": "+15551234567"})
    log.use(replace(settings, full=True))
    log.event({"number": "+15551234567"})
    log.close()
    assert [line["event"]["number"] for line in lines(settings)] == ["+1555•••4567", "+15551234567"]


# --- what is lost ---


def test_too_much_at_once_is_dropped_counted_and_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = threading.Event()
    real = os.write

    def slow(file: int, data: Any) -> int:
        stuck.wait(5)
        return real(file, data)

    monkeypatch.setattr(os, "write", slow)
    log = AriLog(settings, capacity=50)
    began = time.monotonic()
    for number in range(1_000):
        log.event({"type": "Dial", "number": number})
    assert time.monotonic() - began < 1.0  # it waited for nothing
    lost = log.lost
    assert 900 <= lost < 1_000
    stuck.set()
    until(lambda: bool(lines(settings)))
    log.event({"type": "Last"})
    log.close()
    told = lines(settings)
    assert sum(line["lines"] for line in told if line["kind"] == "dropped") == lost
    assert len([line for line in told if line["kind"] == "event"]) == 1_000 - lost + 1


def test_a_full_disk_costs_lines_and_is_told_once_and_when_there_is_room_again(
    log: AriLog, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(file: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(os, "write", full)
        for _ in range(5):
            log.event({"type": "Dial"})
        until(lambda: log.lost == 5)
    log.event({"type": "Last"})
    log.close()
    assert [record.getMessage() for record in caplog.records] == ["ARI log cannot be written"]
    assert [(line["kind"], line.get("lines")) for line in lines(settings)] == [("dropped", 5), ("event", None)]


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    log = AriLog(Settings(tmp_path / "file" / "ari", "c2c", PLENTY))
    call = hear(log, outward_call(), CallPlaced())
    until(lambda: log.lost == 1)
    log.close()
    assert call.live
    assert [record.getMessage() for record in caplog.records] == ["ARI log cannot be written"]


def test_what_cannot_be_written_as_json_costs_one_line(
    log: AriLog, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    log.event({"type": object()})
    log.event({"type": "x" * (LONGEST + 1)})  # whoever sends one may send many: it is counted, and no more
    until(lambda: log.lost == 2)
    log.event({"type": "Dial"})
    log.close()
    assert [(line["kind"], line.get("lines")) for line in lines(settings)] == [("dropped", 2), ("event", None)]
    assert [record.getMessage() for record in caplog.records] == ["line of the ARI log not made"]
