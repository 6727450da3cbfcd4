"""An Asterisk without a process and without a wire: the switch of the tests behind ARI's requests and its events as JSON.

It stands where the transport of the connection stands, so that everything from the bytes of a message to the bytes of a request
is the service's own. What it reports is made of recordings of the real one; what else may come is put between by `say`.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import aiohttp
from msgspec.structs import replace

from c2c_stasis.ari.transport import Reply
from c2c_stasis.call.commands import (
    Command,
    CreateBridge,
    CreateLeg,
    DestroyBridge,
    DialLeg,
    HangUpLeg,
    JoinLeg,
    PlayTone,
    StartRingback,
    StopRingback,
)
from c2c_stasis.call.model import LegState, Party, Tone
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
from c2c_stasis.errors import SwitchRefused
from c2c_stasis.ids import CallId, LegId, call_of
from c2c_stasis.lab.script import Script
from tests.ari.server import ANSWERS, OPERATIONS, _api
from tests.call.stories import outward_call
from tests.events.forging import RECORDED, Event, about
from tests.fakes.clock import Clock
from tests.fakes.switch import FakeSwitch

APP = "c2c"
Kind = tuple[str, str | None, str | None]  # type of the event, state of the channel, status of the dial
_KINDS: dict[type[Signal], Kind] = {
    LegCreated: ("StasisStart", None, None),
    LegInvited: ("Dial", None, ""),
    LegProgressed: ("Dial", None, "PROGRESS"),
    LegAnswered: ("ChannelStateChange", "Up", None),
    LegHangingUp: ("ChannelHangupRequest", "Up", None),
    LegJoined: ("ChannelEnteredBridge", None, None),
    LegLeft: ("ChannelLeftBridge", None, None),
    LegEnded: ("ChannelDestroyed", None, None),
}
_STATES = {LegState.UP: "Up", LegState.RINGING: "Ringing"}


def _recording(kind: str, state: str | None, status: str | None) -> Event:
    """A recorded event of this kind, for our calls."""
    for event in RECORDED:
        party = event.get("channel") or event.get("peer") or {}
        fits = event["type"] == kind and event["application"] == APP and state in (None, party.get("state"))
        if fits and status == event.get("dialstatus") and (party.get("id") or "").startswith("call_"):
            return event
    raise LookupError((kind, state, status))


class Message(NamedTuple):
    """One text, as aiohttp gives it."""

    data: bytes
    type: aiohttp.WSMsgType = aiohttp.WSMsgType.TEXT


class Socket:
    """The event connection, as aiohttp gives it."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(self, message: bytes) -> None:
        """Let a message arrive."""
        self._messages.put_nowait(message)

    async def close(self) -> None:
        """Arrive no more."""
        self._messages.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Message]:
        while (message := await self._messages.get()) is not None:
            yield Message(message)


