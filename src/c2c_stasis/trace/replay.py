"""The decisions of a call, made again from the ARI log: every signal with its moment through the same rules.

Numbers in the log may be masked: the rules never look into them, and what they decide now is masked as it was then.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from c2c_stasis.arilog.coding import NotReadable, Written, decision, read_call, read_signal
from c2c_stasis.arilog.masking import Mask
from c2c_stasis.arilog.reading import Line
from c2c_stasis.call.machine import step
from c2c_stasis.call.model import Call, Now
from c2c_stasis.call.signals import Signal

_mask = Mask(full=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """One step of a call, then and now. `differences` are empty when both decided the same."""

    at: float  # seconds since the call was accepted
    signal: str
    then: Written
    now: Written

    @property
    def differences(self) -> list[str]:
        """What is not the same: `commands`, `events`, `state`, `changed` or `error`."""
        return [name for name in self.then | self.now if self.then.get(name) != self.now.get(name)]


class NoBeginning(ValueError):
    """The log does not say what the call was before its first step: that part of it is gone."""


def replay(lines: Iterable[Line]) -> Iterator[Decision]:
    """Each decision of one call, from the first of which the log says what the call was then.

    Raises `NoBeginning`, or `NotReadable` for a log that another version wrote.
    """
    call: Call | None = None
    for line in lines:
        if line["kind"] == "call":
            # Said again at the beginning of a file, or by a service that took the call over, on its own clock.
            call = read_call(line["planned"])
        elif line["kind"] == "step" and call is not None:
            decided, call = _decide(call, line)
            yield decided
            if line["signal"] is None:
                return  # our own code gave the call up: no rule decides after that
    if call is None:
        raise NoBeginning("the log does not say how this call began")


def _decide(call: Call, line: Line) -> tuple[Decision, Call]:
    now = _now(line["now"])
    then: Written = {name: line[name] for name in ("state", "changed", "commands", "events", "error") if name in line}
    if line["signal"] is None:
        return Decision(now.mono - call.clock_zero, "given up", then, then), call
    signal = read_signal(line["signal"])
    try:
        made = step(call, signal, now)
    except Exception as error:
        again, after = {"error": _plain(repr(error))}, call
    else:
        # An error that was met outside the rules left the call as it was.
        again, after = _plain(decision(call, made)), call if "error" in then else made.call
    return Decision(now.mono - call.clock_zero, _said(signal), _plain(then), again), after


def _plain(value: Any) -> Any:
    """What would stand in the log with masked numbers."""
    return msgspec.json.decode(_mask.line(value))


def _now(written: Written) -> Now:
    try:
        return Now(float(written["wall"]), float(written["mono"]))
    except (KeyError, TypeError, ValueError) as error:
        raise NotReadable(f"the moment of a step is missing: {error!r}") from error


def _said(signal: Signal) -> str:
    """A signal in short: `LegEnded a1 17 486`."""
    words = [type(signal).__name__]
    for name in signal.__struct_fields__:
        value = getattr(signal, name)
        if name == "leg_id":
            words.append(value.rpartition(".")[2])
        elif name == "command":
            leg = getattr(value, "leg_id", "")
            words.append(f"{type(value).__name__} {leg.rpartition('.')[2]}".rstrip())
        elif isinstance(value, int | str) and value not in ("", None):
            words.append(str(value))
    return " ".join(words)
