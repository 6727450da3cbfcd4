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
from c2c_stasis.ids import LegId, call_of

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

_LEG_STATES = {"Up": LegState.UP, "Ringing": LegState.RINGING}


def leg_state(channel: dict[str, Any]) -> LegState:
    """The state of a leg whose channel was looked up.

    A channel that is neither Up nor Ringing has only been made. Asterisk lists it among ours some milliseconds before it may be
    dialled (22.10.1).
    """
    if channel["state"] in _LEG_STATES:
        return _LEG_STATES[channel["state"]]
    return LegState.READY if channel["dialplan"]["app_name"] == "Stasis" else LegState.CREATING


def translate(event: dict[str, Any]) -> tuple[LegId, Signal] | None:
    """The leg and the signal of an event, or None if it says nothing new about a leg."""
    if event.get("type") == "Dial":
        return _dial(event)
    channel = event.get("channel")
    if not isinstance(channel, dict):
        return None
    leg_id = LegId(str(channel["id"]))
    match event["type"]:
        case "StasisStart":
            return leg_id, LegCreated(leg_id)
        case "ChannelStateChange":
            return _state_change(leg_id, channel)
        case "ChannelEnteredBridge" if event["bridge"]["id"] == call_of(leg_id):
            return leg_id, LegJoined(leg_id)
        case "ChannelHangupRequest" if channel.get("state") == "Up" and not event.get(
            "soft"
        ):  # soft: our own, or a timer's
            return leg_id, LegHangingUp(leg_id)
        case "ChannelLeftBridge" if event["bridge"]["id"] == call_of(leg_id):
            return leg_id, LegLeft(leg_id)
        case "ChannelDestroyed":
            quality = read_quality(channel.get("channelvars"))
            return leg_id, LegEnded(leg_id, event.get("cause"), event.get("tech_cause") or None, quality)
        case _:
            return None


def _dial(event: dict[str, Any]) -> tuple[LegId, Signal] | None:
    leg_id = LegId(str(event["peer"]["id"]))
    match event.get("dialstatus", ""):
        case "":
            return leg_id, LegInvited(leg_id)
        case "RINGING":
            return leg_id, LegRinging(leg_id)
        case "PROGRESS":
            return leg_id, LegProgressed(leg_id)
        case _:  # ANSWER comes after the state change, and failures before the end of the channel, which decides
            return None


def _state_change(leg_id: LegId, channel: dict[str, Any]) -> tuple[LegId, Signal] | None:
    match channel.get("state"):
        case "Ringing":
            return leg_id, LegRinging(leg_id)
        case "Up":
            return leg_id, LegAnswered(leg_id)
        case _:
            return None