class PlayedAsterisk:
    """`asked` is every request: method, path as it would be on the wire, parameters; `done` those that were not refused. `said`
    are events of its own, `told` counts them, and `opened` the event connections.

    `script` says what the far end of a leg does when it is dialled.
    """

    def __init__(self, clock: Clock, script: Callable[[LegId], Script]) -> None:
        self.switch = FakeSwitch(clock)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.done: list[tuple[str, str, dict[str, Any]]] = []
        self.said: list[bytes] = []
        self.told = 0
        self.opened = 0
        self.sockets: list[Socket] = []
        self.agents: Callable[[str], str] = lambda _: "Acme Phone 1.2"
        self._script = script
        self._rung: set[LegId] = set()

    # --- what it says ---

    def say(self, message: bytes) -> None:
        """Let a message arrive, whatever it is."""
        for socket in self.sockets:
            socket.put(message)

    def receive(self, leg_id: LegId, signal: Signal) -> None:
        """Report what the switch did, as Asterisk does."""
        event = about(_recording(*self._kind(leg_id, signal)), leg_id)
        if isinstance(signal, LegEnded):
            event.pop("tech_cause", None)
            event |= {"cause": signal.cause} | ({"tech_cause": signal.sip_code} if signal.sip_code else {})
        message = json.dumps(event).encode()
        self.said.append(message)
        self.told += 1
        self.say(message)

    def _kind(self, leg_id: LegId, signal: Signal) -> Kind:
        if not isinstance(signal, LegRinging):
            return _KINDS[type(signal)]
        again = leg_id in self._rung
        self._rung.add(leg_id)
        return (
            ("ChannelStateChange", "Ringing", None) if again else ("Dial", None, "RINGING")
        )  # it tells that in both ways

    async def connected(self) -> None:
        """For the switch: it may begin."""

    async def run(self) -> None:
        """Be there until cancelled."""
        await self.switch.run(self)

    # --- the transport ---

    def bar(self) -> None:
        """Somebody else has the application: nobody may come to this here."""
        raise AssertionError("barred")

    async def close(self) -> None:
        """As the real one."""

    async def shut(self) -> None:
        """As the real one."""

    async def ws_connect(self, url: str, params: object = None, headers: object = None, **_: object) -> Socket:
        """Open the event connection."""
        self.opened += 1
        self.sockets = [Socket()]
        return self.sockets[0]

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        headers: object = None,
        data: str | None = None,
    ) -> Reply:
        """asyncari's way."""
        return await self.send(method, urlsplit(url).path, {**(params or {}), **(json.loads(data) if data else {})})

    async def send(self, method: str, path: str, given: Mapping[str, Any]) -> Reply:
        """One request."""
        request = (method, path, dict(given))
        self.asked.append(request)
        await asyncio.sleep(0)
        parts = [unquote(part) for part in path.removeprefix("/ari/").split("/")]
        answer = self._documents(parts) if parts[0] == "api-docs" else self._answer(method, parts, given)
        self.done.append(request)
        return Reply(200, json.dumps(answer).encode())

    def _documents(self, parts: list[str]) -> Any:
        names = sorted({operation[0] for operation in OPERATIONS})
        base = "http://asterisk.invalid:8088/ari"
        if parts[1] == "resources.json":
            apis = [{"path": f"/api-docs/{name}.{{format}}", "description": name} for name in names]
            return {"swaggerVersion": "1.1", "basePath": base, "apis": apis}
        resource = parts[1].removesuffix(".json")
        apis = [_api(*operation[1:]) for operation in OPERATIONS if operation[0] == resource]
        return {"swaggerVersion": "1.1", "basePath": base, "resourcePath": f"/{resource}", "apis": apis, "models": {}}

    def _answer(self, method: str, parts: list[str], given: Mapping[str, Any]) -> Any:
        match method, parts:
            case "GET", ["asterisk", "info"]:
                return ANSWERS["asterisk.getInfo"]
            case "GET", ["asterisk", "config", "dynamic", "res_pjsip", "contact", contact]:
                return [{"attribute": "user_agent", "value": self.agents(contact.partition(";")[0])}]
            case "GET", ["applications", _]:
                return {"channel_ids": [one.id for one in self.switch.channels.values() if one.ours]}
            case "GET", ["channels"]:
                return [_channel(one.id, one.state, ours=one.ours) for one in self.switch.channels.values()]
            case "GET", ["bridges"]:
                return [{"id": bridge, "channels": sorted(legs)} for bridge, legs in self.switch.bridges.items()]
            case "GET", ["channels", _, "variable"]:
                return {"value": self._contacts(given["variable"])}
            case "POST", ["events", "user", name]:
                self.say(json.dumps({"type": "ChannelUserevent", "eventname": name, "application": APP}).encode())
            case _:
                self._act(method, parts, given)
        return {}

    def _act(self, method: str, parts: list[str], given: Mapping[str, Any]) -> None:
        match method, parts:
            case "POST", ["channels", "create"] if not str(given["endpoint"]).startswith("Local/"):
                lifetime = int(given["variables"]["TIMEOUT(absolute)"])
                leg_id = LegId(given["channelId"])
                self._do(CreateLeg(leg_id, given["endpoint"], Party(""), None, "US", lifetime), call_of(leg_id))
            case "POST", ["channels", leg_id, "dial"]:
                channel = self.switch.channels.get(LegId(leg_id))
                if channel is not None:
                    channel.far.script = self._script(LegId(leg_id))
                self._do(DialLeg(LegId(leg_id), given.get("caller"), given["timeout"]), call_of(leg_id))
            case "DELETE", ["channels", leg_id] if not leg_id.startswith("helper_"):
                if LegId(leg_id) not in self.switch.channels:
                    raise SwitchRefused(404, "Channel not found")
                self._do(HangUpLeg(LegId(leg_id), int(given["reason_code"])), call_of(leg_id))
            case "POST", ["bridges", call_id]:
                self._do(CreateBridge(), CallId(call_id))
            case "DELETE", ["bridges", call_id]:
                if CallId(call_id) not in self.switch.bridges:
                    raise SwitchRefused(404, "Bridge not found")
                self._do(DestroyBridge(), CallId(call_id))
            case "POST", ["bridges", call_id, "addChannel"]:
                self._do(JoinLeg(LegId(given["channel"])), CallId(call_id))
            case "POST" | "DELETE", ["channels", leg_id, "ring"]:
                ring = StartRingback if method == "POST" else StopRingback
                self._do(ring(LegId(leg_id)), call_of(leg_id))
            case "POST", ["channels", leg_id, "play"]:
                self._do(PlayTone(LegId(leg_id), Tone.BUSY, "US"), call_of(leg_id))

    def _do(self, command: Command, call_id: CallId) -> None:
        self.switch._carry_out(replace(outward_call(), id=call_id), command)

    def _contacts(self, variable: str) -> str:
        found = re.fullmatch(r"PJSIP_DIAL_CONTACTS\((.+)\)", variable)
        far = self.switch.far_ends.get(found[1]) if found else None
        return "" if far is None else "&".join(f"PJSIP/{far.name}/{uri}" for uri in far.contacts)


def _channel(channel_id: str, state: LegState, *, ours: bool) -> dict[str, Any]:
    dialplan = {"app_name": "Stasis" if ours else "", "app_data": APP}
    return {"id": channel_id, "state": _STATES.get(state, "Down"), "dialplan": dialplan}


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for it."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
