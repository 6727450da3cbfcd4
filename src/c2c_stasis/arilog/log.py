"""The log that the service writes: what happens is handed over as it is, and a thread makes lines of it and writes them.

Whoever hands something over waits for nothing: too much of it is dropped, counted, and told in the log itself.
"""

import contextlib
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from c2c_stasis.arilog.coding import Written, decision, written_call, written_signal
from c2c_stasis.arilog.files import LONGEST as MOST_AT_ONCE
from c2c_stasis.arilog.files import Files
from c2c_stasis.arilog.masking import Mask
from c2c_stasis.call.model import Call, Now
from c2c_stasis.call.move import Step
from c2c_stasis.call.signals import Signal
from c2c_stasis.printable import printable_json
from c2c_stasis.times import rfc3339_micro

logger = logging.getLogger(__name__)

VERSION = 1  # of the lines; a reader refuses others
CAPACITY = 20_000  # things that wait to be written; some 40 MB, and half a minute of 30 calls a second
LONGEST = 32_768  # bytes of an answer or an event that are written; the descriptions of Asterisk's resources are longer
_GATHER = 0.1  # seconds that a line may wait for others: to wake the thread costs more than to write a line
_AT_ONCE = 48  # lines made between two rests, in which the calls have the interpreter for themselves
_ENOUGH = MOST_AT_ONCE // 2  # bytes for one write
_TOO_LONG = MOST_AT_ONCE // 2 - 1024  # bytes of one thing
_REST = 0.001  # seconds
_STOP_WITHIN = 2.0  # seconds to write what is still queued
_TOLD_EVERY = 60.0  # seconds between two complaints about the same disk

_CALL = re.compile(r"call_[0-9a-z]{26}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to write, for which Stasis application, how many bytes at most, and whether numbers are written in full."""

    folder: Path
    app: str
    most: int
    full: bool = False


_Item = Callable[["_Pen"], list[Written]]  # makes lines of something that happened


class AriLog:
    """Ask `on` before you hand anything over: when nobody wants a log, that question is all it costs."""

    def __init__(self, settings: Settings | None = None, *, capacity: int = CAPACITY) -> None:
        self.on = False
        self._capacity = capacity
        self._pen: _Pen | None = None
        self.settings: Settings | None = None
        self.use(settings)

    def use(self, settings: Settings | None) -> None:
        """Write so from now on, or not at all. Waits, for a bounded time, until what was handed over before is written."""
        if settings == self.settings:
            return
        self.close()
        self.settings = settings
        if settings is not None:
            self._pen = _Pen(settings, self._capacity)
            self._pen.start()
            self.on = True

    def close(self, within: float = _STOP_WITHIN) -> None:
        """Write what was handed over, as far as the disk takes it within so many seconds, and write no more."""
        self.on = False
        pen, self._pen, self.settings = self._pen, None, None
        if pen is not None:
            pen.stop(within)

    @property
    def lost(self) -> int:
        """How many lines could not be written since this log is on: too many at once, or the disk did not take them."""
        return self._pen.lost if self._pen else 0

    def request(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, Any],
        status: int | None,
        answer: bytes | str,
        began: float,
        took: float,
    ) -> None:
        """A request that we made; without a status there was no answer, and `answer` says why.

        `began` is Unix seconds, `took` seconds.
        """
        self._put(lambda _: [_request(method, path, parameters, status, answer, began, took)])

    def event(self, event: object, size: int = 0) -> None:
        """An event that Asterisk reported, decoded, or as text when that was not possible; it came in so many bytes."""
        heard, told = time.time(), event if size <= LONGEST else None
        self._put(lambda _: [_event(told, heard) if told is not None else _too_long(heard, size)])

    def step(self, before: Call, signal: Signal | None, now: Now, step: Step) -> None:
        """What a signal made of a call; without a signal, our own code gave the call up."""
        self._put(lambda pen: pen.steps(before, signal, now, step))

    def broken(self, call: Call, signal: Signal, now: Now, error: Exception) -> None:
        """A signal for which the rules failed."""
        self._put(lambda pen: pen.broken(call, signal, now, error))

    def _put(self, item: _Item) -> None:
        pen = self._pen
        if pen is not None:
            pen.take(item)


