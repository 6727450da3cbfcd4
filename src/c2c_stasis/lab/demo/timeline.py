"""The lines that a person watches: in the order of time, although they come from several sides, each with its moment."""

import asyncio
import heapq
import itertools
import os
import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from c2c_stasis.printable import printable

HOLD_BACK = 0.15  # seconds; what the service logs takes some milliseconds to arrive, what a phone hears more
WHO_WIDTH = 8


class Screen:
    """Where lines go, until nobody reads them any more: then `gone` is set, and the rest is dropped."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.gone = asyncio.Event()

    def say(self, text: str = "") -> None:
        """Print a line, or several, at once; what phones and servers say is in them."""
        if self.gone.is_set():
            return
        try:
            print(printable(text, also="\n"), file=self._stream, flush=True)
        except (OSError, ValueError):  # the terminal was closed, or the reader of the pipe went away
            self.gone.set()
            if self._stream is sys.stdout:
                # Else Python fails once more as it ends, when it empties its buffer.
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@dataclass(order=True, slots=True)
class _Entry:
    at: float
    number: int
    who: str = field(compare=False)
    what: str = field(compare=False)
    of: str = field(compare=False)
    begins: bool = field(compare=False)
    ends: bool = field(compare=False)
    rouses: bool = field(compare=False)


class Timeline:
    """Prints what happened in order, with seconds since the request that began it.

    Requests that come while a call lives do not move the zero. The first INVITE of a call that somebody else placed, whose
    request is not seen, does. From the moment at which two calls live until none does, each line that is known to belong to a
    call has the number of that call: 1 for the one that began first.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._waiting: list[_Entry] = []
        self._numbers = itertools.count()
        self._zero: float | None = None
        self._live = 0
        self._begun: set[str] = set()  # a request that is repeated begins no second call
        self._several = False
        self._order: dict[str, int] = {}  # the number of each call
        self._call_of: dict[str, str] = {}  # the call of each SIP dialog, as far as it is known

    def note(
        self,
        at: float,
        who: str,
        what: str,
        *,
        of: str = "",
        begins: bool = False,
        ends: bool = False,
        rouses: bool = False,
    ) -> None:
        """Take a line about something that happened at that monotonic moment.

        `of` is the id of the call or the SIP dialog that it belongs to. `begins` and `ends` are about a call whose request was
        seen; `rouses` is the first that any phone sees of a call.
        """
        heapq.heappush(self._waiting, _Entry(at, next(self._numbers), who, what, of, begins, ends, rouses))

    def belongs(self, dialog: str, call_id: str) -> None:
        """Know to which call a SIP dialog belongs; lines of it that are not printed yet are marked as well."""
        self._call_of[dialog] = call_id

    def block(self, text: str) -> None:
        """Take whole lines, which stand after all that happened until now."""
        self.note(time.monotonic(), "", text)

    async def run(self) -> None:
        """Print lines as they become due, until cancelled."""
        while True:
            await asyncio.sleep(HOLD_BACK / 3)
            self._print_until(time.monotonic() - HOLD_BACK)

    def flush(self) -> None:
        """Print all that is left."""
        self._print_until(float("inf"))

    def _print_until(self, moment: float) -> None:
        while self._waiting and self._waiting[0].at <= moment:
            self._print(heapq.heappop(self._waiting))

    def _print(self, entry: _Entry) -> None:
        begins = entry.begins and entry.of not in self._begun
        if (begins or entry.rouses) and not self._live:
            self._zero = entry.at
            self._several = False
            self._order.clear()
            self._screen.say()
        if begins and entry.of:
            self._begun.add(entry.of)
            self._order[entry.of] = len(self._order) + 1
        self._live = max(0, self._live + begins - entry.ends)
        self._several = self._several or self._live > 1
        if not entry.who:
            self._screen.say(entry.what)
            return
        if self._zero is None:
            self._zero = entry.at
        self._screen.say(f"{entry.at - self._zero:9.3f} s  {self._mark(entry)}{entry.who:<{WHO_WIDTH}} {entry.what}")

    def _mark(self, entry: _Entry) -> str:
        """The number of the call in brackets; blank where it is not known, and nothing while one number would do for all."""
        if not self._several:
            return ""
        number = self._order.get(self._call_of.get(entry.of, entry.of))
        return f"[{number}] " if number else "    "
