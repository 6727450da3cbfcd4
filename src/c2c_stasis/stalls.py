"""What the event loop is doing when it does not come back: a thread beside it looks, and says so in one line of the log."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

logger = logging.getLogger(__name__)

TOO_LATE = 0.25  # seconds; in this time nobody is called, answered or heard
LOOKS_EVERY = 0.1  # seconds; how soon a stall is seen, and some microseconds of work
TELLS_EVERY = 10.0  # seconds; whoever blocks once blocks often
FRAMES = 6  # of the innermost functions, those that are told


class StallWatch:
    """Told when the loop should come back, it tells what runs when it does not. `with` starts and ends its thread."""

    def __init__(self) -> None:
        self._watched = threading.get_ident()
        self._due = float("inf")
        self._told_at = -TELLS_EVERY
        self.not_told = 0  # stalls since the one that was told last
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stalls", daemon=True)

    def __enter__(self) -> "StallWatch":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        self._thread.join()

    def expect(self, seconds: float) -> None:
        """The loop has come back, and will again within so many seconds."""
        self._due = time.monotonic() + seconds

    def _watch(self) -> None:
        seen = 0.0  # the moment at which the loop was due in the stall that was seen last
        while not self._over.wait(LOOKS_EVERY):
            due, now = self._due, time.monotonic()
            if now - due > TOO_LATE and due != seen:
                seen = due
                self._tell(now, now - due)

    def _tell(self, now: float, late: float) -> None:
        if now - self._told_at < TELLS_EVERY:
            self.not_told += 1
            return
        running = " < ".join(_places(sys._current_frames().get(self._watched)))
        logger.warning(
            "the event loop is blocked",
            extra={"late_s": round(late, 3), "running": running, "not_told": self.not_told},
        )
        self._told_at, self.not_told = now, 0


def _places(frame: FrameType | None) -> Iterator[str]:
    """Where a thread is, innermost first, without what its variables hold."""
    for _ in range(FRAMES):
        if frame is None:
            return
        code = frame.f_code
        yield f"{code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})"
        frame = frame.f_back
