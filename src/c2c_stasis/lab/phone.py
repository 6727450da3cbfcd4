"""A scripted SIP phone: registers, receives and places calls by script, and writes down every message.

One object is one user agent on one UDP port. A carrier is a phone that does not register and chooses a script by
the number that was dialled. Start with `await Phone.start(...)`, script it, and read `phone.calls`.
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Self

from c2c_stasis.lab.addresses import Address
from c2c_stasis.lab.call import SipCall
from c2c_stasis.lab.incoming import PhoneCall, answer_together
from c2c_stasis.lab.observation import DEFAULT_TIMEOUT, NotSeen, Watch
from c2c_stasis.lab.outgoing import PlacedCall
from c2c_stasis.lab.registration import Registration, RegistrationRefused
from c2c_stasis.lab.script import ANSWERS, RINGS, Script, Scripts
from c2c_stasis.lab.sip import SipMessage
from c2c_stasis.lab.transactions import GIVE_UP_IN_T1, T1
from c2c_stasis.lab.user_agent import PRODUCT, Counters, UserAgent
from c2c_stasis.lab.wire import Wire, open_socket, open_wire

__all__ = [
    "ANSWERS",
    "RINGS",
    "Counters",
    "NotSeen",
    "Phone",
    "PhoneCall",
    "PlacedCall",
    "RegistrationRefused",
    "Script",
    "Scripts",
    "answer_together",
]

logger = logging.getLogger(__name__)

Observer = Callable[["Phone", SipMessage], None]

_PARTING = 1.0  # seconds that `stop` waits for the replies to its goodbyes
_UNDERSTOOD = {"timer"}  # what an INVITE may require; session timers are left to the other side (RFC 4028 §9)


class Phone(UserAgent):
    """One SIP user agent on loopback; made with `await Phone.start(...)`, ended with `await phone.stop()`."""

    def __init__(
        self,
        name: str,
        password: str,
        wire: Wire,
        *,
        server: Address | None,
        script: Scripts,
        seed: int | None,
        t1: float,
        keep_messages: bool,
        on_message: Observer | None,
        product: str,
    ) -> None:
        super().__init__(name, password, wire, seed=seed, t1=t1, keep_messages=keep_messages, product=product)
        self.display_name = name
        self.server = server
        self.script = script
        self.queue: deque[Script] = deque()
        """Scripts for the next calls, each used once before `script` counts again."""
        self.calls: list[PhoneCall] = []
        self.placed: list[PlacedCall] = []
        self.on_message = on_message
        self._registration: Registration | None = None
        self._by_call_id: dict[str, SipCall] = {}
        self._arrivals: deque[PhoneCall] = deque()
        self._watch = Watch()
        self._deaf: socket.socket | None = None

    @classmethod
    async def start(
        cls,
        name: str,
        *,
        server: Address | None = None,
        password: str = "",
        script: Scripts = RINGS,
        register: bool = True,
        expires: int = 3600,
        dead: bool = False,
        transport: str = "udp",
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int | None = None,
        t1: float = T1,
        keep_messages: bool = True,
        on_message: Observer | None = None,
        product: str = PRODUCT,
    ) -> Self:
        """Open the phone's port and, when it has a server, register there as `name`.

        `expires` is in seconds. `transport` is `udp`, or `tcp` or `tls` for one connection to the server. `dead` falls
        silent after it has registered. `t1` is the first retransmission interval in seconds (RFC 3261 §17.1.1.1).
        `keep_messages=False` keeps only what live calls need. `product` is its User-Agent. Raises `RegistrationRefused`,
        `NotSeen` or `OSError`, and leaves nothing open then.
        """
        wire = await open_wire(transport, (host, port), server)
        phone = cls(
            name, password, wire, server=server, script=script, seed=seed, t1=t1,
            keep_messages=keep_messages, on_message=on_message, product=product,
        )  # fmt: skip
        if server is not None and register:
            try:
                await phone.register(expires)
            except BaseException:
                await phone.close()
                raise
        phone.dead = dead
        return phone

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self, *, quietly: bool = False) -> None:
        """Say goodbye, at most a second long, and give everything back; a second call does nothing.

        Live calls are refused, cancelled or hung up, and the contact is taken away, also that of a dead phone:
        the laboratory shall be clean. `quietly` vanishes without a word instead, as if unplugged.
        """
        if self.closed:
            return
        if not quietly:
            self.dead = False
            goodbyes = [call.hang_up() for call in self.live_calls]
            if self.registered:
                goodbyes.append(self.unregister())
            await self._say(goodbyes)
        await self.close()

    async def _say(self, goodbyes: Sequence[Coroutine[object, object, None]]) -> None:
        if not goodbyes:
            return
        tasks = [self._loop.create_task(goodbye) for goodbye in goodbyes]
        done, late = await asyncio.wait(tasks, timeout=_PARTING)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in done:
            if (error := task.exception()) is not None:
                logger.debug("goodbye failed", extra={"phone": self.name, "error": str(error)})

    async def close(self) -> None:
        """Give everything back without a word."""
        if self._registration is not None:
            self._registration.stop()
        for call in (*self._by_call_id.values(), *self.calls, *self.placed):
            if call.audio is not None:
                call.audio.close()
        if self._deaf is not None:
            self._deaf.close()
            self._deaf = None
        await super().close()

    # Registration.

    @property
    def registered(self) -> bool:
        """True while the registrar has our contact, as far as we know."""
        return self.registration_seconds > 0

    @property
    def registration_seconds(self) -> int:
        """For how long the registrar took our contact, 0 when it has none."""
        return self._registration.granted if self._registration is not None else 0

    async def register(self, expires: int = 3600) -> None:
        """Register, again or for the first time; raises `RegistrationRefused`, or `NotSeen` when nobody answers."""
        if self.server is None:
            raise ValueError("a phone without a server cannot register")
        if self._registration is None:
            self._registration = Registration(self, self.server)
        await self._registration.register(expires)

    async def unregister(self) -> None:
        """Take our contact away; raises `RegistrationRefused` or `NotSeen`."""
        if self._registration is not None:
            await self._registration.unregister()

    def die(self) -> None:
        """Say nothing any more, neither SIP nor sound; the registration stays and runs out some day."""
        self.dead = True
        for call in self.live_calls:
            if call.audio is not None:
                call.audio.pause()

    # Calls.

    @property
    def identity(self) -> str:
        """Its From value, without a tag."""
        domain = self.server[0] if self.server else self.host
        return f'"{self.display_name}" <sip:{self.name}@{domain}>'

    @property
    def live_calls(self) -> list[SipCall]:
        """The calls that have not ended."""
        return [call for call in (*self.calls, *self.placed) if call.live]

    async def next_call(self, timeout: float = DEFAULT_TIMEOUT) -> PhoneCall:
        """The next incoming call, each given once, in the order of their INVITEs; raises `NotSeen`."""
        await self.wait_for(lambda: bool(self._arrivals), "a call", timeout)
        return self._arrivals.popleft()

    async def wait_for(self, ready: Callable[[], bool], what: str, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Wait until `ready`, which is looked at after every message; raises `NotSeen` after `timeout` seconds."""
        began = self.now()
        if not await self._watch.until(ready, timeout=timeout):
            raise NotSeen(self.name, what, self.now() - began, self.ladder())

    def dial(
        self,
        number: str,
        script: Script | None = None,
        *,
        to: Address | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> PlacedCall:
        """Place a call to a number at the server, or at `to`, or to a whole `sip:` URI; returns at once."""
        peer = to or self.server
        if peer is None:
            raise ValueError("a phone without a server needs an address to call")
        uri = number if number.startswith("sip:") else f"sip:{number}@{peer[0]}:{peer[1]}"
        call = PlacedCall(self, uri, peer, script or Script(), headers)
        self.placed.append(call)
        self._by_call_id[call.call_id] = call
        call.begin()
        return call

    def call_ended(self, call: SipCall) -> None:
        """Let go of what a call needed, once it has ended."""
        if not self.keep_messages:
            self.calls = [one for one in self.calls if one is not call]
            self.placed = [one for one in self.placed if one is not call]
            self._arrivals = deque(one for one in self._arrivals if one is not call)
            call.audio = None
        self.timers.after(GIVE_UP_IN_T1 * self.t1, lambda: self._forget(call))
        self._watch.changed()

    def _forget(self, call: SipCall) -> None:
        if self._by_call_id.get(call.call_id) is call:
            del self._by_call_id[call.call_id]
        call.release()

    def deaf_address(self) -> Address:
        """A port of ours that takes packets and reads none, for calls without media."""
        if self._deaf is None:
            self._deaf = open_socket(self.host, 0, buffer=4096)
        host, port = self._deaf.getsockname()
        return host, port

    # Messages.

    def record(self, message: SipMessage) -> None:
        """Write a message down, for the phone and for its call, and show it to the observer."""
        super().record(message)
        call = self._by_call_id.get(message.call_id)
        if call is not None:
            call.messages.append(message)
        if self.on_message is not None:
            try:
                self.on_message(self, message)
            except Exception as exc:
                self.report(exc)

    def settled(self) -> None:
        """Let those who wait look again."""
        self._watch.changed()

    def take_request(self, message: SipMessage) -> None:
        """Handle one request: of a call, for a new call, or about the phone itself."""
        if message.method != "ACK" and message.via.branch and self._is_repeat(message):
            return
        call = self._by_call_id.get(message.call_id)
        if message.method == "INVITE" and not message.to.tag:
            self._take_invite(message, call)
            return
        self.record(message)
        self._count(message)
        if message.method == "CANCEL":
            self._take_cancel(message, call)
        elif message.method == "ACK":
            if call is not None:
                call.take_request(message)
        elif message.to.tag:
            if call is not None and call.local_tag == message.to.tag:
                call.take_request(message)
            else:
                self.reply(message, 481)
        else:
            self.reply(message, 200 if message.method in ("OPTIONS", "NOTIFY", "MESSAGE") else 405)

    def _is_repeat(self, message: SipMessage) -> bool:
        if not self.transactions.knows(message):
            return False
        self.counters.repeats += 1
        self.record(message)
        self.transactions.repeat_reply(message)
        return True

    def _count(self, message: SipMessage) -> None:
        self.counters.cancels += message.method == "CANCEL"
        self.counters.byes += message.method == "BYE"

    def _take_invite(self, message: SipMessage, known: SipCall | None) -> None:
        if known is not None and known.live:  # the same INVITE by another way (RFC 3261 §8.2.2.2)
            self.record(message)
            self.reply(message, 482)
            return
        missing = [word for word in _required(message) if word not in _UNDERSTOOD]
        if missing:
            self.record(message)
            self.reply(message, 420, [("Unsupported", ", ".join(missing))])
            return
        self.counters.invites += 1
        call = PhoneCall(self, message, self._script_for(message))
        self._by_call_id[message.call_id] = call
        self.calls.append(call)
        self._arrivals.append(call)
        self.record(message)
        call.begin()

    def _script_for(self, invite: SipMessage) -> Script:
        if self.queue:
            return self.queue.popleft()
        return self.script if isinstance(self.script, Script) else self.script(invite)

    def _take_cancel(self, message: SipMessage, call: SipCall | None) -> None:
        if isinstance(call, PhoneCall) and call.invite.via.branch == message.via.branch:
            call.take_cancel(message)
        else:
            self.reply(message, 481)


def _required(message: SipMessage) -> list[str]:
    return [word.strip() for line in message.headers_all("Require") for word in line.split(",") if word.strip()]