class _Pen(threading.Thread):
    """The thread that writes. It alone waits for the disk."""

    def __init__(self, settings: Settings, capacity: int) -> None:
        super().__init__(name="ari log", daemon=True)
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._capacity = capacity
        self._settings = settings
        self._mask = Mask(full=settings.full)
        self._files = Files(settings.folder, settings.app, settings.most, self._head)
        self._known: set[str] = set()  # calls of which the file at hand says what they were
        self._file = 0  # which of the files that is
        self._number = 0
        self._dropped = 0  # by those who hand over
        self._marked = 0  # of those, how many the next thing handed over, or one before it, has with it
        self._passed = 0  # of those, how many came before what is being written
        self._unwritten = 0  # by the disk
        self._told = 0  # lost lines that are told in the log
        self._telling = 0  # the same, with what is about to be written
        self._complained_at = -_TOLD_EVERY

    @property
    def lost(self) -> int:
        """How many lines could not be written."""
        return self._dropped + self._unwritten

    def take(self, item: _Item) -> None:
        """Something to write, if there is room for it."""
        if self._items.qsize() >= self._capacity:
            self._dropped += 1
        elif self._marked == self._dropped:
            self._items.put(item)
        else:
            self._items.put(self._after_gap(item))

    def _after_gap(self, item: _Item) -> _Item:
        """The same, after the line that tells how many are missing before it."""
        dropped = self._marked = self._dropped
        return lambda pen: [*pen.gap(dropped), *item(pen)]

    def stop(self, within: float) -> None:
        """Write what is left, as far as the disk takes it in time; a thread that hangs ends with the process."""
        if self._marked != self._dropped:
            self._items.put(self._after_gap(lambda _: []))
        self._items.put(None)
        self.join(within)

    def run(self) -> None:
        self._begin()
        going = True
        while going:
            items = [self._items.get()]
            time.sleep(_GATHER)
            while going:
                with contextlib.suppress(queue.Empty):
                    while len(items) < _AT_ONCE:
                        items.append(self._items.get_nowait())
                going = None not in items
                self._write([item for item in items if item is not None])
                if self._items.empty():
                    break
                items = []
                time.sleep(_REST)
        self._files.close()

    def _begin(self) -> None:
        """Make the first file, and tell where: that there is no log shall not be found out with a call."""
        try:
            self._files.make_ready()
        except OSError as error:
            self._complain(error)
        else:
            logger.info("ARI log is written", extra={"folder": str(self._settings.folder)})

    def gap(self, dropped: int) -> list[Written]:
        """The line about lines that were dropped; what a call became in them is not known, and is told before its next step."""
        self._passed = dropped
        self._known.clear()
        return self._report()

    def steps(self, before: Call, signal: Signal | None, now: Now, step: Step) -> list[Written]:
        """The line of a step, after one that says what the call was before, if the file at hand does not say it yet."""
        lines = self._introduced(before, now)
        if not step.call.live:
            self._known.discard(before.id)
        line = _step(before.id, signal, now)
        return [*lines, line | decision(before, step)]

    def broken(self, call: Call, signal: Signal, now: Now, error: Exception) -> list[Written]:
        """The line of a step that failed."""
        return [*self._introduced(call, now), _step(call.id, signal, now) | {"error": repr(error)}]

    def _introduced(self, call: Call, now: Now) -> list[Written]:
        if call.id in self._known:
            return []
        self._known.add(call.id)
        return [{"time": now.wall, "kind": "call", "call": call.id, "planned": self._planned(call)}]

    def _planned(self, call: Call) -> Written:
        planned = written_call(call)
        planned["dial_string"] = self._mask.dial_string(call.dial_string)
        return planned

    def _write(self, items: list[_Item]) -> None:
        """Make lines of what happened and write them; whatever goes wrong costs lines, and never the thread."""
        waiting = iter(items)
        for first in waiting:
            made, size = 0, 0
            try:
                self._files.make_ready()
                if self._files.opened != self._file:  # another file: what it tells must not need the one before
                    self._file = self._files.opened
                    self._known.clear()
                self._telling = self._told
                lines = self._made(self._report())
                for item in chain((first,), waiting):
                    made += 1
                    lines += self._lines_of(item)
                    size = sum(map(len, lines))
                    if size > _ENOUGH:
                        break
                self._files.write(b"".join(lines))
                self._told = self._telling
            except OSError as error:
                self._unwritten += max(1, made)
                self._known.clear()
                self._complain(error)

    def _lines_of(self, item: _Item) -> list[bytes]:
        """The lines of one thing; none, and one more that is lost, if they cannot be made or are too long."""
        telling = self._telling
        try:
            lines = self._made(item(self))
            if sum(map(len, lines)) <= _TOO_LONG:
                return lines
            logger.debug("line of the ARI log too long")  # no more than that: whoever sends one may send many
        except Exception:
            logger.exception("line of the ARI log not made")
        self._unwritten += 1
        self._telling = telling
        self._known.clear()
        return []

    def _report(self) -> list[Written]:
        """A line about lines that were lost since the last such line."""
        new = self._passed + self._unwritten - self._telling
        self._telling += new
        return [{"time": time.time(), "kind": "dropped", "lines": new}] if new else []

    def _made(self, lines: list[Written]) -> list[bytes]:
        return [self._line(line) for line in lines]

    def _line(self, fields: Written) -> bytes:
        """One line; its number and its moment come first, and need not be looked at for what they might betray."""
        self._number += 1
        moment = rfc3339_micro(fields.pop("time"))
        text = self._mask.line(fields)
        if not text.isascii() or "\x7f" in text:  # JSON escapes only the control characters of ASCII, and not that one
            text = printable_json(text)
        return f'{{"n":{self._number},"time":"{moment}",{text[1:]}\n'.encode()

    def _head(self) -> bytes:
        numbers = "full" if self._settings.full else "masked"
        head = {"time": time.time(), "kind": "log", "version": VERSION, "app": self._settings.app}
        return self._line(head | {"numbers": numbers, "pid": os.getpid()})

    def _complain(self, error: OSError) -> None:
        if time.monotonic() - self._complained_at < _TOLD_EVERY:
            return
        self._complained_at = time.monotonic()
        extra = {"folder": str(self._settings.folder), "error": error.strerror or str(error)}
        logger.error("ARI log cannot be written", extra=extra)


