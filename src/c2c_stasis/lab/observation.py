"""Waiting for what a phone sees, with a clear sentence and the messages so far when it does not come."""

import asyncio
from collections.abc import Callable, Iterable

from c2c_stasis.errors import ClickToCallError
from c2c_stasis.lab.sip import SipMessage

DEFAULT_TIMEOUT = (
    15.0  # seconds; on loopback what comes at all comes at once, but a machine may stand still for a while
)


class NotSeen(ClickToCallError, TimeoutError):
    """What was waited for did not come in time, or cannot come any more; the text holds the ladder so far."""

    def __init__(self, who: str, what: str, seconds: float, ladder: str) -> None:
        super().__init__(f"{who} waited {seconds:.2f} s for {what}, in vain. So far:\n{ladder or '  (no message)'}")
        self.what = what


def ladder(messages: Iterable[SipMessage]) -> str:
    """The messages as lines of a ladder: seconds since the first, direction as the phone sees it, what it was."""
    lines, first = [], None
    for message in messages:
        first = message.at if first is None else first
        lines.append(f"  {message.at - first:8.3f} {rung(message)}")
    return "\n".join(lines)


def rung(message: SipMessage) -> str:
    """One message on one line: its direction as the phone sees it, what it is, and its reasons."""
    arrow = "->" if message.sent else "<-"
    return f"{arrow} {message}" + "".join(f"  [{value}]" for value in message.headers_all("Reason"))


class Watch:
    """Wakes those who wait for a condition whenever something has changed."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def changed(self) -> None:
        """Let everyone look again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def until(
        self, ready: Callable[[], bool], *, timeout: float, hopeless: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait until `ready`, at most so many seconds; False when it did not come or is `hopeless`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not ready():
            left = deadline - loop.time()
            if hopeless() or left <= 0:
                return False
            future = loop.create_future()
            self._waiting.add(future)
            try:
                async with asyncio.timeout(left):
                    await future
            except TimeoutError:
                return ready()
            finally:
                self._waiting.discard(future)
        return True
