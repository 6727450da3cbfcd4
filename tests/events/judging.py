"""One message after the other for the service's ear, from the bytes to the signal, and the oracle's word on each."""

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from c2c_stasis.ari.client import Client
from c2c_stasis.ari.connection import Connection
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
from c2c_stasis.ids import LegId
from c2c_stasis.ports import Contact
from tests.events.forging import MARK, Cast
from tests.events.oracle import OfContact, OfLeg, Replaced, Said, said
from tests.fakes.ari_log import KeptLog

CALLS = tuple(f"call_01h2xcejqtf2nbrexx3vqjhp4{last}" for last in "123")
CAST = Cast("c2c", [f"{call}.{leg}" for call in CALLS for leg in ("a1", "a2", "b1")], ["d1", "d2", "d3"])
MOST_CONTACTS = 100  # of one endpoint that are kept at all
_WHAT: dict[type[Signal], str] = {
    LegCreated: "created",
    LegInvited: "invited",
    LegRinging: "ringing",
    LegProgressed: "progressed",
    LegAnswered: "answered",
    LegJoined: "joined",
    LegHangingUp: "hanging up",
    LegLeft: "left",
    LegEnded: "ended",
}


class Escape(AssertionError):
    """A message did something that it does not say, or left undone what it says; the message stands in the text."""


class Ear:
    """Keeps what the service would be told."""

    def __init__(self) -> None:
        self.heard: list[tuple[LegId, Signal]] = []

    def receive(self, leg_id: LegId, signal: Signal) -> None:
        self.heard.append((leg_id, signal))

    async def connected(self) -> None:
        """Never, here."""


class Judge:
    """Hands messages to the service's reader and compares what comes of it. `tally` counts what they said."""

    def __init__(
        self,
        connection: Connection,
        client: Client,
        ear: Ear,
        lines: list[logging.LogRecord],
        traffic: list[dict[str, Any]],
    ) -> None:
        self._connection = connection
        self._client = client
        self._ear = ear
        self._lines = lines
        self._traffic = traffic  # lines of the ARI log
        self._contacts: dict[str, dict[str, bool]] = {}
        self.tally: dict[str, int] = {}

    def check(self, message: bytes) -> None:
        """Raises `Escape`."""
        expected = said(message, CAST.app, CAST.endpoints)
        self._ear.heard.clear()
        self._lines.clear()
        self._traffic.clear()
        self._client._complaints._told = 0  # each is looked at
        try:
            self._client._take(message)
        except Exception as error:
            raise Escape(f"{error!r} from {message[:2000]!r}") from error
        _demand(len(self._traffic) == 1, "not one line of the ARI log", message)
        heard = [_of(leg_id, signal) for leg_id, signal in self._ear.heard]
        told = [expected] if isinstance(expected, OfLeg) else []
        _demand(heard == told, f"heard {heard} and not {told}", message)
        _demand(self._connection._taken is isinstance(expected, Replaced), "replaced, or not", message)
        self._connection._taken = False
        self._check_contacts(expected, message)
        for line in self._lines:
            _demand(MARK not in str(line.__dict__), "its text is in the log", message)
        name = getattr(expected, "what", type(expected).__name__)
        self.tally[name] = self.tally.get(name, 0) + 1

    def _check_contacts(self, expected: Said | None, message: bytes) -> None:
        if isinstance(expected, OfContact):
            known = self._contacts.setdefault(expected.endpoint, {})
            if expected.reachable is None:
                known.pop(expected.uri, None)
            elif expected.uri in known or len(known) < MOST_CONTACTS:
                known[expected.uri] = expected.reachable
        for endpoint in CAST.endpoints:
            wanted = [Contact(uri, reachable) for uri, reachable in self._contacts.get(endpoint, {}).items()]
            _demand(list(self._connection.contacts(endpoint)) == wanted, f"contacts of {endpoint}", message)


def _demand(so: bool, what: str, message: bytes) -> None:
    if not so:
        raise Escape(f"{what}: {message[:2000]!r}")


def _of(leg_id: LegId, signal: Signal) -> OfLeg:
    """A signal in the oracle's words."""
    assert leg_id == getattr(signal, "leg_id", None)
    if not isinstance(signal, LegEnded):
        return OfLeg(leg_id, _WHAT[type(signal)])
    quality = signal.quality
    if quality is not None:
        figures = [quality.jitter, quality.loss or 0.0, quality.rtt or 0.0]
        assert all(math.isfinite(figure) and 0.0 <= figure <= 3600.0 for figure in figures), quality
    return OfLeg(leg_id, "ended", signal.cause, signal.sip_code)


class _Lines(logging.Handler):
    def __init__(self, lines: list[logging.LogRecord]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record)


@asynccontextmanager
async def judge() -> AsyncIterator[Judge]:
    """A connection that never connects, whose reader is at hand; all that it logs is looked at."""
    lines: list[logging.LogRecord] = []
    ear, logger = Ear(), logging.getLogger("c2c_stasis")
    handler = _Lines(lines)
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    traffic: list[dict[str, Any]] = []
    log = KeptLog(traffic)
    connection = Connection("http://127.0.0.1:1", "c2c", "c2c", CAST.app, log=log)
    try:
        await connection.watch(CAST.endpoints)
        group = anyio.create_task_group()  # nobody is started in it
        client = Client(group, "http://127.0.0.1:1", [CAST.app], connection._transport, connection._hearing(ear), log)
        yield Judge(connection, client, ear, lines, traffic)
    finally:
        await connection.close()
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
