"""Logging: one line a record, as JSON or as text, without secrets or whole telephone numbers, and never in the way of a call.

A record becomes a finished line where it is logged, and a thread writes it: a full disk or a stopped terminal loses lines,
which are counted, and stops nothing. Message constant, data in `extra`: `logger.info("leg answered", extra={"call_id": id})`.
"""

import contextlib
import io
import json
import logging
import os
import queue
import re
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import TextIO

import msgspec

from c2c_stasis.times import rfc3339

_PACKAGE = "c2c_stasis"
_QUEUE_LINES = 10_000  # about 2 MB, and several seconds of the busiest log
_GATHER = 0.02  # seconds that a line may wait for others; so much is lost when the process is killed
_MOST_AT_ONCE = 1_000  # lines
_STOP_WITHIN = 2.0  # seconds to write what is still queued
_TOLD_BY_URL = ("httpx", "httpcore")  # they log whole URLs, and asyncari puts the ARI password there

_MASK = "•••"
_SHORTEST_NUMBER = 7  # digits; extensions and emergency numbers are shorter, and nobody's secret

_NUMBER_KEY = re.compile(r"number|dial_string|caller|destination")
_SECRET_KEY = re.compile(r"password|secret|token|authorization|api_key", re.IGNORECASE)
_NUMBER_TEXT = re.compile(r"[+]?[0-9 ().\-]+")
_NUMBERS = re.compile(
    r"(?:\+|%2B)[0-9](?:[ ().\-]{0,2}[0-9]){6,}"  # E.164, also with separators
    r"|(?<=[/:])[0-9]{7,20}(?=@)",  # in PJSIP/15551234567@carrier and sip:15551234567@host
    re.IGNORECASE,
)
_SECRETS = re.compile(
    r"\b(?P<key>sk_(?:live_|test_)?|whsec_)[A-Za-z0-9_-]+"
    r"|(?P<scheme>\b(?:bearer|basic) +)(?=[^\s\"',;\\]*[0-9_.=])[^\s\"',;\\]+"  # "basic training" is no credential
    r"|(?P<query>\b(?:api_key|password|secret|token)=)[^\s&\"',;\\]+"
    r"|(?P<jwt>\beyJ)[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|(?P<url>://)[^/\s:@\"']*:[^/\s@\"']*(?=@)",
    re.IGNORECASE,
)
# Looking for these first makes an ordinary line four times as cheap.
SIGNS_OF_SECRETS = ("sk_", "whsec_", "bearer", "basic", "api_key", "password", "secret", "token", "eyj", "://")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_ONE_WORD = re.compile(r"[^\s\"=\\]+")
_IN_A_LIST = re.compile(r"[\w.\[\]-]+", re.ASCII)


def mask_number(text: str) -> str:
    """A telephone number that can be recognised and not be dialled: `+1555•••4567`.

    Fewer than seven digits are an extension or an emergency number and stay. In any other text every number is masked.
    """
    if _NUMBER_TEXT.fullmatch(text) is None:
        return _NUMBERS.sub(lambda found: mask_number(found[0].replace("%2B", "+").replace("%2b", "+")), text)
    digits = re.sub(r"[^0-9]", "", text)
    if len(digits) < _SHORTEST_NUMBER:
        return text
    number = f"+{digits}" if text.startswith("+") else digits
    shown = min(len(number) - 3, 9)
    tail = shown // 2
    return f"{number[: shown - tail]}{_MASK}{number[-tail:]}"


def redact(text: str) -> str:
    """The text without keys, passwords and whole telephone numbers, wherever in it they stand."""
    text = hide_secrets(text)
    return _NUMBERS.sub(lambda found: mask_number(found[0].replace("%2B", "+").replace("%2b", "+")), text)


def hide_secrets(text: str) -> str:
    """The text without keys and passwords, wherever in it they stand."""
    small = text.lower()
    if any(sign in small for sign in SIGNS_OF_SECRETS):
        text = _SECRETS.sub(lambda found: f"{next(kept for kept in found.groups() if kept)}{_MASK}", text)
    return text


_Lines = queue.SimpleQueue[str | None]  # None is the end


class LineFormatter(logging.Formatter):
    """Makes a line of a record, whatever the record holds; it never raises."""

    def format(self, record: logging.LogRecord) -> str:
        """The finished line, redacted, in characters that every stream can take."""
        try:
            line = redact(self.line(record))
        except Exception as exc:
            # A log line is never worth a call: say that one was lost, and where.
            data = {"where": f"{record.name}:{record.lineno}", "error": type(exc).__name__}
            line = self.line(_record(logging.ERROR, "log line lost", data))
        return line.encode("utf-8", "backslashreplace").decode("utf-8")

    def line(self, record: logging.LogRecord) -> str:
        """The line before redaction."""
        raise NotImplementedError

    def trace(self, record: logging.LogRecord) -> str:
        """The traceback of a record, or nothing."""
        return self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


