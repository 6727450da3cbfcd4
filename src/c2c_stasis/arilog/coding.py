"""How calls, signals, commands and events stand in the ARI log, and how they are read back."""

from typing import Any, get_args

import msgspec
from msgspec import Struct, convert, to_builtins
from msgspec.structs import astuple, replace

from c2c_stasis.call.commands import Command
from c2c_stasis.call.model import Call
from c2c_stasis.call.move import Step
from c2c_stasis.call.signals import CommandRefused, Signal

_NAME = "is"  # the key under which the name of a signal or a command stands
_SIGNALS: dict[str, type[Signal]] = {one.__name__: one for one in get_args(Signal)}
_COMMANDS: dict[str, type[Command]] = {one.__name__: one for one in get_args(Command)}

Written = dict[str, Any]


class NotReadable(ValueError):
    """A line of the log is of another version, or damaged."""


def written_call(call: Call) -> Written:
    """A call as it is. The caller's metadata is nobody's business here, and decides nothing."""
    written: Written = to_builtins(replace(call, metadata={}))
    return written


def read_call(written: Written) -> Call:
    """The call again. Raises `NotReadable`."""
    try:
        return convert(written, Call)
    except msgspec.ValidationError as error:
        raise NotReadable(str(error)) from error


def written_signal(signal: Signal) -> Written:
    """A signal by name, with what it says."""
    if isinstance(signal, CommandRefused):
        command = _written(signal.command)
        return {_NAME: "CommandRefused", "command": command, "status": signal.status, "message": signal.message}
    return _written(signal)


def read_signal(written: Written) -> Signal:
    """The signal again. Raises `NotReadable`."""
    try:
        kind = _SIGNALS[written[_NAME]]
        if kind is CommandRefused:
            command = _read(written["command"], _COMMANDS)
            return CommandRefused(command, written["status"], written["message"])
        signal: Signal = _read(written, _SIGNALS)
        return signal
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise NotReadable(f"{type(error).__name__}: {error}") from error


def decision(before: Call, step: Step) -> Written:
    """What a step decided: what it changed in the call, what it asks, what it tells.

    Two steps that decided the same are written the same.
    """
    return {
        "state": step.call.state.value,
        "changed": _changed(before, step.call),
        "commands": [_written(command) for command in step.commands],
        "events": [to_builtins(event) for event in step.events],
    }


def _changed(before: Call, after: Call) -> Written:
    """The fields that have another value now; of each leg likewise, by the end of its id, and a new leg as a whole."""
    return {
        name: _changed_legs(before, after) if name == "legs" else to_builtins(now)
        for name, now in _differences(before, after)
    }


def _changed_legs(before: Call, after: Call) -> Written:
    pairs = zip(before.legs, after.legs)  # noqa: B905 # a later attempt is a new leg at the end
    changed = {
        now.id.rpartition(".")[2]: {name: to_builtins(value) for name, value in _differences(was, now)}
        for was, now in pairs
        if was is not now
    }
    return changed | {leg.id.rpartition(".")[2]: to_builtins(leg) for leg in after.legs[len(before.legs) :]}


def _differences(before: Struct, after: Struct) -> list[tuple[str, Any]]:
    """The names of the fields that have another value now, with that value."""
    values = zip(after.__struct_fields__, astuple(before), astuple(after))  # noqa: B905 # of one kind, and in every step
    return [(name, now) for name, was, now in values if was is not now and was != now]


def _written(value: Struct) -> Written:
    return {_NAME: type(value).__name__, **to_builtins(value)}


def _read(written: Written, kinds: dict[str, Any]) -> Any:
    return convert({name: value for name, value in written.items() if name != _NAME}, kinds[written[_NAME]])
