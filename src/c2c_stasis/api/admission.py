"""Who may come in: how many connections and requests there may be, overall and from one address.

One client that opens thousands of connections shall not take the descriptors that the database and Asterisk need, nor the
places of all others. And when all places are taken, there are some for emergency calls: whoever comes then is let in for one
request, which must be one that places a call, and is refused when that turns out to be an ordinary one.
"""

import logging
import resource
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeVar

from c2c_stasis.api.problems import Problem, overloaded, too_many_requests, too_many_streams
from c2c_stasis.config import Http

logger = logging.getLogger(__name__)

RESERVED = 64  # connections, and as many requests, that emergency calls have when all others are taken
OWN_DESCRIPTORS = (
    400 + RESERVED
)  # for 256 receivers of webhooks, the database, Asterisk, the log and what is being closed
_TOLD_EVERY = 10.0  # seconds between two lines about refused connections: a flood shall not fill the log


K = TypeVar("K", bound=Hashable)


class Place:
    """A connection that was let in. To leave twice is to leave once.

    A `reserved` one was let in for one request that may be an emergency call, or asks whether we are alive.
    """

    def __init__(self, admission: "Admission", group: str, *, reserved: bool = False) -> None:
        self.reserved = reserved
        self.asking = False  # whether an emergency call that came over it is being answered
        self.turn_out: Callable[[], None] = lambda: None  # ends the connection
        self.group = group
        self._admission = admission
        self._taken = True

    def leave(self) -> None:
        """Make room for another one."""
        if self._taken:
            self._taken = False
            self._admission.left(self)


class Turn:
    """A request that is being answered. To end it twice is to end it once.

    One with a `refusal` was let in for the sake of emergency calls alone: whoever learns that it is none must raise that, and
    who learns that it is one must call `is_emergency`.
    """

    def __init__(self, admission: "Admission", group: str, refusal: Problem | None = None) -> None:
        self.refusal = refusal
        self.group = group
        self.place: Place | None = None  # over which it came
        self.reserved = False  # whether it has one of the places that there are for emergency calls
        self._admission = admission
        self._taken = True

    def is_emergency(self) -> None:
        """It has come whole, and is an emergency call: from now on nobody makes it give way.

        Whoever has not said that much holds none of the places for such requests. Raises `Problem` when all are taken.
        """
        if self.refusal is not None:
            self._admission.reserve_request(self, self.refusal)
        if self.place is not None:
            self.place.asking = True

    def end(self) -> None:
        """It is answered."""
        if self._taken:
            self._taken = False
            self._admission.end(self)