class JsonFormatter(LineFormatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, what was in `extra`, and `exception`."""

    def line(self, record: logging.LogRecord) -> str:
        """The record as JSON; an extra that is called like one of ours gets an underscore behind it."""
        fields: dict[str, object] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := self.trace(record):
            fields["exception"] = trace
        for key, value in _extras(record):
            fields[f"{key}_" if key in fields else key] = value
        try:
            line = msgspec.json.encode(fields).decode()
        except UnicodeEncodeError:  # lone surrogates, from a header that was no UTF-8
            return json.dumps(fields)
        return line if line.isprintable() else "".join(_json_character(char) for char in line)


class TextFormatter(LineFormatter):
    """For people: time, level, logger, message, then key=value; a traceback follows on lines of its own."""

    def line(self, record: logging.LogRecord) -> str:
        """The record as text."""
        name = record.name.removeprefix(f"{_PACKAGE}.")
        parts = [rfc3339(record.created) or "", f"{record.levelname:<7}", f"{name}:", _printable(record.getMessage())]
        parts += [f"{key}={_word(value)}" for key, value in _extras(record)]
        trace = self.trace(record)
        return " ".join(parts) + "".join(f"\n    {_printable(line)}" for line in trace.splitlines())


class LogSink:
    """Where all log lines go from `start` until `stop`."""

    def __init__(self, formatter: LineFormatter, stream: TextIO | None, level: int, capacity: int) -> None:
        self._formatter = formatter
        self._lines: _Lines = queue.SimpleQueue()
        self._handler = _Hand(self._lines, formatter, capacity)
        self._listener = _Pen(self._lines, _Paper(stream), self._report_dropped)
        self._level = level
        self._before: list[tuple[logging.Logger, int]] = []

    @property
    def dropped(self) -> int:
        """How many lines were lost because the stream did not take them, or not in time."""
        return self._handler.dropped + self._listener.lost

    def start(self) -> None:
        """Take over all logging: our own from the chosen level, everybody else's from WARNING."""
        levels = {"": logging.WARNING, _PACKAGE: self._level} | dict.fromkeys(_TOLD_BY_URL, logging.WARNING)
        for name, level in levels.items():
            logger = logging.getLogger(name)
            self._before.append((logger, logger.level))
            logger.setLevel(level)
        self._listener.start()
        logging.getLogger().addHandler(self._handler)

    def set_level(self, level: str) -> None:
        """Let our own lines through from this level on, from now on."""
        self._level = logging.getLevelNamesMapping()[level.upper()]
        logging.getLogger(_PACKAGE).setLevel(self._level)

    def stop(self) -> None:
        """Write what is still queued, as far as the stream takes it within two seconds, and give logging back."""
        logging.getLogger().removeHandler(self._handler)
        for logger, level in self._before:
            logger.setLevel(level)
        self._before.clear()
        self._listener.stop()

    def _report_dropped(self, told: int) -> tuple[int, str]:
        """How many lines were lost by now, and a line about those that were not told; empty if there are none."""
        dropped = self.dropped
        if dropped == told:
            return dropped, ""
        record = _record(logging.WARNING, "log lines dropped", {"lines": dropped - told})
        return dropped, self._formatter.format(record)


def start(
    level: str = "info", style: str = "text", stream: TextIO | None = None, *, capacity: int = _QUEUE_LINES
) -> LogSink:
    """Begin to log to a stream, by default standard error, which may be closed; `style` is "json" or "text", `capacity` in
    lines.
    """
    formatter = JsonFormatter() if style == "json" else TextFormatter()
    sink = LogSink(formatter, stream or sys.stderr, logging.getLevelNamesMapping()[level.upper()], capacity)
    sink.start()
    return sink


class _Hand(logging.Handler):
    """Formats a record where it was logged, before anything in it can change, and puts the line into the queue."""

    def __init__(self, lines: _Lines, formatter: LineFormatter, capacity: int) -> None:
        super().__init__()
        self._lines = lines
        self._capacity = capacity
        self.setFormatter(formatter)
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._lines.qsize() < self._capacity:
                self._lines.put(self.format(record))
                return
        except Exception:  # noqa: S110  # a line is never worth a call; the lost one is counted
            pass
        self.dropped += 1


class _Paper:
    """Where lines end up. What has a descriptor is written without a buffer: that of a stream would keep half of what a full
    disk refused, and its lock, held by a thread that hangs, would end the process with an abort.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # none: standard error was closed before we began
        self._torn = False  # whether the last line has no end

    def write(self, lines: Sequence[str]) -> int:
        """Write lines, and give how many were: fewer when the stream is full, gone or closed, for ever or for a time."""
        if self._stream is None:
            return 0
        try:
            return self._write(self._stream, [f"{line}\n" for line in lines])
        except (OSError, ValueError):
            return 0  # there is no other place to say so

    def _write(self, stream: TextIO, lines: Sequence[str]) -> int:
        try:
            descriptor = stream.fileno()
        except io.UnsupportedOperation:  # it is in memory
            stream.write("".join(lines))
            return len(lines)
        ends = list(accumulate(len(line.encode()) for line in lines))
        done = self._write_bytes(descriptor, "".join(lines).encode())
        return bisect_right(ends, done)

    def _write_bytes(self, descriptor: int, data: bytes) -> int:
        """How many bytes were written."""
        if self._torn:
            os.write(descriptor, b"\n")
            self._torn = False
        done = 0
        try:
            while done < len(data):
                done += os.write(descriptor, data[done:] if done else data)
        except OSError:
            self._torn = done > 0 and data[done - 1 : done] != b"\n"
        return done


class _Pen(threading.Thread):
    """The thread that writes; it alone waits when the stream does.

    To wake it costs more than to write a line, so it lets a few come together.
    """

    def __init__(self, lines: _Lines, paper: _Paper, report: Callable[[int], tuple[int, str]]) -> None:
        super().__init__(name="log", daemon=True)
        self._lines = lines
        self._paper = paper
        self._report = report
        self._told = 0  # lost lines of which the log itself tells
        self._stopped = False
        self.lost = 0  # lines that could not be written

    def run(self) -> None:
        going = True
        while going:
            lines = [self._lines.get()]
            time.sleep(_GATHER)
            with contextlib.suppress(queue.Empty):
                while len(lines) < _MOST_AT_ONCE:
                    lines.append(self._lines.get_nowait())
            going = None not in lines
            self._write([line for line in lines if line is not None])

    def stop(self) -> None:
        """Write what is still queued, as far as the stream takes it in time; a thread that hangs ends with the process."""
        if not self._stopped:
            self._stopped = True
            self._lines.put(None)
            self.join(_STOP_WITHIN)

    def _write(self, lines: list[str]) -> None:
        dropped, report = self._report(self._told)
        reports = [report] if report else []
        written = self._paper.write([*reports, *lines])
        if written:
            self._told = dropped
        self.lost += len(lines) - max(0, written - len(reports))


def _record(level: int, message: str, data: Mapping[str, object]) -> logging.LogRecord:
    """A record of our own, about the log itself."""
    base = {"name": __name__, "levelno": level, "levelname": logging.getLevelName(level), "msg": message}
    return logging.makeLogRecord({**base, **data})


def _extras(record: logging.LogRecord) -> list[tuple[str, object]]:
    """What the caller put into `extra`, made harmless by its name."""
    return [(key, _value(key, value)) for key, value in record.__dict__.items() if key not in _STANDARD]


@lru_cache(512)  # the same few dozen names, several in each line
def _told_of(key: str) -> tuple[bool, bool]:
    """Whether a value of this name is a secret, and whether it is a telephone number."""
    return _SECRET_KEY.search(key) is not None, _NUMBER_KEY.search(key) is not None


def _value(key: str, value: object) -> object:
    """Only plain values: the text of an object is what it shows of itself, and a dataclass may hide its password there."""
    secret, number = _told_of(key)
    if secret:
        return _MASK
    match value:
        case None | bool() | int() | float():
            return value
        case list() | tuple():
            return [_value(key, item) for item in value]
        case dict():
            return {str(name): _value(str(name), item) for name, item in value.items()}
    text = str(value)
    return mask_number(text) if number else text


def _word(value: object) -> str:
    """A value as one word, quoted as in JSON when it could be taken for more; plain names in a list stand between commas."""
    if isinstance(value, list) and value and all(isinstance(one, str) and _IN_A_LIST.fullmatch(one) for one in value):
        return ",".join(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text if _ONE_WORD.fullmatch(text) else json.dumps(text, ensure_ascii=False)
    return json.dumps(text)


def _json_character(char: str) -> str:
    """A character inside JSON; those that end lines elsewhere or turn the reading direction are escaped."""
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _printable(text: str) -> str:
    """The text on one line: nobody writes a second log line through ours, or moves the reader's cursor."""
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
