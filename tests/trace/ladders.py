"""Ladders to draw, of calls that are told by a log or by a record."""

from collections.abc import Container
from typing import Any

from c2c_stasis.arilog.coding import decision, read_signal, written_call, written_signal
from c2c_stasis.call.machine import step
from c2c_stasis.call.model import Call, Now
from c2c_stasis.call.signals import (
    CallPlaced,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegInvited,
    LegJoined,
    LegRinging,
    Signal,
)
from c2c_stasis.ids import LegId
from c2c_stasis.times import rfc3339_micro
from c2c_stasis.trace import from_log
from c2c_stasis.trace.ladder import Ladder
from tests.call.stories import A1, A2, ACCEPTED_AT, B1, CALL_ID, CLOCK_ZERO, outward_call

Line = dict[str, Any]


class Log:
    """Lines of a log, as the service would write them."""

    def __init__(self, call: Call) -> None:
        self.call = self._first = call
        self.lines: list[Line] = [self._line(0.0, "call", planned=written_call(call))]

    def ask(
        self, at: float, method: str, path: str, status: int | None = 204, ms: float = 2.0, **parameters: str
    ) -> "Log":
        """A request."""
        told = {"message": "no answer"} if status is None else {}
        self.lines.append(
            self._line(at, "request", method=method, path=f"/ari/{path}", status=status, ms=ms, parameters=parameters)
            | told
        )
        return self

    def report(self, at: float, kind: str, leg: LegId, **event: Any) -> "Log":
        """An event of Asterisk about a leg."""
        about = {"peer" if kind == "Dial" else "channel": {"id": leg, "state": event.pop("state", "Down")}}
        self.lines.append(self._line(at, "event", event={"type": kind, **about, **event}))
        return self

    def hear(self, at: float, signal: Signal) -> "Log":
        """A signal, and what the call makes of it."""
        now = Now(ACCEPTED_AT + at, CLOCK_ZERO + at)
        made = step(self.call, signal, now)
        line = self._line(at, "step", signal=written_signal(signal), now={"wall": now.wall, "mono": now.mono})
        self.lines.append(line | decision(self.call, made))
        self.call = made.call
        return self

    def ladder(self) -> Ladder:
        """What is drawn."""
        return from_log.ladder(CALL_ID, self.lines, "here")

    def without(self, gone: Container[int]) -> list[Line]:
        """The lines that are left when those of these numbers are lost, and the log knows that some are.

        Before the first step after a gap stands again what the call was then, as the service writes it.
        """
        call, known, kept = self._first, False, []
        for number, line in enumerate(self.lines):
            known = known and number not in gone
            if line["kind"] == "step":
                if number not in gone and not known:
                    kept.append({**line, "kind": "call", "planned": written_call(call)})
                    known = True
                call = step(call, read_signal(line["signal"]), Now(**line["now"])).call
            if number not in gone and line["kind"] != "call":
                kept.append(line)
        return kept

    def _line(self, at: float, kind: str, **fields: Any) -> Line:
        return {"time": rfc3339_micro(ACCEPTED_AT + at), "kind": kind, "call": CALL_ID, **fields}


def answered() -> Log:
    """Two phones ring, the first answers, the destination answers and hangs up after a while."""
    log = Log(outward_call()).hear(0.001, CallPlaced())
    for leg in (A1, A2, B1):
        log.ask(0.01, "POST", "channels/create", 200, channelId=leg)
    for leg in (A1, A2):
        log.hear(0.02, LegCreated(leg)).ask(0.021, "POST", f"channels/{leg}/dial")
        log.report(0.03, "Dial", leg, dialstatus="").hear(0.03, LegInvited(leg))
        log.report(0.1, "Dial", leg, dialstatus="RINGING").hear(0.1, LegRinging(leg))
        log.report(0.1, "ChannelStateChange", leg, state="Ringing").hear(0.1, LegRinging(leg))
    log.hear(0.02, LegCreated(B1))
    log.report(1.0, "ChannelStateChange", A1, state="Up").hear(1.0, LegAnswered(A1))
    log.ask(1.01, "DELETE", f"channels/{A2}", reason_code="26").ask(1.01, "POST", f"channels/{B1}/dial")
    log.report(1.02, "ChannelDestroyed", A2, cause=26).hear(1.02, LegEnded(A2, 26))
    log.report(1.03, "ChannelEnteredBridge", A1).hear(1.03, LegJoined(A1)).hear(1.03, LegJoined(B1))
    log.report(1.04, "Dial", B1, dialstatus="").hear(1.04, LegInvited(B1))
    log.report(1.2, "Dial", B1, dialstatus="PROGRESS")
    log.report(2.0, "ChannelStateChange", B1, state="Up").hear(2.0, LegAnswered(B1))
    log.report(70.0, "ChannelDestroyed", B1, cause=16).hear(70.0, LegEnded(B1, 16))
    log.ask(70.01, "DELETE", f"channels/{A1}", reason_code="16")
    log.report(70.02, "ChannelDestroyed", A1, cause=16).hear(70.02, LegEnded(A1, 16))
    return log
