"""Events as no Asterisk sends them: recordings of the real one, changed in every way that comes to mind.

All chance comes from one `Random`, so that a seed, hypothesis (`st.randoms`) or a fuzzer's bytes lead it. What is put into
texts holds `MARK`, and a character that no name, address or id may have: whoever finds it elsewhere has found a hole.
"""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

RECORDINGS = Path(__file__).parents[1] / "ari" / "recordings"
RECORDED_CALL = "call_01h2xcejqtf2nbrexx3vqjhp41"
MARK = "mArK7zQ"

Event = dict[str, Any]


def _recorded() -> list[Event]:
    """Every recorded event, each kind of one scene once."""
    seen: dict[str, Event] = {}
    for path in sorted(RECORDINGS.glob("*.json")):
        for event in json.loads(path.read_text()):
            party = event.get("channel") or event.get("peer") or {}
            kind = (path.stem, event["type"], event["application"], party.get("id"), event.get("dialstatus"))
            seen.setdefault(
                repr((*kind, party.get("state"), event.get("contact_info", {}).get("contact_status"))), event
            )
    return list(seen.values())


RECORDED = _recorded()

# Every type that the model of Asterisk 22.10.1 has (`/ari/api-docs/events.json`).
TYPES = (
    *("ApplicationMoveFailed", "ApplicationRegistered", "ApplicationReplaced", "ApplicationUnregistered"),
    *("BridgeAttendedTransfer", "BridgeBlindTransfer", "BridgeCreated", "BridgeDestroyed", "BridgeMerged"),
    *("BridgeVideoSourceChanged", "ChannelCallerId", "ChannelConnectedLine", "ChannelCreated", "ChannelDestroyed"),
    *("ChannelDialplan", "ChannelDtmfReceived", "ChannelEnteredBridge", "ChannelHangupRequest", "ChannelHold"),
    *("ChannelLeftBridge", "ChannelStateChange", "ChannelTalkingFinished", "ChannelTalkingStarted"),
    *("ChannelToneDetected", "ChannelTransfer", "ChannelUnhold", "ChannelUserevent", "ChannelVarset"),
    *("ContactStatusChange", "DeviceStateChanged", "Dial", "EndpointStateChange", "MissingParams", "PeerStatusChange"),
    *("PlaybackContinuing", "PlaybackFinished", "PlaybackStarted", "RecordingFailed", "RecordingFinished"),
    *(
        "RecordingStarted",
        "RESTHeader",
        "RESTRequest",
        "RESTResponse",
        "StasisEnd",
        "StasisStart",
        "TextMessageReceived",
    ),
)


@dataclass(frozen=True)
class Cast:
    """Whom forged events may be about: `legs` are those of calls, live or not, `endpoints` those that are followed."""

    app: str
    legs: Sequence[str]
    endpoints: Sequence[str]


NASTY = (
    "\x1b[2J\x1b]0;owned\x07",
    "\r\nINFO forged: a line of its own",
    "\r\nX-Header: injected\r\n\r\n",
    "\u202eexe.gpj",
    "\u2028\u2029\x85",
    "\x00",
    "\x7f\x9b31m",
    '"><script>alert(1)</script>',
    "%s%n{0}{__class__}${jndi:ldap://x}",
    "../../../../etc/passwd",
    "%2e%2e%2f%0d%0a",
    "' OR 1=1 --",
    "PJSIP/15551234567@carrier & Local/911@any",
    "sip:evil@evil.example>;x=\r\n",
    'c2c_calls_live{forged="1"} 1\n',
    "\U000e0041\U0001f600\ufeff\u200b",
    "٩١١",
    "ａ１",
)


def nasty(rng: Random) -> str:
    """A text that wants out."""
    text = f"{MARK} {rng.choice(NASTY)}"
    size = rng.choice((0, 0, 0, 0, 200, 5_000, 40_000)) if rng.random() < 0.2 else 0
    return text + "x" * size


