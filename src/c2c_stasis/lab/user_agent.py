"""The part of a phone that speaks SIP but knows no calls: its wire, transactions, digest, and the record."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass

from c2c_stasis.lab.addresses import Address, SipSyntaxError
from c2c_stasis.lab.digest import Challenge, ChallengeNotUnderstood, Credentials, authorization, challenge_in
from c2c_stasis.lab.observation import ladder
from c2c_stasis.lab.sip import METHODS, SipMessage, parse, response_to
from c2c_stasis.lab.transactions import Timers, Transactions
from c2c_stasis.lab.wire import Wire

logger = logging.getLogger(__name__)

_MOST_TRIES = 3  # of a challenged request: without proof, with proof, with proof for a new nonce

PRODUCT = "c2c-stasis phone"  # what a scripted phone calls itself

Build = Callable[[Sequence[tuple[str, str]]], SipMessage]


@dataclass(slots=True)
class Counters:
    """What a phone counted; each request once, however often it was repeated."""

    invites: int = 0
    answers: int = 0
    rejects: int = 0
    cancels: int = 0
    byes: int = 0
    repeats: int = 0
    """Requests that came again although they were answered or being answered."""
    sent: int = 0
    received: int = 0


class UserAgent:
    """Sends and receives SIP over one wire; `Phone` makes calls of it."""

    def __init__(
        self,
        name: str,
        password: str,
        wire: Wire,
        *,
        seed: int | None,
        t1: float,
        keep_messages: bool,
        product: str,
    ) -> None:
        self.name = name
        self.product = product
        self.messages: list[SipMessage] = []
        self.errors: list[Exception] = []
        self.counters = Counters()
        self.dead = False
        self._closed = False
        self.t1 = t1
        self.keep_messages = keep_messages
        self._loop = asyncio.get_running_loop()
        self._wire = wire
        self.host, self.port = wire.address
        # A seed makes loss and jitter repeat themselves; names must stay unlike any other's, even of the same seed.
        self.rng = random.Random(None if seed is None else f"{seed}/{name}")
        self._names = random.SystemRandom()
        self.session_id = self._names.getrandbits(31)
        self.timers = Timers(self._loop, self.report)
        self.reliable = wire.name != "UDP"
        self.transactions = Transactions(self.transmit, self.timers, t1=t1, clock=self.now, reliable=self.reliable)
        self._credentials = Credentials(name, password)
        self._nonce, self._nonce_count = "", 0
        self._tasks: set[asyncio.Task[None]] = set()
        wire.take = self._take

    # Names.

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self.host, self.port

    @property
    def uri(self) -> str:
        """Its Contact."""
        place = f"sip:{self.name}@{self.host}:{self.port}"
        return place if self._wire.name == "UDP" else f"{place};transport={self._wire.name.lower()}"

    @property
    def capabilities(self) -> tuple[tuple[str, str], ...]:
        """The headers that tell the other side where and what we are."""
        return (("Contact", f"<{self.uri}>"), ("Allow", ", ".join(METHODS)), ("User-Agent", self.product))

    def new_tag(self) -> str:
        """A new dialog tag."""
        return f"{self._names.getrandbits(48):012x}"

    def new_call_id(self) -> str:
        """A new Call-ID."""
        return f"{self._names.getrandbits(96):024x}@{self.host}"

    def new_via(self) -> str:
        """A new top Via, whose branch names a new transaction."""
        return (
            f"SIP/2.0/{self._wire.name} {self.host}:{self.port};rport;branch=z9hG4bK{self._names.getrandbits(80):020x}"
        )

    def now(self) -> float:
        """Its clock: monotonic seconds."""
        return time.monotonic()

    # Faults and tasks.

    def report(self, error: Exception) -> None:
        """Keep an error that nobody waits for; a test looks into `errors`."""
        self.errors.append(error)
        logger.error("phone failed", exc_info=error, extra={"phone": self.name})

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        """Do something beside; its error is reported, and it ends with the phone."""

        async def guarded() -> None:
            try:
                await work
            except Exception as exc:
                self.report(exc)

        task = self._loop.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop every task and timer and give the port back."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.timers.cancel_all()
        await self._wire.close()
        self._closed = True

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    # Messages out.

    def response(
        self,
        asked: SipMessage,
        status: int,
        *,
        tag: str = "",
        headers: Sequence[tuple[str, str]] = (),
        sdp: str = "",
    ) -> SipMessage:
        """Build a response of ours; all but 100 say what we can, a refusal does not say where we are."""
        ours = self.capabilities[1:] if status >= 300 or asked.method == "CANCEL" else self.capabilities
        ours = () if status == 100 else ours
        return response_to(asked, status, tag=tag, headers=[*ours, *headers], sdp=sdp)

    def reply(self, asked: SipMessage, status: int, headers: Sequence[tuple[str, str]] = ()) -> SipMessage:
        """Answer a request plainly."""
        return self.transactions.reply(asked, self.response(asked, status, tag=self.new_tag(), headers=headers))

    def transmit(self, message: SipMessage, peer: Address) -> SipMessage:
        """Send a message, unless we are dead, and write it down; gives it with its moment."""
        at = self.now()
        if self.dead and message.method != "REGISTER":
            return message.stamped(at=at, wall=time.time(), sent=True, peer=peer)
        self.send_bytes(message.encode(), peer)
        return self.record_sent(message, peer, at)

    def send_bytes(self, data: bytes, peer: Address) -> None:
        """Put a message on the wire."""
        self._wire.send(data, peer)

    def record_sent(self, message: SipMessage, peer: Address, at: float) -> SipMessage:
        """Write down a message that was sent at that monotonic moment."""
        sent = message.stamped(at=at, wall=time.time() - (self.now() - at), sent=True, peer=peer)
        self.counters.sent += 1
        self.record(sent)
        return sent

    def record(self, message: SipMessage) -> None:
        """Write a message down."""
        if self.keep_messages:
            self.messages.append(message)

    def ladder(self) -> str:
        """All messages, one a line."""
        return ladder(self.messages)

    # Requests of ours.

    def send_request(self, build: Build, peer: Address) -> Awaitable[SipMessage | None]:
        """Send a request now; what can be awaited is its final response, after any challenge, or None for no reply.

        `build` gets the headers that prove who we are and makes the request anew, with a new CSeq and branch.
        """
        request = build(())
        return self._answer(request, self._begin(request, peer), build, peer)

    async def _answer(
        self, request: SipMessage, answer: asyncio.Future[SipMessage | None], build: Build, peer: Address
    ) -> SipMessage | None:
        response = await answer
        for _ in range(_MOST_TRIES - 1):
            proof = self.prove(response, request) if response is not None else None
            if proof is None:
                break
            request = build((proof,))
            response = await self._begin(request, peer)
        return response

    def _begin(self, request: SipMessage, peer: Address) -> asyncio.Future[SipMessage | None]:
        answer: asyncio.Future[SipMessage | None] = self._loop.create_future()

        def hear(response: SipMessage | None) -> None:
            if not answer.done() and (response is None or (response.status or 0) >= 200):
                answer.set_result(response)

        self.transactions.begin(request, peer, hear)
        return answer

    def prove(self, response: SipMessage, request: SipMessage) -> tuple[str, str] | None:
        """The header that answers a challenge; None when there is none, we have no password, or it was wrong.

        A challenge for a nonce that we have already answered means a wrong password, unless it says stale.
        """
        if response.status not in (401, 407) or not self._credentials.password:
            return None
        try:
            challenge = challenge_in(response)
        except ChallengeNotUnderstood as exc:
            self.report(exc)
            return None
        tried = any(name in ("Authorization", "Proxy-Authorization") for name, _ in request.headers)
        if tried and challenge.nonce == self._nonce and not challenge.stale:
            return None
        return self._prove(challenge, request)

    def _prove(self, challenge: Challenge, request: SipMessage) -> tuple[str, str]:
        self._nonce_count = self._nonce_count + 1 if challenge.nonce == self._nonce else 1
        self._nonce = challenge.nonce
        return authorization(
            challenge,
            self._credentials,
            method=request.method or "",
            uri=request.request_uri,
            nonce_count=self._nonce_count,
            cnonce=self.new_tag(),
        )

    # Messages in.

    def _take(self, data: bytes, peer: Address) -> None:
        if not data.strip(b"\r\n\0"):  # a keep-alive (RFC 5626 §3.5.1)
            return
        try:
            message = parse(data).stamped(at=self.now(), wall=time.time(), sent=False, peer=peer)
            self.counters.received += 1
            if message.method is None:
                self.record(message)
                self.transactions.take_response(message)
            else:
                self.take_request(message)
        except SipSyntaxError as exc:
            self.errors.append(exc)
            logger.warning("not SIP", extra={"phone": self.name, "peer": peer, "error": str(exc)})
        except Exception as exc:
            self.report(exc)
        self.settled()

    def take_request(self, message: SipMessage) -> None:
        """Handle one request, which may be a repeated one; it is to be recorded."""
        raise NotImplementedError

    def settled(self) -> None:
        """Called after every message that came in was handled."""
