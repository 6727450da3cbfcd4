"""One line a record, nothing secret in it, and nobody waits for it."""

import io
import json
import logging
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from c2c_stasis import logs

CANARY_KEY = "sk_live_CANARYCANARYCANARYCANARYCANARY1"
CANARY_NUMBER = "+15551234567"

logger = logging.getLogger("c2c_stasis.tests.logs")


@contextmanager
def logging_to(stream: Any, level: str = "info", style: str = "text", capacity: int = 1000) -> Iterator[logs.LogSink]:
    sink = logs.start(level, style, stream, capacity=capacity)
    try:
        yield sink
    finally:
        sink.stop()


def written(style: str, *args: Any, level: int = logging.INFO, **extra: Any) -> str:
    """The line that one record becomes, without its end."""
    stream = io.StringIO()
    with logging_to(stream, "debug", style):
        logger.log(level, *args, extra=extra)
    return stream.getvalue().removesuffix("\n")


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+15551234567", "+1555•••4567"),
        ("+442079460018", "+4420•••0018"),
        ("15551234567", "1555•••4567"),
        ("5551234567", "5551•••567"),
        ("(555) 123-4567", "5551•••567"),
        ("+1 555 123 4567", "+1555•••4567"),
        ("+1234567", "+12•••67"),
        ("1001", "1001"),
        ("911", "911"),
        ("", ""),
        ("nobody", "nobody"),
        ("sip:+15551234567@pbx", "sip:+1555•••4567@pbx"),
        ("PJSIP/15551234567@carrier", "PJSIP/1555•••4567@carrier"),
        ("/v1/calls?to=%2B15551234567", "/v1/calls?to=+1555•••4567"),
    ],
)
def test_numbers_are_masked(number: str, masked: str) -> None:
    assert logs.mask_number(number) == masked
    assert logs.mask_number(masked) == masked


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"got {CANARY_KEY}!", "got sk_live_•••!"),
        ("whsec_MfKQ9r8GKYqrTwjU", "whsec_•••"),
        (f"Authorization: Bearer {CANARY_KEY}", "Authorization: Bearer •••"),
        ("bearer  abc.def", "bearer  •••"),
        (r'{"a":"{\"Authorization\": \"Bearer abc.def1\"}"}', r'{"a":"{\"Authorization\": \"Bearer •••\"}"}'),
        (r'"get \"http://x/?api_key=u:p\" failed"', r'"get \"http://x/?api_key=•••\" failed"'),
        ("Authorization: Basic dXNlcjpwdw==", "Authorization: Basic •••"),
        ("basic training", "basic training"),
        ("ws://pbx/ari/events?api_key=user:pw&app=c2c", "ws://pbx/ari/events?api_key=•••&app=c2c"),
        ("http://user:pw@pbx/ari", "http://•••@pbx/ari"),
        ("http://pbx:8088/ari", "http://pbx:8088/ari"),
        ("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln", "eyJ•••"),
        ("call_01h2xcejqtf2nbrexx3vqjhp41 2026-11-23", "call_01h2xcejqtf2nbrexx3vqjhp41 2026-11-23"),
        ("risk_assessment task_list", "risk_assessment task_list"),
    ],
)
def test_secrets_are_redacted(text: str, redacted: str) -> None:
    assert logs.redact(text) == redacted


def test_a_text_line() -> None:
    line = written(
        "text", "leg answered", call_id="call_1", after_s=4.2, why="two words", none=None, quote='"', empty=""
    )
    time, rest = line.split(" ", 1)
    assert rest == (
        'INFO    tests.logs: leg answered call_id=call_1 after_s=4.2 why="two words" none=null quote="\\"" empty=""'
    )
    assert time.endswith("Z")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()) < 5


def test_names_in_a_list_stand_between_commas_and_anything_else_is_quoted() -> None:
    line = written(
        "text", "read", changed=["calls.ring_timeout", "trunks"], none=[], other=["a b", "c"], mixed=["a", 1]
    )

    assert line.endswith(r' changed=calls.ring_timeout,trunks none=[] other="[\"a b\", \"c\"]" mixed="[\"a\", 1]"')


def test_a_json_line() -> None:
    fields = json.loads(
        written("json", "leg %s", "answered", call_id="call_1", after_s=4.2, time="mine", tags=["a", 1])
    )
    assert fields.pop("time").endswith("Z")
    assert fields == {
        "level": "info",
        "logger": "c2c_stasis.tests.logs",
        "message": "leg answered",
        "call_id": "call_1",
        "after_s": 4.2,
        "time_": "mine",
        "tags": ["a", 1],
    }


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_canary_leaves(style: str) -> None:
    stream = io.StringIO()
    with logging_to(stream, "debug", style):
        logger.info("to %s with %s", CANARY_NUMBER, CANARY_KEY)
        logger.info(
            "x", extra={"number": "5551234567", "to_number": "+1 (555) 123-4567", "dial_string": "555.123.4567"}
        )
        logger.info(
            "x",
            extra={
                "any": CANARY_NUMBER,
                "token": "plain",
                "ari_password": "plain",
                "headers": {"Authorization": "plain"},
            },
        )
        logger.info(
            "x", extra={"url": "http://u:plain@h/?api_key=u:plain", "list": [CANARY_NUMBER, {"secret": "plain"}]}
        )
        try:
            raise ValueError(CANARY_NUMBER, f"Bearer {CANARY_KEY}")
        except ValueError:
            logger.exception("failed")
    text = stream.getvalue()
    assert text.count("\n") >= 5
    for canary in (CANARY_NUMBER, CANARY_KEY, "CANARYC", "5551234567", "123-4567", "123.4567", "plain"):
        assert canary not in text