class Admission:
    """Counts who is in, by address. Trusted proxies speak for many, so none of the counts by address is theirs."""

    def __init__(self, http: Http) -> None:
        self.connections = 0
        self.requests = 0
        self._reserved: list[Place] = []  # the oldest first
        self._reserved_requests = 0
        self.leaving = False  # whether each connection shall end with the response to its request
        self._by_address: Counter[str] = Counter()
        self._requests_by_address: Counter[str] = Counter()
        self._trusted = http.trusted_proxies.ranges
        self._most_connections = _affordable(http.max_connections)
        self._most_per_address = http.max_connections_per_address
        self._most_requests = http.max_requests
        self._streams: Counter[tuple[str, str]] = Counter()
        self._most_of_account = http.max_streams_per_account
        self._most_of_credential = http.max_streams_per_credential
        self._refused = 0
        self._tell_after = 0.0

    def connect(self, address: str) -> Place | None:
        """A place for a connection from this address: a reserved one when there is no other; nothing when there is none."""
        group = "" if self.trusts(address) else group_of(address)
        if self.connections >= self._most_connections:
            return self._reserve(group, address, "all places are taken")
        if group and self._by_address[group] >= self._most_per_address:
            return self._reserve(group, address, "its address has as many as it may")
        self.connections += 1
        self._by_address[group] += 1
        return Place(self, group)

    @property
    def in_reserve(self) -> int:
        """How many reserved places are taken."""
        return len(self._reserved)

    def left(self, place: Place) -> None:
        """A connection is gone."""
        if place.reserved:
            self._reserved.remove(place)
            return
        self.connections -= 1
        _less(self._by_address, place.group)

    def turn(self, client: str, peer: str, *, may_be_emergency: bool = False, reserved: bool = False) -> Turn:
        """Begin a request of this client that came over a connection of this peer, which was perhaps a reserved one.

        Raises `Problem` when it is one too many. One that may turn out to be an emergency call is let in all the same.
        """
        group = self._counted(client, peer)
        refusal = overloaded() if reserved or self.requests >= self._most_requests else None
        if group and self._requests_by_address[group] >= self._most_per_address:
            refusal = refusal or too_many_requests()
        if refusal is None:
            self.requests += 1
            if group:
                self._requests_by_address[group] += 1
            return Turn(self, group)
        if not may_be_emergency:
            raise refusal
        return Turn(self, group, refusal)

    def reserve_request(self, turn: Turn, refusal: Problem) -> None:
        """A request that was let in turned out to be an emergency call. Raises the refusal when there are too many such."""
        if self._reserved_requests >= RESERVED:
            raise refusal
        self._reserved_requests += 1
        turn.reserved = True

    def end(self, turn: Turn) -> None:
        """A request that was begun is answered."""
        if turn.refusal is not None:
            self._reserved_requests -= turn.reserved
            return
        self.requests -= 1
        if turn.group:
            _less(self._requests_by_address, turn.group)

    @contextmanager
    def stream(self, account_id: str, credential: str) -> Iterator[None]:
        """The time in which an event stream is open. Raises `Problem` when it is one too many."""
        whose = ((account_id, ""), (account_id, credential))
        for one, most in zip(whose, (self._most_of_account, self._most_of_credential), strict=True):
            if self._streams[one] >= most:
                raise too_many_streams(most)
        for one in whose:
            self._streams[one] += 1
        try:
            yield
        finally:
            for one in whose:
                _less(self._streams, one)

    def trusts(self, address: str) -> bool:
        """Whether a trusted proxy has this address."""
        found = parsed(address)
        return found is not None and any(found in one for one in self._trusted if one.version == found.version)

    def _counted(self, client: str, peer: str) -> str:
        """Under which address a request counts: only where a connection does not say who asks."""
        return group_of(client) if client != peer and not self.trusts(client) else ""

    def _reserve(self, group: str, address: str, why: str) -> Place | None:
        """A reserved place, if need be one over which no whole emergency call has come, or which was answered: of the address
        with the most of those, the oldest is turned out."""
        self._turned_away(address, why)
        if len(self._reserved) >= RESERVED:
            waiting = [place for place in self._reserved if not place.asking]
            if not waiting:
                return None
            most = Counter(place.group for place in waiting)
            longest = next(place for place in waiting if most[place.group] == max(most.values()))
            longest.leave()
            longest.turn_out()
        place = Place(self, group, reserved=True)
        self._reserved.append(place)
        return place

    def _turned_away(self, address: str, why: str) -> None:
        self._refused += 1
        if time.monotonic() >= self._tell_after:
            extra = {"remote": address, "why": why, "refused": self._refused, "open": self.connections}
            logger.warning("connections refused", extra=extra)
            self._tell_after = time.monotonic() + _TOLD_EVERY
            self._refused = 0


def parsed(address: str) -> IPv4Address | IPv6Address | None:
    """The address that a text names; one of IPv4 that is written as IPv6 is one of IPv4."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def group_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which is the least that a client is given."""
    found = parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Address(int(found) >> 64 << 64))
    return str(found or address)


def _affordable(wanted: int) -> int:
    """As many connections as there are file descriptors for."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY or wanted <= descriptors - OWN_DESCRIPTORS:
        return wanted
    most = max(1, descriptors // 4, descriptors - OWN_DESCRIPTORS)
    extra = {"max_connections": wanted, "file_descriptors": descriptors, "possible": most}
    logger.warning("fewer connections than max_connections are possible: raise the limit of open files", extra=extra)
    return most


def _less(counts: Counter[K], group: K) -> None:
    """One less; what is nought is forgotten, or every address that ever asked would be kept."""
    counts[group] -= 1
    if counts[group] <= 0:
        del counts[group]