def _weird(rng: Random) -> Any:
    """A value of a type, or of a size, that nobody expects."""
    depth = rng.choice((3, 60))
    nested: Any = {}
    for _ in range(depth):
        nested = [nested] if rng.random() < 0.5 else {"id": nested}
    values: tuple[Any, ...] = (
        *(None, True, False, 0, -1, 1, 17, 127, 128, 255, 486, 16.0, 17.5, -0.0, 1e300),
        *(2**31, 2**63 - 1, 2**63, 2**64, 10**30, -(10**300)),
        *("", " ", "0", "16", "486", "null", "Up", "Ringing", "RINGING", [], {}, [[]], [{}], [None], {"id": None}),
        *(["Up"], {"a": "b"}, nested, [0] * 200, {str(n): n for n in range(100)}),
    )
    return rng.choice(values) if rng.random() < 0.8 else nasty(rng)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside."""
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = dict(enumerate(value)).items()
    else:
        return []
    return [place for key, one in inner for place in ((*path, key), *_places(one, (*path, key)))]


def _at(event: Any, path: Sequence[Any]) -> Any:
    for key in path:
        event = event[key]
    return event


def _somewhere(rng: Random, event: Event) -> tuple[Any, Any] | None:
    """A place in the event: what holds it, and its key. Those that carry meaning come more often."""
    places = _places(event)
    if not places:
        return None
    telling = [one for one in places if one[-1] in _TELLING]
    path = rng.choice(telling if telling and rng.random() < 0.6 else places)
    return _at(event, path[:-1]), path[-1]


_TELLING = frozenset(
    {"type", "application", "id", "state", "cause", "tech_cause", "soft", "dialstatus", "peer", "channel", "bridge"}
    | {"endpoint", "contact_info", "uri", "contact_status", "resource", "technology", "channelvars"}
)


def _drop(rng: Random, event: Event, cast: Cast) -> None:
    if place := _somewhere(rng, event):
        del place[0][place[1]]


def _replace(rng: Random, event: Event, cast: Cast) -> None:
    if place := _somewhere(rng, event):
        place[0][place[1]] = _weird(rng)


def _retype(rng: Random, event: Event, cast: Cast) -> None:
    if place := _somewhere(rng, event):
        old = place[0][place[1]]
        place[0][place[1]] = rng.choice((str(old), [old], {"id": old}, json.dumps(old), None, bool(old)))


def _spoil(rng: Random, event: Event, cast: Cast) -> None:
    """Put something into a text."""
    if place := _somewhere(rng, event):
        old = str(place[0][place[1]])
        bad = nasty(rng)
        place[0][place[1]] = rng.choice((bad, old + bad, bad + old, old[: len(old) // 2] + bad + old[len(old) // 2 :]))


def _almost(rng: Random, event: Event, cast: Cast) -> None:
    """Change a text so little that a careless reader takes it for the same."""
    place = _somewhere(rng, event)
    if place is None or not isinstance(place[0][place[1]], str):
        return
    old: str = place[0][place[1]]
    middle = rng.randrange(len(old) + 1)
    place[0][place[1]] = rng.choice(
        (
            *(old + "\n", " " + old, old + "\x00", old + "/", old + ".", "." + old, old + ".a1", old + "a", old + "1"),
            *(old.upper(), old.lower(), old.title(), old[:-1], old[1:], old[:middle] + "\u200b" + old[middle:]),
            *(old.replace("1", "١"), old.replace("a", "а"), old.replace(".", "%2e"), old.partition(".")[0]),
        )
    )


def _other_id(rng: Random, event: Event, cast: Cast) -> None:
    """Let it be about another leg, bridge or endpoint; perhaps one that there never was."""
    leg = rng.choice(cast.legs) if rng.random() < 0.7 else f"call_{rng.choice('01234567')}{rng.getrandbits(90):025x}.a1"
    for party in ("channel", "peer"):
        if isinstance(event.get(party), dict) and rng.random() < 0.8:
            event[party]["id"] = leg
    if isinstance(event.get("bridge"), dict) and rng.random() < 0.7:
        event["bridge"]["id"] = rng.choice((leg.partition(".")[0], rng.choice(cast.legs).partition(".")[0], leg))
    if isinstance(event.get("endpoint"), dict):
        event["endpoint"]["resource"] = rng.choice((*cast.endpoints, "nobody", "", f"d{rng.getrandbits(30)}"))


def _other_type(rng: Random, event: Event, cast: Cast) -> None:
    event["type"] = rng.choice(
        (*TYPES, "channeldestroyed", "CHANNELDESTROYED", "ChannelDestroyed ", "Event", "", nasty(rng))
    )


def _other_application(rng: Random, event: Event, cast: Cast) -> None:
    app = cast.app
    event["application"] = rng.choice(
        (
            app,
            f"{app}-devices",
            "another",
            app.upper(),
            f"{app} ",
            f"{app}\n",
            "",
            None,
            [app],
            f"{app}-device",
            nasty(rng),
        )
    )


def _swap_parties(rng: Random, event: Event, cast: Cast) -> None:
    event["channel"], event["peer"] = event.get("peer"), event.get("channel")


def _measured(rng: Random, event: Event, cast: Cast) -> None:
    """A report of the media that nobody can have measured."""
    numbers = ("1e308", "-1e308", "nan", "inf", "-1", "9" * 400, "0x10", "1_0", "١", "", nasty(rng), "50", "0.02", "7")
    names = ("rxcount", "lp", "txmes", "rtt", "txjitter", "rxjitter", MARK)
    report = rng.choice((";", ";;", "\n")).join(f"{name}={rng.choice(numbers)}" for name in names)
    channel = event.get("channel")
    if isinstance(channel, dict):
        channel["channelvars"] = {"RTPAUDIOQOS": report, "RTPAUDIOQOSJITTER": f"avgrxjitter={rng.choice(numbers)}"}


def _more(rng: Random, event: Event, cast: Cast) -> None:
    """Fields that nobody knows, as a newer Asterisk may have them."""
    target = event
    if isinstance(event.get("channel"), dict) and rng.random() < 0.5:
        target = event["channel"]
    for _ in range(rng.randint(1, 4)):
        target[rng.choice(("new", "soft", "__proto__", "", "args", "call_id", nasty(rng)))] = _weird(rng)


CHANGES: tuple[Callable[[Random, Event, Cast], None], ...] = (
    *(_drop, _drop, _replace, _replace, _replace, _retype, _spoil, _spoil, _almost, _almost),
    *(_other_id, _other_id, _other_type, _other_application, _swap_parties, _measured, _more),
)


def about(event: Event, leg: str) -> Event:
    """A copy of a recorded event, about another leg and its call."""
    call = leg.partition(".")[0]
    party = (event.get("channel") or event.get("peer") or {}).get("id", "none")
    text = json.dumps(event).replace(party, leg).replace(RECORDED_CALL, call)
    copied: Event = json.loads(text)
    return copied


def forge(rng: Random, cast: Cast, event: Event | None = None) -> bytes:
    """The bytes of one message: a recorded event about one of the cast, changed once or several times, or no event at all."""
    event = about(event or rng.choice(RECORDED), rng.choice(cast.legs))
    if event["application"] in ("c2c", "c2c-devices"):
        event["application"] = event["application"].replace("c2c", cast.app)
    if "contact_info" in event:
        event["endpoint"]["resource"] = rng.choice(cast.endpoints)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        event = copy.deepcopy(event)
        rng.choice(CHANGES)(rng, event, cast)
    message = json.dumps(event, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return message if rng.random() < 0.8 else _damage(rng, message, cast)


def _damage(rng: Random, message: bytes, cast: Cast) -> bytes:
    """Bytes that are no JSON any more, or no longer the JSON that they were."""
    at = rng.randrange(len(message) + 1)
    way = rng.randrange(16)
    deep = rng.choice((5_000, 100_000))
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: message[:at],
        lambda: message[at:],
        lambda: message[:at] + bytes([rng.getrandbits(8)]) + message[at + 1 :],
        lambda: message[:at] + bytes(rng.getrandbits(8) for _ in range(rng.randint(1, 8))) + message[at:],
        lambda: (
            message[:at]
            + rng.choice((b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00"))
            + message[at:]
        ),
        lambda: message + message,
        lambda: message + b"\n" + message,
        lambda: b"\xef\xbb\xbf" + message,
        lambda: b"[" + message + b"]",
        lambda: message[:-1] + b',"type":"ChannelDestroyed","cause":NaN}',
        lambda: message[:-1] + rng.choice((b',"cause":1e999}', b',"cause":' + b"9" * 5_000 + b"}", b',"x":Infinity}')),
        lambda: message[:-1] + b',"application":"another","application":"' + cast.app.encode() + b'"}',
        lambda: message[:-1] + b',"x":"\\ud800","y":"\\udc00\\ud800"}',
        lambda: message[:-1] + b',"x":' + b"[" * deep + b"]" * deep + b"}",
        lambda: rng.choice((b"", b" ", b"null", b"0", b'"text"', b"[]", b"{}", b"{", b"true", b'{"type":null}')),
        lambda: message.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-32", "latin-1")), "replace"),
    )
    return ways[way]()