@pytest.mark.parametrize("style", ["text", "json"])
def test_nobody_writes_a_second_line_through_ours(style: str) -> None:
    line = written(style, "path\n2026 ERROR forged\x1b[2J", path="/x\r\nforged\u2028", turned="\u202e")
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_a_traceback_stands_on_lines_of_its_own_in_text_and_in_one_field_in_json() -> None:
    streams = {style: io.StringIO() for style in ("text", "json")}
    for style, stream in streams.items():
        with logging_to(stream, style=style):
            try:
                raise KeyError("gone")
            except KeyError:
                logger.exception("failed", extra={"call_id": "call_1"})
    first, *trace = streams["text"].getvalue().splitlines()
    assert first.endswith("ERROR   tests.logs: failed call_id=call_1")
    assert trace[0] == "    Traceback (most recent call last):"
    assert trace[-1] == "    KeyError: 'gone'"
    assert json.loads(streams["json"].getvalue())["exception"].endswith("KeyError: 'gone'")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("formatter", [logs.TextFormatter(), logs.JsonFormatter()])
def test_a_bad_record_costs_its_own_line_and_nothing_else(formatter: logs.LineFormatter) -> None:
    def line(**fields: Any) -> str:
        return formatter.format(logging.makeLogRecord({"name": "there", "lineno": 7, "levelname": "INFO"} | fields))

    assert "log line lost" in line(msg="%d", args=("no number",))
    assert "there:7" in line(msg="bad extra", bad=Unprintable())
    assert "\\udcff" in line(msg="surrogate \udcff", header="\udcff")


def test_levels_are_ours_for_our_own_and_warning_for_others() -> None:
    stream = io.StringIO()
    httpx = logging.getLogger("httpx").level
    with logging_to(stream, "debug"):
        logger.debug("ours")
        logging.getLogger("httpx").info("http://pbx/ari?api_key=u:p")
        logging.getLogger("aiosqlite").debug("theirs")
        logging.getLogger("aiosqlite").warning("heard")
    logger.warning("after the end")
    assert [line.split(": ")[1] for line in stream.getvalue().splitlines()] == ["ours", "heard"]
    assert logging.getLogger("httpx").level == httpx


def test_a_line_that_cannot_be_queued_counts_as_dropped() -> None:
    with logging_to(io.StringIO()) as sink:
        (hand,) = (handler for handler in logging.getLogger().handlers if type(handler).__module__ == logs.__name__)
        hand.setFormatter(Raising())
        logger.info("never written")
        assert sink.dropped == 1


class Raising(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        raise RuntimeError


class StuckStream(io.StringIO):
    """A stream whose reader has stopped reading."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.reached = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.go_on.wait(30)
        return super().write(text)


def test_a_stuck_stream_loses_lines_and_counts_them() -> None:
    stream = StuckStream()
    with logging_to(stream, capacity=10) as sink:
        logger.info("first")
        assert stream.reached.wait(5)
        for number in range(25):
            logger.info("more", extra={"number_": number})
        assert sink.dropped == 15
        stream.go_on.set()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 12
    assert lines[1].endswith("WARNING logs: log lines dropped lines=15")


def test_stopping_does_not_wait_for_a_stuck_stream_for_ever() -> None:
    stream = StuckStream()
    sink = logs.start("info", "text", stream, capacity=1)
    logger.info("first")
    assert stream.reached.wait(5)
    logger.info("second")
    sink.stop()
    sink.stop()
    stream.go_on.set()


class BrokenStream(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_broken_stream_stops_nothing_and_its_lines_are_counted() -> None:
    with logging_to(BrokenStream()) as sink:
        logger.info("to nobody")
    assert sink.dropped == 1
    closed = io.StringIO()
    closed.close()
    with logging_to(closed) as sink:
        logger.info("to nobody")
    assert sink.dropped == 1


def test_without_standard_error_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)  # as Python has it when it was closed before
    sink = logs.start()
    logger.info("to nobody")
    sink.stop()
    assert sink.dropped == 1


def test_a_full_disk_loses_whole_lines_counts_them_and_tells_of_them_when_there_is_room(tmp_path: Path) -> None:
    file = tmp_path / "log"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with file.open("a") as stream, logging_to(stream) as sink:
        logger.info("first")
        wait_until(lambda: file.stat().st_size > 0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 10, limits[1]))
        try:
            logger.info("second")
            wait_until(lambda: sink.dropped == 1)
            logger.info("third")
            wait_until(lambda: sink.dropped == 2)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        logger.info("fourth")
    first, torn, told, fourth = file.read_text().splitlines()
    assert first.endswith("first")
    assert len(torn) == 10
    assert told.endswith("WARNING logs: log lines dropped lines=2")
    assert fourth.endswith("fourth")


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.005)
