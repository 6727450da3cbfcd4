"""Every phone of the bench, and the carrier, in one process on one socket: SIP over UDP with as little work as it takes.

The phones of the laboratory understand SIP, and cost several milliseconds a call; these cut what they need out of the bytes
that Asterisk writes, and cost a tenth of that. A pair of phones belongs to one user: both ring, and the first of them answers
as soon as both do. The carrier rings and answers at once, and soon hangs up.
"""

import contextlib
import heapq
import io
import json
import secrets
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from c2c_stasis.lab.digest import Credentials, authorization, parse_challenge

BUFFER = 8 << 20  # bytes that the kernel may keep for us while we are busy
AT_A_TIME = 40  # registrations: nobody says them again when the kernel has no room for more
AGAIN_AFTER = 0.5  # seconds without an answer until a message is sent again (RFC 3261 T1)
REGISTERED_FOR = 3600  # seconds
# Seconds from the answer to the carrier's BYE. Of a destination that hangs up within a few milliseconds Asterisk 22.10.1
# now and then reports the end only, and not that it had answered.
TALK = 0.05

_SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n"


@dataclass(slots=True)
class Seen:
    """What the phones saw of one call: moments on the machine's monotonic clock, in seconds, and counts."""

    invited: float = 0.0
    answered: float = 0.0
    destination_invited: float = 0.0
    ended: float = 0.0
    rang: int = 0
    cancelled: int = 0
    destination_invites: int = 0
    destination_ended: bool = False


@dataclass(slots=True)
class Leg:
    """One dialogue with Asterisk."""

    number: bytes
    call_id: bytes
    invite: bytes
    carrier: bool
    wins: bool = False
    confirmed: bool = False
    tag: bytes = field(default_factory=lambda: secrets.token_hex(4).encode())


