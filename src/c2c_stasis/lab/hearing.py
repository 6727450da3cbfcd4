"""What a test asks a call about its sound: which tones were heard, how long, and which keys were pressed."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from c2c_stasis.lab.audio import AudioStream
from c2c_stasis.lab.observation import DEFAULT_TIMEOUT, NotSeen
from c2c_stasis.lab.tones import Hz, TonePattern, frequencies

_POLL = 0.04  # seconds between two looks for a tone: two packets
_SURE = 0.2  # seconds of a tone that make it heard


class Hearing(ABC):
    """The ears and fingers of a call; a call without sound has heard nothing.

    `since` is a `time.monotonic()` moment before which nothing counts; only the last two minutes are kept.
    """

    audio: AudioStream | None
    answered_at: float | None
    ended_at: float | None

    @property
    @abstractmethod
    def live(self) -> bool:
        """True until the call has ended."""

    @abstractmethod
    def ladder(self) -> str:
        """The messages of the call, one a line."""

    def heard(self, hz: Hz, since: float | None = None) -> float:
        """For how many seconds a tone was heard; of several frequencies, while all sounded."""
        return self.audio.ear.heard(frequencies(hz), since) if self.audio else 0.0

    def heard_pattern(self, pattern: TonePattern, since: float | None = None) -> bool:
        """True when a call progress tone was heard with its frequencies and cadence."""
        return self.audio.ear.heard_pattern(pattern, since) if self.audio else False

    def heard_sound(self, since: float | None = None) -> float:
        """For how many seconds anything louder than silence was heard."""
        return sum(stretch.seconds for stretch in self.audio.ear.audible(since)) if self.audio else 0.0

    def heard_silence(self, since: float | None = None) -> float:
        """For how many seconds nothing was heard, since then or since the answer, until now or the end."""
        begin = since if since is not None else self.answered_at
        if begin is None:
            return 0.0
        end = self.ended_at if self.ended_at is not None else time.monotonic()
        return max(end - begin - self.heard_sound(begin), 0.0)

    def dominant(self, since: float | None = None) -> tuple[float, ...]:
        """The one or two frequencies that stood out in the last sound heard, rising, to about 2 Hz."""
        return self.audio.ear.dominant(since) if self.audio else ()

    async def wait_tone(
        self, hz: Hz, timeout: float = DEFAULT_TIMEOUT, *, seconds: float = _SURE, since: float | None = None
    ) -> None:
        """Wait until a tone was heard for so many seconds in all; raises `NotSeen` with what was heard instead."""
        await self._wait_heard(lambda: self.heard(hz, since) >= seconds, f"{seconds} s of {hz} Hz", timeout)

    async def wait_pattern(self, pattern: TonePattern, timeout: float = 8.0, *, since: float | None = None) -> None:
        """Wait until a call progress tone was heard; raises `NotSeen`."""
        await self._wait_heard(lambda: self.heard_pattern(pattern, since), pattern.name, timeout)

    async def _wait_heard(self, heard: Callable[[], bool], what: str, timeout: float) -> None:
        began = time.monotonic()
        while not heard():
            waited = time.monotonic() - began
            if waited >= timeout or not self.live:
                packets = self.audio.ear.packets if self.audio else 0
                tones = " and ".join(f"{tone:.0f} Hz" for tone in self.dominant())
                instead = f"heard {tones or 'silence'} in {packets} packets"
                raise NotSeen(repr(self), f"{what} ({instead})", waited, self.ladder())
            await asyncio.sleep(_POLL)

    def press(self, digits: str) -> None:
        """Send DTMF digits as telephone-events (RFC 4733), 100 ms each; raises `ValueError` for others."""
        if self.audio is not None:
            self.audio.send_dtmf(digits)

    @property
    def pressed(self) -> str:
        """The DTMF digits received so far."""
        return self.audio.dtmf if self.audio else ""