def _request(
    method: str,
    path: str,
    parameters: Mapping[str, Any],
    status: int | None,
    answer: bytes | str,
    began: float,
    took: float,
) -> Written:
    line: Written = {"time": began, "kind": "request", "method": method, "path": path}
    found = _CALL.search(path) or _CALL.search(str(parameters.get("channelId") or parameters.get("channel") or ""))
    if found:
        line["call"] = found[0]
    if parameters:
        line["parameters"] = dict(parameters)
    line |= {"status": status, "ms": round(took * 1000, 3)}
    return line | ({} if answer in (b"", "") else _answer(answer))


def _answer(answer: bytes | str) -> Written:
    if isinstance(answer, str):
        return {"message": answer}
    if len(answer) > LONGEST:
        return {"answer_bytes": len(answer)}
    if answer[:1] in (b"{", b"["):
        with contextlib.suppress(msgspec.DecodeError):
            return {"answer": msgspec.Raw(_on_one_line(answer))}
    return {"message": answer.decode("utf-8", "replace")}


def _on_one_line(answer: bytes) -> bytes:
    """JSON as it came, unless Asterisk was told to write it prettily (`pretty = yes` in ari.conf)."""
    return msgspec.json.format(answer, indent=-1) if b"\n" in answer else answer


def _event(event: object, heard: float) -> Written:
    line: Written = {"time": heard, "kind": "event"}
    if isinstance(event, dict):
        for who in ("channel", "peer", "bridge"):
            about = event.get(who)
            found = _CALL.match(str(about.get("id"))) if isinstance(about, dict) else None
            if found:
                line["call"] = found[0]
                break
    return line | {"event": event}


def _too_long(heard: float, size: int) -> Written:
    return {"time": heard, "kind": "event", "event_bytes": size}


def _step(call_id: str, signal: Signal | None, now: Now) -> Written:
    return {
        "time": now.wall,
        "kind": "step",
        "call": call_id,
        "now": {"wall": now.wall, "mono": now.mono},
        "signal": written_signal(signal) if signal is not None else None,
    }