class Phones:
    """All of them. `talk` is how long the carrier stays, in seconds; None: until it is told to go."""

    def __init__(self) -> None:
        self._server = ("127.0.0.1", 0)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # takes what sound there is, and is never read
        self._deaf.bind(("127.0.0.1", 0))
        self._sdp = _SDP % self._deaf.getsockname()[1]
        self.port: int = self._socket.getsockname()[1]
        self.here = f"127.0.0.1:{self.port}".encode()
        self._devices: dict[str, str] = {}  # passwords by name
        self._waiting: set[str] = set()  # to be registered
        self._unregistered: list[str] = []  # those of them that were not begun
        self._listener: tuple[str, int] | None = None
        self.talk: float | None = TALK
        self.seen: dict[bytes, Seen] = {}
        self.legs: dict[bytes, Leg] = {}
        self._winners: dict[bytes, Leg] = {}
        self._held: list[Leg] = []
        self._departures: list[tuple[float, bytes]] = []
        self._unanswered: dict[tuple[bytes, bytes], tuple[float, bytes]] = {}

    def run(self) -> None:
        """Answer until the standard input ends."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        # Without a buffer: that would hide the second of two lines from the poll.
        commands = io.FileIO(sys.stdin.fileno(), closefd=False)
        poll.register(commands, select.POLLIN)
        look_again = time.monotonic() + AGAIN_AFTER
        while True:
            ready = poll.poll(20 if self._departures else 100)
            for descriptor, _ in ready:
                if descriptor == commands.fileno():
                    line = commands.readline()
                    if not line:
                        return
                    self.obey(json.loads(line))
                else:
                    self._drain()
            now = time.monotonic()
            while self._departures and self._departures[0][0] <= now:
                self._hang_up(self.legs[heapq.heappop(self._departures)[1]])
            if now > look_again:
                look_again = now + AGAIN_AFTER
                self._say_again(now)

    def obey(self, command: dict[str, Any]) -> None:
        """Do what one line of JSON asks for. `register` brings Asterisk's port, and the passwords of the devices."""
        if "listener" in command:
            self._listener = ("127.0.0.1", command["listener"])
        if "talk" in command:
            self.talk = command["talk"]
        if "register" in command:
            self._server = ("127.0.0.1", command["register"])
            self._devices = command["devices"]
            self._waiting = set(self._devices)
            self._unregistered = list(self._devices)
            for _ in range(AT_A_TIME):
                self._register_next()
        if "release" in command:  # so many a second
            now = time.monotonic()
            for place, leg in enumerate(self._held):
                heapq.heappush(self._departures, (now + place / command["release"], leg.call_id))
            self._held.clear()
        if "collect" in command:
            print(json.dumps({number.decode(): asdict(seen) for number, seen in self.seen.items()}), flush=True)
            self.seen.clear()
            self._winners.clear()
            self.legs = {leg.call_id: leg for leg in self._held}

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self._socket.recv(8192)
                if data.startswith(b"SIP/2.0 "):
                    self._take_response(data)
                else:
                    self._take_request(data)

    def _take_request(self, data: bytes) -> None:
        method = data[: data.index(b" ")]
        if method == b"INVITE":
            self._take_invite(data)
            return
        call_id = header(data, b"Call-ID")
        leg = self.legs.get(call_id)
        if method == b"ACK":
            self._unanswered.pop((call_id, b"200"), None)
            if leg is not None and leg.carrier and not leg.confirmed:
                leg.confirmed = True
                self._stay(leg)
            return
        self.send(response(data, b"200 OK", leg.tag if leg else b"t"))
        if leg is None:
            return
        if method == b"CANCEL":
            self.send(response(leg.invite, b"487 Request Terminated", leg.tag))
            seen = self.seen[leg.number]
            seen.cancelled += 1
            self._tell_end(leg.number, seen)
        elif method == b"BYE" and not leg.carrier:
            seen = self.seen[leg.number]
            seen.ended = seen.ended or time.monotonic()
            self._tell_end(leg.number, seen)

    def _take_invite(self, data: bytes) -> None:
        call_id = header(data, b"Call-ID")
        if b";tag=" in header(data, b"To"):  # inside a dialogue: something about the other side has changed
            if known := self.legs.get(call_id):
                self.answer(known, data)
            else:
                self.send(response(data, b"481 Gone", b""))
            return
        if call_id in self.legs:  # it has been answered; that it comes again means that the answer got lost
            return
        self.take_call(data, call_id)

    def take_call(self, data: bytes, call_id: bytes) -> None:
        """A call comes in, at a phone or at the carrier."""
        now = time.monotonic()
        user = data[data.index(b"sip:") + 4 : data.index(b"@")]
        if user[:1] == b"+":
            leg = Leg(user, call_id, data, carrier=True)
            seen = self.seen.setdefault(user, Seen())
            seen.destination_invited = seen.destination_invited or now
            seen.destination_invites += 1
            self.legs[call_id] = leg
            self.send(response(data, b"180 Ringing", leg.tag, b"Contact: <sip:%b>\r\n" % self.here))
            self.answer(leg)
            return
        caller = header(data, b"From")
        number = caller[caller.index(b"sip:") + 4 : caller.index(b"@")]
        leg = Leg(number, call_id, data, carrier=False, wins=int(user[1:]) % 2 == 0)
        self.legs[call_id] = leg
        if leg.wins:
            self._winners[number] = leg
        seen = self.seen.setdefault(number, Seen())
        seen.invited = seen.invited or now
        seen.rang += 1
        self.send(response(data, b"180 Ringing", leg.tag, b"Contact: <sip:%b>\r\n" % self.here))
        if seen.rang == 2 and (winner := self._winners.get(number)):
            seen.answered = time.monotonic()
            self.answer(winner)

    def answer(self, leg: Leg, invite: bytes | None = None) -> None:
        more = b"Contact: <sip:%b>\r\nContent-Type: application/sdp\r\n" % self.here
        answer = response(invite or leg.invite, b"200 OK", leg.tag, more, self._sdp)
        self._unanswered[leg.call_id, b"200"] = (time.monotonic(), answer)
        self.send(answer)

    def _stay(self, leg: Leg) -> None:
        if self.talk is None:
            self._held.append(leg)
        elif self.talk:
            heapq.heappush(self._departures, (time.monotonic() + self.talk, leg.call_id))
        else:
            self._hang_up(leg)

    def _hang_up(self, leg: Leg) -> None:
        contact = header(leg.invite, b"Contact")
        bye = (
            b"BYE %b SIP/2.0\r\nVia: SIP/2.0/UDP %b;rport;branch=z9hG4bK%b\r\nMax-Forwards: 70\r\nFrom: %b;tag=%b\r\nTo: %b\r\n"
            b"Call-ID: %b\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        ) % (
            contact[contact.index(b"<") + 1 : contact.index(b">")],
            self.here,
            secrets.token_hex(6).encode(),
            header(leg.invite, b"To"),
            leg.tag,
            header(leg.invite, b"From"),
            leg.call_id,
        )
        self._unanswered[leg.call_id, b"BYE"] = (time.monotonic(), bye)
        self.send(bye)

    def _take_response(self, data: bytes) -> None:
        if b"REGISTER" in header(data, b"CSeq"):
            self._take_registration(data)
            return
        call_id = header(data, b"Call-ID")
        if self._unanswered.pop((call_id, b"BYE"), None) and (leg := self.legs.get(call_id)):
            self.seen[leg.number].destination_ended = True

    def _tell_end(self, number: bytes, seen: Seen) -> None:
        if self.ended(seen) and self._listener is not None:
            self._socket.sendto(number, self._listener)

    def ended(self, seen: Seen) -> bool:
        """Whether nothing more comes: the user's phone was told of the end, and the other one that it had lost."""
        return seen.ended > 0 and seen.cancelled > 0

    def _say_again(self, now: float) -> None:
        for key, (since, message) in self._unanswered.items():
            if now - since > AGAIN_AFTER:
                self._unanswered[key] = (now, message)
                self.send(message)

    def _register_next(self) -> None:
        if self._unregistered:
            self._register(self._unregistered.pop(0))

    def _register(self, name: str, credentials: bytes = b"", sequence: int = 1) -> None:
        contact = f"sip:{name}@127.0.0.1:{self.port}"
        self.send(
            (
                f"REGISTER sip:{self._server[0]} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};rport;"
                f"branch=z9hG4bK{secrets.token_hex(6)}\r\nMax-Forwards: 70\r\nFrom: <sip:{name}@127.0.0.1>;tag={name}\r\n"
                f"To: <sip:{name}@127.0.0.1>\r\nCall-ID: register-{name}\r\nCSeq: {sequence} REGISTER\r\n"
                f"Contact: <{contact}>\r\nExpires: {REGISTERED_FOR}\r\n"
            ).encode()
            + credentials
            + b"Content-Length: 0\r\n\r\n"
        )

    def _take_registration(self, data: bytes) -> None:
        name = header(data, b"Call-ID").decode().removeprefix("register-")
        if data.startswith(b"SIP/2.0 401"):
            challenge = parse_challenge(header(data, b"WWW-Authenticate").decode())
            who = Credentials(name, self._devices[name])
            proof = authorization(
                challenge, who, method="REGISTER", uri=f"sip:{self._server[0]}", nonce_count=1, cnonce="bench"
            )
            self._register(name, f"{proof[0]}: {proof[1]}\r\n".encode(), 2)
            return
        if not data.startswith(b"SIP/2.0 200"):
            raise RuntimeError(f"{name} cannot register: {data[:40]!r}")
        self._waiting.discard(name)
        self._register_next()
        if not self._waiting:
            print(json.dumps("registered"), flush=True)

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, self._server)


def header(data: bytes, name: bytes) -> bytes:
    """The value of the first header of this name, which must be there; Asterisk writes full names, and as here."""
    start = data.index(b"\r\n%b: " % name) + len(name) + 4
    return data[start : data.index(b"\r\n", start)]


def response(request: bytes, status: bytes, tag: bytes, more: bytes = b"", body: bytes = b"") -> bytes:
    to = header(request, b"To")
    return (
        b"SIP/2.0 %b\r\nVia: %b\r\nFrom: %b\r\nTo: %b%b\r\nCall-ID: %b\r\nCSeq: %b\r\n%bContent-Length: %d\r\n\r\n%b"
    ) % (
        status,
        header(request, b"Via"),
        header(request, b"From"),
        to,
        b"" if b";tag=" in to else b";tag=" + tag,
        header(request, b"Call-ID"),
        header(request, b"CSeq"),
        more,
        len(body),
        body,
    )


def main() -> None:
    """Say on which port the phones are, then do what is asked."""
    phones = Phones()
    print(json.dumps(phones.port), flush=True)
    phones.run()


if __name__ == "__main__":
    main()
