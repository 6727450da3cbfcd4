"""What Asterisk's events mean to a call: from ARI's JSON to signals.

An answer is `ChannelStateChange` to Up and an end is `ChannelDestroyed`, nothing else: `Dial ANSWER` comes later than the
former, and hang-up requests carry causes that are not causes (Asterisk 22.10.1). They come first of all that tells of a BYE,
before an answer of the destination that is read after it, and that is what they are asked for.
"""

from typing import Any

from c2c_stasis.ari.media import read_quality
from c2c_stasis.call.model import LegState
from c2c_stasis.call.signals import (
    LegAnswered,
    LegCreated,
    LegEnded,
    LegHangingUp,
    LegInvited,
    LegJoined,
    LegLeft,
    LegProgressed,
    LegRinging,
    Signal,
)
from c2c_stasis.ids import LegId, call_of, is_leg_id

# The events that are asked for; Asterisk sends three times as many.
CALL_EVENTS = (
    "ApplicationReplaced",
    "StasisStart",
    "Dial",
    "ChannelStateChange",
    "ChannelHangupRequest",
    "ChannelEnteredBridge",
    "ChannelLeftBridge",
    "ChannelDestroyed",
)

_CAUSES = 0, 127  # Q.850, which has seven bits; 0 is not known
_SIP_CODES = 100, 699

_LEG_STATES = {"Up": LegState.UP, "Ringing": LegState.RINGING}


def leg_state(channel: dict[str, Any]) -> LegState:
    """The state of a leg whose channel was looked up.

    A channel that is neither Up nor Ringing has only been made. Asterisk lists it among ours some milliseconds before it may be
    dialled (22.10.1).
    """
    if channel["state"] in _LEG_STATES:
        return _LEG_STATES[channel["state"]]
    return LegState.READY if channel["dialplan"]["app_name"] == "Stasis" else LegState.CREATING


class NotUnderstood(ValueError):
    """An event that does not have the form that Asterisk's own documents describe: this field is missing, or something else."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is not what it should be")


def translate(event: dict[str, Any]) -> tuple[LegId, Signal] | None:
    """The leg and the signal of an event, or None if it says nothing new about a leg. Raises `NotUnderstood`.

    Nothing is guessed: what a field may be is what Asterisk's event model says (`/ari/api-docs/events.json`), and what is
    anything else must not become a part of a call, its record, or a request.
    """
    kind = event.get("type")
    if not isinstance(kind, str):
        raise NotUnderstood("type")
    if kind == "Dial":
        return _dial(event)
    if kind not in CALL_EVENTS or kind == "ApplicationReplaced":
        return None
    channel = _inside(event, "channel")
    leg_id = LegId(_text(channel, "id"))
    if not is_leg_id(leg_id):
        return None  # somebody else's channel
    match kind:
        case "StasisStart":
            return leg_id, LegCreated(leg_id)
        case "ChannelStateChange":
            return _state_change(leg_id, _text(channel, "state"))
        case "ChannelHangupRequest":
            return (leg_id, LegHangingUp(leg_id)) if _hangs_up(event, channel) else None
        case "ChannelEnteredBridge":
            return (leg_id, LegJoined(leg_id)) if _own_bridge(event, leg_id) else None
        case "ChannelLeftBridge":
            return (leg_id, LegLeft(leg_id)) if _own_bridge(event, leg_id) else None
        case _:
            return leg_id, _ended(event, leg_id, channel)


def _dial(event: dict[str, Any]) -> tuple[LegId, Signal] | None:
    leg_id = LegId(_text(_inside(event, "peer"), "id"))
    if not is_leg_id(leg_id):
        return None
    match _text(event, "dialstatus"):
        case "":
            return leg_id, LegInvited(leg_id)
        case "RINGING":
            return leg_id, LegRinging(leg_id)
        case "PROGRESS":
            return leg_id, LegProgressed(leg_id)
        case _:  # ANSWER comes after the state change, and failures before the end of the channel, which decides
            return None


def _state_change(leg_id: LegId, state: str) -> tuple[LegId, Signal] | None:
    match state:
        case "Ringing":
            return leg_id, LegRinging(leg_id)
        case "Up":
            return leg_id, LegAnswered(leg_id)
        case _:
            return None


def _hangs_up(event: dict[str, Any], channel: dict[str, Any]) -> bool:
    """Whether the far end does. A `soft` request is our own, or a timer's."""
    soft = event.get("soft", False)
    if not isinstance(soft, bool):
        raise NotUnderstood("soft")
    return _text(channel, "state") == "Up" and not soft


def _own_bridge(event: dict[str, Any], leg_id: LegId) -> bool:
    return _text(_inside(event, "bridge"), "id") == call_of(leg_id)


def _ended(event: dict[str, Any], leg_id: LegId, channel: dict[str, Any]) -> LegEnded:
    """A leg has ended, also when nothing sensible is said of why: it is gone, and must not be waited for."""
    cause, sip_code = _number(event.get("cause"), *_CAUSES), _number(event.get("tech_cause"), *_SIP_CODES)
    return LegEnded(leg_id, cause, sip_code, read_quality(channel.get("channelvars")))


def _inside(event: dict[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise NotUnderstood(name)
    return value


def _text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise NotUnderstood(name)
    return text


def _number(value: object, least: int, most: int) -> int | None:
    """A whole number within its range; a larger one would not even fit into the database."""
    return value if type(value) is int and least <= value <= most else None
