"""What a message of Asterisk says, read from its own documents (`/ari/api-docs/events.json`), and not with the service's code.

Only what says exactly this may have an effect. Whatever else comes means nothing, or ends a leg without saying why.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

_LEG = re.compile(r"(call_[0-9a-z]{26})\.[ab][1-9][0-9]?", re.ASCII)
_URI = re.compile(r"sips?:[!-~]{1,250}", re.ASCII)
_SAID_BY_A_STATE = {"Ringing": "ringing", "Up": "answered"}
_SAID_BY_A_DIAL = {"": "invited", "RINGING": "ringing", "PROGRESS": "progressed"}
_SAID_BY_A_BRIDGE = {"ChannelEnteredBridge": "joined", "ChannelLeftBridge": "left"}
# `res_pjsip/location.c`; the first two are what older versions say.
_GONE, _SILENT = "Removed", "Unreachable"
_THERE = ("Created", "Updated", "NonQualified", "Unknown", "Reachable")


@dataclass(frozen=True)
class OfLeg:
    """A leg did something. `cause` is Q.850, `sip` the SIP status; None where nothing sensible is said."""

    leg: str
    what: str
    cause: int | None = None
    sip: int | None = None

    @property
    def call(self) -> str:
        """The call that it belongs to."""
        return self.leg.partition(".")[0]


@dataclass(frozen=True)
class OfContact:
    """A phone is registered there, answers or not, or is not any more."""

    endpoint: str
    uri: str
    status: str

    @property
    def reachable(self) -> bool | None:
        """None: it is gone."""
        return None if self.status == _GONE else self.status != _SILENT


@dataclass(frozen=True)
class Replaced:
    """Somebody else has our application."""


Said = OfLeg | OfContact | Replaced


def read(message: bytes) -> dict[str, Any] | None:
    """The event, if these are the bytes of one; a name in it may be no UTF-8."""

    def no_number(text: str) -> Any:
        raise ValueError(text)

    try:
        event = json.loads(message.decode("utf-8", "replace"), parse_constant=no_number)
        json.dumps(event, ensure_ascii=False, allow_nan=False).encode("utf-8")  # neither lone surrogates nor 1e999
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def said(message: bytes, app: str, followed: Collection[str]) -> Said | None:
    """What the message says to the service that has this application and follows these endpoints."""
    event = read(message)
    if event is None:
        return None
    application, kind = event.get("application"), event.get("type")
    if kind == "ApplicationReplaced" and application in (app, f"{app}-devices"):
        return Replaced()
    if application == f"{app}-devices":
        return _of_contact(event, followed) if kind == "ContactStatusChange" else None
    return _of_leg(event, kind) if application == app and isinstance(kind, str) else None


def _of_contact(event: dict[str, Any], followed: Collection[str]) -> OfContact | None:
    endpoint, info = event.get("endpoint"), event.get("contact_info")
    if not isinstance(endpoint, dict) or not isinstance(info, dict):
        return None
    name, uri, status = endpoint.get("resource"), info.get("uri"), info.get("contact_status")
    if not (isinstance(name, str) and isinstance(uri, str) and isinstance(status, str)):
        return None
    known = endpoint.get("technology") == "PJSIP" and name in followed and status in (*_THERE, _GONE, _SILENT)
    return OfContact(name, uri, status) if known and _URI.fullmatch(uri) else None


def _of_leg(event: dict[str, Any], kind: str) -> OfLeg | None:
    party = event.get("peer" if kind == "Dial" else "channel")
    leg = party.get("id") if isinstance(party, dict) else None
    match = _LEG.fullmatch(leg) if isinstance(leg, str) else None
    if not isinstance(party, dict) or not isinstance(leg, str) or match is None:
        return None
    if kind == "Dial":
        return _told(leg, _SAID_BY_A_DIAL, event.get("dialstatus"))
    if kind == "ChannelStateChange":
        return _told(leg, _SAID_BY_A_STATE, party.get("state"))
    if kind in _SAID_BY_A_BRIDGE:
        bridge = event.get("bridge")
        own = isinstance(bridge, dict) and bridge.get("id") == match[1]
        return OfLeg(leg, _SAID_BY_A_BRIDGE[kind]) if own else None
    if kind == "ChannelDestroyed":
        cause, sip = _number(event.get("cause"), 0, 127), _number(event.get("tech_cause"), 100, 699)
        return OfLeg(leg, "ended", cause, sip)
    if kind == "ChannelHangupRequest":  # a soft one is asked for by Asterisk or by us
        return OfLeg(leg, "hanging up") if party.get("state") == "Up" and event.get("soft", False) is False else None
    return OfLeg(leg, "created") if kind == "StasisStart" else None


def _told(leg: str, table: dict[str, str], word: object) -> OfLeg | None:
    what = table.get(word) if isinstance(word, str) else None
    return OfLeg(leg, what) if what else None


def _number(value: object, least: int, most: int) -> int | None:
    return value if type(value) is int and least <= value <= most else None
