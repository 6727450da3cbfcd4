"""A switch that behaves like Asterisk 22.10.1 behind `ari.connection.Connection`, with scripted far ends.

It keeps channels and bridges until they are ended, reports in the orders of the recordings in `tests/ari/recordings`, and
refuses what Asterisk refuses. `tests/contract` holds it and the real one to the same stories. On top of that a test may
spoil it: `weather` loses, delays, reorders and repeats reports, `meddle` comes between a command and its effect, `cut`,
`mend` and `restart` take the connection or everything away.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import assert_never

from c2c_stasis.ari.connection import AppTaken
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
from c2c_stasis.call.model import Call, LegState, Party, Tone
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
from c2c_stasis.directory.sip_account import Registrant
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.ids import CallId, LegId
from c2c_stasis.lab.script import RINGS, Script
from c2c_stasis.ports import Clock, Contact, Listener, Stock

_ENDPOINT = re.compile(r"PJSIP/(?:(?P<number>[^@/]+)@)?(?P<name>[^@/]+)(?:/(?P<uri>sip:.+))?")

# Asterisk's `hangup_sip2cause`, as far as it is used here, and its way back.
_CAUSE_OF_SIP = {302: 23, 403: 21, 404: 1, 408: 18, 480: 19, 484: 28, 486: 17, 500: 38, 503: 34, 600: 17, 603: 21}
_SIP_OF_CAUSE = {1: 404, 3: 404, 17: 486, 19: 480, 20: 480, 21: 403, 27: 502, 31: 480, 34: 503, 38: 500, 42: 503}

STASIS_TAKES = 0.002  # seconds from a channel's creation until it is ours and may be dialled
_NORMAL, _TIMED_OUT, _SWEPT, _REJECTED = 16, 19, 31, 21

Act = Callable[[], Awaitable[None]]


@dataclass(eq=False)
class Ring:
    """One INVITE that a far end got, and what became of it; a test may take every step at any moment."""

    switch: "FakeSwitch"
    leg_id: LegId
    endpoint: str
    shown: Party | None
    script: Script
    cause: int | None = None
    ended: bool = False

    def ring(self) -> None:
        """180: Asterisk reports it twice."""
        self.switch.ring(self.leg_id)

    def progress(self) -> None:
        """183 with sound."""
        self.switch.progress(self.leg_id)

    def answer(self) -> None:
        """200."""
        self.switch.answer(self.leg_id)

    def reject(self, status: int) -> None:
        """A final refusal."""
        self.switch.end(self.leg_id, _CAUSE_OF_SIP.get(status, 127), status)

    def hang_up(self, cause: int = _NORMAL) -> None:
        """BYE."""
        self.switch.hung_up(self.leg_id, cause)


@dataclass(eq=False)
class FarEnd:
    """A phone, which is registered by its contacts, or a trunk, which needs none. `rings` is what came in."""

    name: str
    script: Script
    trunk: bool = False
    contacts: dict[str, Contact] = field(default_factory=dict)
    rings: list[Ring] = field(default_factory=list)

    @property
    def last(self) -> Ring:
        """The INVITE that came in last."""
        return self.rings[-1]

    def register(self, uri: str = "", *, user_agent: str = "") -> str:
        """Add a contact; its URI is given back."""
        uri = uri or f"sip:{self.name}@192.0.2.{len(self.contacts) + 1}:5060"
        self.contacts[uri] = Contact(uri, user_agent=user_agent)
        return uri

    def unregister(self, uri: str) -> None:
        """Take a contact away."""
        self.contacts.pop(uri, None)

    def vanish(self, uri: str) -> None:
        """Let a contact not answer any more: a qualify request found out."""
        self.contacts[uri] = replace(self.contacts[uri], reachable=False)


@dataclass(eq=False)
class Channel:
    """One channel, as Asterisk knows it."""

    id: LegId
    far: FarEnd
    endpoint: str
    caller: Party
    app: str = ""  # the application that made it
    ours: bool = False  # whether Stasis has it: it may be dialled only then
    dialled: bool = False
    on_behalf: bool = False  # of another channel: it can be seen that it was dialled
    state: LegState = LegState.READY
    bridge: CallId | None = None
    heard: list[str] = field(default_factory=list)  # what was played to it
    ring: Ring | None = None
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    last_timer: asyncio.TimerHandle | None = None  # the one that ends it whatever becomes of us


class FakeSwitch:
    """Asterisk and the connection to it, as the service sees them. `asked` are all commands that arrived, in order."""

    def __init__(self, clock: Clock, note: Callable[[Command], None] = lambda _: None) -> None:
        self.clock = clock
        self._note = note
        self.far_ends: dict[str, FarEnd] = {}
        self.channels: dict[LegId, Channel] = {}
        self.bridges: dict[CallId, set[LegId]] = {}
        self.asked: list[Command] = []
        self.watched: frozenset[str] = frozenset()
        self.phones: dict[str, Registrant] = {}
        self.problem = "not connected yet"
        self.answering = True
        self.app = "c2c"  # under which name the service is connected
        self.meddle: Callable[[Command, Act], Awaitable[None]] | None = None
        self.weather: Callable[[Signal], Sequence[float]] = lambda _: (0.0,)
        self.prompt = False  # whether reports overtake the replies to their commands
        self.look_takes = 0.0  # seconds
        self.started_at = clock.now().wall
        self._reachable = True
        self._taken = False
        self._connected = False
        self._made_by: dict[LegId, str] = {}  # the application of every leg that there ever was
        self._listener: Listener | None = None
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._up.set()
        self._loop = asyncio.get_running_loop()

    # --- the far ends ---

    def phone(self, name: str, script: Script = RINGS, *, contacts: int = 1) -> FarEnd:
        """A phone that is registered in so many places."""
        phone = self.far_ends[name] = FarEnd(name, script)
        for _ in range(contacts):
            phone.register()
        return phone

    def trunk(self, name: str, script: Script = RINGS) -> FarEnd:
        """A carrier."""
        trunk = self.far_ends[name] = FarEnd(name, script, trunk=True)
        return trunk

    # --- the port ---

    @property
    def connected(self) -> bool:
        return self._connected

    def contacts(self, endpoint: str) -> Sequence[Contact]:
        far = self.far_ends.get(endpoint)
        return tuple(far.contacts.values()) if far is not None and endpoint in self.watched else ()

    async def watch(self, endpoints: Iterable[str]) -> None:
        """Say which endpoints matter."""
        self.watched = frozenset(endpoints)

    async def provision(self, phones: Mapping[str, Registrant], removed: Iterable[str]) -> None:
        """Say which phones it must have; they are there at once."""
        self.phones = dict(phones)

    def provisioned(self, endpoint: str) -> bool:
        return self.connected and endpoint in self.phones

    async def execute(self, call: Call, command: Command) -> None:
        self.asked.append(command)
        self._note(command)
        await asyncio.sleep(0)
        if not self._reachable:
            raise SwitchUnavailable("Asterisk cannot be reached")

        async def act() -> None:
            self._carry_out(call, command)

        await (self.meddle(command, act) if self.meddle is not None else act())

    async def look(self) -> Stock:
        await asyncio.sleep(0)
        if not self._reachable:
            raise SwitchUnavailable("Asterisk cannot be reached")
        stock = Stock(
            {
                one.id: one.state if one.ours else LegState.CREATING
                for one in self.channels.values()
                if self._hears(one)
            },
            {bridge: frozenset(members) for bridge, members in self.bridges.items()},
            self.started_at,
            frozenset(one.id for one in self.channels.values() if not self._hears(one)),
        )
        await asyncio.sleep(self.look_takes)
        return stock

    async def was_dialled(self, leg_id: LegId) -> bool | None:
        await asyncio.sleep(0)
        if not self._reachable:
            raise SwitchUnavailable("Asterisk cannot be reached")
        channel = self.channels.get(leg_id)
        return None if channel is None else channel.on_behalf

    async def sweep(self, legs: Iterable[LegId], bridges: Iterable[CallId]) -> None:
        await asyncio.sleep(0)
        for leg_id in legs:
            self.hang_up(leg_id, _SWEPT)
        for bridge_id in bridges:
            self._destroy_bridge(bridge_id)

    async def run(self, listener: Listener) -> None:
        """Be connected whenever possible, until cancelled or displaced."""
        self._listener = listener
        try:
            while True:
                await self._up.wait()
                self._connected, self.problem = True, ""
                with suppress(SwitchUnavailable):
                    await listener.connected()
                    await self._down.wait()
                self._connected, self.problem = False, "the event connection to Asterisk is lost"
                if self._taken:
                    raise AppTaken("fake")
        finally:
            self._connected, self._listener = False, None

    # --- mishaps ---

    def cut(self, *, reachable: bool = False) -> None:
        """Lose the connection: no report arrives any more, and unless it is `reachable` no command either."""
        self._connected, self._reachable = False, reachable
        self._up.clear()
        self._down.set()

    def mend(self) -> None:
        """Let the connection come back; what was reported meanwhile is lost."""
        self._reachable = True
        self._down.clear()
        self._up.set()

    def restart(self) -> None:
        """Begin anew: the connection is lost, every channel and bridge is gone, and nothing of it was reported."""
        self.cut()
        for channel in list(self.channels.values()):
            self._forget(channel)
        self.bridges.clear()
        self.started_at = self.clock.now().wall

    def take_over(self) -> None:
        """Let another service connect under our application's name."""
        self._taken = True
        self.cut()

    @property
    def empty(self) -> bool:
        """Whether nothing is left: no channel, no bridge."""
        return not self.channels and not self.bridges

    # --- what far ends do ---

    def ring(self, leg_id: LegId) -> None:
        """The far end of this channel rings; Asterisk says so twice, by a `Dial` event and by a change of state."""
        channel = self.channels.get(leg_id)
        if channel is not None and channel.state is not LegState.UP:
            channel.state = LegState.RINGING
            self._report(leg_id, LegRinging(leg_id))
            self._report(leg_id, LegRinging(leg_id))

    def progress(self, leg_id: LegId) -> None:
        """The far end sends early media; the channel's state stays as it is."""
        channel = self.channels.get(leg_id)
        if channel is not None and channel.state is not LegState.UP:
            self._report(leg_id, LegProgressed(leg_id))

    def answer(self, leg_id: LegId) -> None:
        """The far end answers."""
        channel = self.channels.get(leg_id)
        if channel is not None and channel.state is not LegState.UP:
            self._stop(channel)
            channel.state = LegState.UP
            self._report(leg_id, LegAnswered(leg_id))
            if channel.ring is not None and channel.ring.script.hang_up_after is not None:
                self._later(channel, channel.ring.script.hang_up_after, lambda: self.hung_up(leg_id, _NORMAL))

    def hung_up(self, leg_id: LegId, cause: int) -> None:
        """The far end hangs up; Asterisk says so before the channel leaves its bridge."""
        channel = self.channels.get(leg_id)
        if channel is not None and channel.state is LegState.UP:
            self._report(leg_id, LegHangingUp(leg_id))
        self.end(leg_id, cause, None)

    def end(self, leg_id: LegId, cause: int, sip_code: int | None) -> None:
        """The channel ends, by whomever."""
        channel = self.channels.get(leg_id)
        if channel is None:
            return
        if channel.bridge is not None:
            self._leave(channel)
        if channel.ring is not None:
            channel.ring.cause, channel.ring.ended = cause, True
        self._forget(channel)
        self._report(leg_id, LegEnded(leg_id, cause, sip_code))

    def hang_up(self, leg_id: LegId, cause: int) -> None:
        """The channel is ended by our side."""
        channel = self.channels.get(leg_id)
        if channel is not None:
            self.end(leg_id, cause, _SIP_OF_CAUSE.get(cause, None if channel.dialled else 603))

    # --- inside ---

    def _carry_out(self, call: Call, command: Command) -> None:
        match command:
            case CreateLeg():
                self._create(command)
            case DialLeg(leg_id, caller, timeout):
                self._dial(leg_id, caller, timeout)
            case HangUpLeg(leg_id, cause):
                self.hang_up(leg_id, cause)
            case CreateBridge():
                self.bridges.setdefault(call.id, set())
            case JoinLeg(leg_id):
                self._join(call.id, leg_id)
            case StartRingback(leg_id):
                self._hear(leg_id, "ringback")
            case StopRingback(leg_id):
                self._hear(leg_id, "")
            case PlayTone(leg_id, tone, region):
                self._hear(leg_id, f"{Tone(tone)} of {region}")
            case DestroyBridge():
                self._destroy_bridge(call.id)
            case _:
                assert_never(command)

    def _create(self, command: CreateLeg) -> None:
        if command.leg_id in self.channels:
            return  # 409, which says that it has been done already
        parts = _ENDPOINT.fullmatch(command.endpoint)
        far = self.far_ends.get(parts["name"]) if parts else None
        if parts is None or far is None or not (far.trunk or parts["uri"] or _dialable(far)):
            raise SwitchRefused(500, "Allocation failed")
        channel = Channel(command.leg_id, far, command.endpoint, command.caller, self.app)
        self._made_by[channel.id] = self.app
        self.channels[channel.id] = channel
        if not self._connected:
            self._loop.call_soon(self._forget, channel)  # no application takes it: it vanishes at once
            return
        channel.last_timer = self._loop.call_later(command.lifetime, self._outlive, channel)
        if self.prompt:
            self._enter_stasis(channel)
        else:
            self._later(channel, STASIS_TAKES, lambda: self._enter_stasis(channel))

    def _enter_stasis(self, channel: Channel) -> None:
        if self.channels.get(channel.id) is channel:
            channel.ours = True
            self._report(channel.id, LegCreated(channel.id))

    def _dial(self, leg_id: LegId, caller: LegId | None, timeout: int) -> None:
        channel = self._channel(leg_id, missing=404)
        if not channel.ours:
            raise SwitchRefused(409, "Channel not in Stasis application")
        if channel.state is not LegState.READY:
            raise SwitchRefused(409, "Channel is not in the 'Down' state")
        if channel.dialled:
            self.end(leg_id, _NORMAL, None)  # a second dial cancels what does not ring yet
            return
        channel.dialled, channel.on_behalf = True, caller is not None
        shown = self.channels[caller].caller if caller in self.channels else None
        script = channel.far.script
        channel.ring = Ring(self, leg_id, channel.endpoint, shown, script)
        channel.far.rings.append(channel.ring)
        self._report(leg_id, LegInvited(leg_id))
        self._later(channel, timeout, lambda: self._give_up(channel))
        if script.silent:
            return
        refusal = script.reject or (302 if script.redirect_to else None)
        steps: list[tuple[float | None, Callable[[], None]]] = [
            (script.ring_after, channel.ring.ring),
            (script.progress_after, channel.ring.progress),
            (
                script.reject_after if refusal else None,
                lambda: channel.ring.reject(refusal or 603) if channel.ring else None,
            ),
            (script.answer_after, channel.ring.answer),
        ]
        for after, step in sorted(
            ((after, step) for after, step in steps if after is not None), key=lambda due: due[0]
        ):
            self._later(channel, after, step)

    def _give_up(self, channel: Channel) -> None:
        if channel.state is not LegState.UP:
            self.end(channel.id, _TIMED_OUT, 480)

    def _outlive(self, channel: Channel) -> None:
        self.end(channel.id, *((_NORMAL, None) if channel.dialled else (_REJECTED, 603)))

    def _join(self, bridge_id: CallId, leg_id: LegId) -> None:
        if bridge_id not in self.bridges:
            raise SwitchRefused(404, "Bridge not found")
        channel = self._channel(leg_id, missing=400)
        if not channel.ours:
            raise SwitchRefused(422, "Channel not in Stasis application")
        if channel.bridge is not None:
            self._leave(channel)
        channel.bridge = bridge_id
        self.bridges[bridge_id].add(leg_id)
        self._report(leg_id, LegJoined(leg_id))

    def _hear(self, leg_id: LegId, sound: str) -> None:
        channel = self._channel(leg_id, missing=404)
        if channel.state is not LegState.UP:
            raise SwitchRefused(412, "Channel in invalid state")
        channel.heard.append(sound)

    def _destroy_bridge(self, bridge_id: CallId) -> None:
        for leg_id in sorted(self.bridges.get(bridge_id, ())):
            self._leave(self.channels[leg_id])
        self.bridges.pop(bridge_id, None)

    def _leave(self, channel: Channel) -> None:
        assert channel.bridge is not None
        self.bridges[channel.bridge].discard(channel.id)
        channel.bridge = None
        self._report(channel.id, LegLeft(channel.id))

    def _hears(self, channel: Channel) -> bool:
        return channel.app == self.app

    def _channel(self, leg_id: LegId, *, missing: int) -> Channel:
        channel = self.channels.get(leg_id)
        if channel is None:
            raise SwitchRefused(missing, "Channel not found")
        return channel

    def _forget(self, channel: Channel) -> None:
        self._stop(channel)
        if channel.last_timer is not None:
            channel.last_timer.cancel()
        if self.channels.get(channel.id) is channel:
            del self.channels[channel.id]

    def _later(self, channel: Channel, seconds: float, step: Callable[[], None]) -> None:
        channel.timers.append(self._loop.call_later(seconds, step))

    def _stop(self, channel: Channel) -> None:
        for timer in channel.timers:
            timer.cancel()
        channel.timers.clear()

    def _report(self, leg_id: LegId, signal: Signal) -> None:
        for delay in self.weather(signal):
            if delay:
                self._loop.call_later(delay, self._deliver, leg_id, signal)
            elif self.prompt:
                self._deliver(leg_id, signal)
            else:
                self._loop.call_soon(self._deliver, leg_id, signal)

    def _deliver(self, leg_id: LegId, signal: Signal) -> None:
        if self._connected and self._listener is not None and self._made_by.get(leg_id, self.app) == self.app:
            self._listener.receive(leg_id, signal)


def _dialable(far: FarEnd) -> bool:
    return any(contact.reachable for contact in far.contacts.values())
