"""SIP transactions: what is sent again until it is answered, and what is answered again when asked again.

RFC 3261 §17, with one simplification: a phone has one request of each kind on its way per branch, and no proxy.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from c2c_stasis.lab.addresses import Address, SipSyntaxError, parse_uri
from c2c_stasis.lab.sip import SipMessage

T1 = 0.5  # seconds, RFC 3261 §17.1.1.1: an estimate of the round trip
T2_IN_T1 = 8  # T2 = 4 s: the longest time between two retransmissions
GIVE_UP_IN_T1 = 64  # timers B, F, H and J: 32 s

Act = Callable[[], object]


class Timers:
    """Timers of one phone: each error reaches the phone, and all end with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: Callable[[Exception], None]) -> None:
        self._loop = loop
        self._on_error = on_error
        self._handles: set[asyncio.TimerHandle] = set()

    def after(self, seconds: float, act: Act) -> asyncio.TimerHandle:
        """Do something after so many seconds, unless `cancel` comes first."""

        def run() -> None:
            self._handles.discard(handle)
            try:
                act()
            except Exception as exc:
                self._on_error(exc)

        handle = self._loop.call_later(seconds, run)
        self._handles.add(handle)
        return handle

    def cancel(self, handle: asyncio.TimerHandle | None) -> None:
        """Let a timer not happen; None and a past one are fine."""
        if handle is not None:
            handle.cancel()
            self._handles.discard(handle)

    def cancel_all(self) -> None:
        """Let nothing more happen."""
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()


class Retransmission:
    """Sends something again after T1, 2 T1, 4 T1 … (at most every `cap`) until stopped; after 64 T1 it gives up.

    With `once` it only waits, because the wire loses nothing.
    """

    def __init__(
        self, timers: Timers, again: Act, give_up: Act, *, t1: float, cap: float | None, once: bool = False
    ) -> None:
        self._timers = timers
        self._again = again
        self._give_up = give_up
        self._interval = GIVE_UP_IN_T1 * t1 if once else t1
        self._cap = cap
        self._left = GIVE_UP_IN_T1 * t1
        self._handle: asyncio.TimerHandle | None = None
        self._sleep()

    def stop(self) -> None:
        """Send no more."""
        self._timers.cancel(self._handle)
        self._handle = None

    def _sleep(self) -> None:
        self._handle = self._timers.after(min(self._interval, self._left), self._fire)

    def _fire(self) -> None:
        self._left -= self._interval
        if self._left <= 0:
            self._handle = None
            self._give_up()
            return
        self._interval *= 2
        if self._cap is not None:
            self._interval = min(self._interval, self._cap)
        self._sleep()  # before `again`, which may stop us
        self._again()


Send = Callable[[SipMessage, Address], SipMessage]
Heard = Callable[[SipMessage | None], None]


class ClientTransaction:
    """One request of ours: sent again until a response comes; `heard` gets each response, and None on time-out."""

    def __init__(self, owner: "Transactions", request: SipMessage, peer: Address, heard: Heard) -> None:
        self.request = request
        self.peer = peer
        self.heard = heard
        self._owner = owner
        self.invite = request.method == "INVITE"
        cap = None if self.invite else T2_IN_T1 * owner.t1
        self._resending = Retransmission(
            owner.timers, lambda: owner.send(request, peer), self._time_out, t1=owner.t1, cap=cap, once=owner.reliable
        )

    def stop_sending(self) -> None:
        """The other side has it: send it no more."""
        self._resending.stop()

    def forget(self) -> None:
        """Send no more and hear no more."""
        self._resending.stop()
        self._owner.drop(self)

    def _time_out(self) -> None:
        self.forget()
        self.heard(None)


class Transactions:
    """All transactions of one phone, ours and theirs."""

    def __init__(
        self, send: Send, timers: Timers, *, t1: float, clock: Callable[[], float], reliable: bool = False
    ) -> None:
        self.send = send
        self.timers = timers
        self.t1 = t1
        self.reliable = reliable
        self._clock = clock
        self._ours: dict[tuple[str, str], ClientTransaction] = {}
        self._theirs: OrderedDict[tuple[str, str, str], tuple[float, SipMessage | None]] = OrderedDict()

    def begin(self, request: SipMessage, peer: Address, heard: Heard) -> ClientTransaction:
        """Send a request and keep at it."""
        self.send(request, peer)
        transaction = ClientTransaction(self, request, peer, heard)
        self._ours[_our_key(request)] = transaction
        return transaction

    def drop(self, transaction: ClientTransaction) -> None:
        """Forget one of ours."""
        self._ours.pop(_our_key(transaction.request), None)

    def take_response(self, response: SipMessage) -> bool:
        """Give a response to the request it answers; False when there is none."""
        transaction = self._ours.get(_our_key(response))
        if transaction is None:
            return False
        final = (response.status or 0) >= 200
        if final or transaction.invite:
            transaction.stop_sending()
        if final and not transaction.invite:
            transaction.forget()
        transaction.heard(response)
        return True

    def knows(self, request: SipMessage) -> bool:
        """True when this request came before; if not, it is known from now on (§17.2)."""
        key = _their_key(request)
        if key in self._theirs:
            return True
        self._remember(key, None)
        return False

    def repeat_reply(self, request: SipMessage) -> None:
        """Send the last response to a request again, if there was one."""
        response = self._theirs[_their_key(request)][1]
        if response is not None:
            self.send(response, reply_address(request))

    def reply(self, request: SipMessage, response: SipMessage) -> SipMessage:
        """Send a response and keep it for a repeated request; gives it as sent."""
        sent = self.send(response, reply_address(request))
        self._remember(_their_key(request), response)
        return sent

    def remember(self, request: SipMessage, response: SipMessage) -> None:
        """Keep a response, that was already sent, for a repeated request."""
        self._remember(_their_key(request), response)

    def _remember(self, key: tuple[str, str, str], response: SipMessage | None) -> None:
        now = self._clock()
        self._theirs[key] = (now + GIVE_UP_IN_T1 * self.t1, response)
        self._theirs.move_to_end(key)
        while self._theirs and next(iter(self._theirs.values()))[0] < now:
            self._theirs.popitem(last=False)


def _our_key(message: SipMessage) -> tuple[str, str]:
    return message.via.branch, message.cseq.method


def _their_key(request: SipMessage) -> tuple[str, str, str]:
    via = request.via
    if not via.branch.startswith("z9hG4bK"):  # RFC 2543 clients name a transaction by its headers (§17.2.3)
        return request.call_id, f"{request.from_.tag} {request.cseq.number}", request.method or ""
    return via.branch, f"{via.host}:{via.port}", request.method or ""


def reply_address(request: SipMessage) -> Address:
    """Where a response goes: to where the request came from, on the port its Via names unless it has rport (§18.2.2)."""
    via = request.via
    if "rport" in via.params:
        return request.peer
    return request.peer[0], via.port or 5060


def next_hop(uri: str, otherwise: Address) -> Address:
    """The address of a URI whose host is an IPv4 literal; names are not looked up, they go to `otherwise`."""
    try:
        parsed = parse_uri(uri)
    except SipSyntaxError:
        return otherwise
    if parsed.host.replace(".", "").isdigit():
        return parsed.host, parsed.port or 5060
    return otherwise
