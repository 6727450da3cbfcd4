"""Whether Asterisk is really there: that it answers requests, and that what happens in it still reaches us.

An open websocket proves neither. Asterisk answers pings in a thread that does nothing else, and an application that was taken
from us, or is stuck, leaves its socket open and silent (22.10.1).
"""

import asyncio
import logging
from typing import Any

from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.metrics import Metrics, ask

logger = logging.getLogger(__name__)

UNKNOWN = 404
MOST_UNANSWERED = 3  # requests in a row without any answer, until no more calls are taken
EVERY = 10.0  # seconds of silence on the stream, until an event of our own is sent round
SOON = 1.0  # seconds until the next one, when something is wrong
COMES_WITHIN = 3.0  # seconds; a healthy Asterisk takes some milliseconds
MOST_MISSED = 2  # events of our own in a row that do not come: one may have been late because we were

PULSE = "c2c-pulse"
"""The name of the event that goes round."""
PULSE_EVENT = "ChannelUserevent"
"""Its type, which Asterisk also gives to events that have no channel."""


class Breaker:
    """Counts requests in a row that Asterisk left without any answer; a refusal is an answer."""

    def __init__(self, metrics: Metrics) -> None:
        self.doubt = asyncio.Event()
        """Set while the latest request is one that was not answered."""
        self._unanswered = 0
        ask(metrics.ari_silent, lambda: self.open)

    @property
    def open(self) -> bool:
        """Whether Asterisk left so many requests unanswered that it is given no new calls."""
        return self._unanswered >= MOST_UNANSWERED

    def note(self, answered: bool) -> None:
        """A request was answered, or it was not in time, or its connection broke."""
        if answered:
            if self.open:
                logger.info("Asterisk answers again", extra={"unanswered": self._unanswered})
            self._unanswered = 0
            self.doubt.clear()
            return
        self._unanswered += 1
        self.doubt.set()
        if self._unanswered == MOST_UNANSWERED:
            logger.warning("Asterisk does not answer, no new calls are taken", extra={"unanswered": MOST_UNANSWERED})


class Pulse:
    """Sends an event of our own through Asterisk when the stream is silent, or a request was not answered.

    Whatever event of our application comes proves the same, so that nothing is sent round while calls are made.
    """

    def __init__(self, app: str, breaker: Breaker, metrics: Metrics) -> None:
        self._app = app
        self._breaker = breaker
        self._metrics = metrics
        self._felt = asyncio.Event()

    def feel(self) -> None:
        """An event of our application has come."""
        self._felt.set()

    async def watch(self, operations: Any) -> None:
        """Return when events do not reach us any more: then the connection has to be opened anew."""
        missed = 0
        while missed < MOST_MISSED:
            self._felt.clear()
            if missed or self._breaker.doubt.is_set():
                await asyncio.sleep(SOON)
            else:
                await _within(EVERY, self._breaker.doubt)
            if self._breaker.doubt.is_set() or not self._felt.is_set():
                missed = await self._send_round(operations, missed)
            else:
                missed = 0

    async def _send_round(self, operations: Any, missed: int) -> int:
        """Send one; gives how many in a row have not come by now."""
        self._felt.clear()
        try:
            await operations.events.userEvent(eventName=PULSE, application=self._app)
        except SwitchUnavailable:
            return missed  # that requests are not answered says nothing about the stream
        except SwitchRefused as refusal:
            if refusal.status != UNKNOWN:
                return missed
            logger.warning("Asterisk does not know our application any more", extra={"app": self._app})
            return MOST_MISSED
        if await _within(COMES_WITHIN, self._felt):
            return 0
        self._metrics.ari_pulses_missed.inc()
        logger.warning("an event of our own did not come back", extra={"app": self._app, "within_s": COMES_WITHIN})
        return missed + 1


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event, so many seconds at most, and tell whether it is there."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    return event.is_set()
