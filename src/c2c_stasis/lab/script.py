"""What a scripted phone does with one call: when it rings, answers, refuses, speaks and hangs up."""

from collections.abc import Callable
from dataclasses import dataclass

from c2c_stasis.lab.sdp import SUPPORTED_CODECS
from c2c_stasis.lab.sip import SipMessage


@dataclass(frozen=True, slots=True)
class Script:
    """The behaviour of a phone for one incoming call; all times are seconds after the INVITE came in.

    A step whose time is None never happens by itself; a test may still ask for it (`call.ring()`, `call.answer()`).
    Steps of the same moment go out in the order of this list.
    """

    trying: bool = True
    """Send 100 at once, before anything else."""
    ring_after: float | None = None
    """Send 180 then."""
    progress_after: float | None = None
    """Send 183 with SDP then, and the early tone with it."""
    redirect_to: str | None = None
    """Answer 302 with this URI as Contact, at `reject_after`."""
    reject: int | None = None
    """Answer with this final status (300-699), at `reject_after`."""
    reject_after: float = 0.0
    answer_after: float | None = None
    """Send 200 then."""
    hang_up_after: float | None = None
    """Send BYE this long after the ACK."""
    silent: bool = False
    """Never reply to anything of this call, as if its packets were lost."""
    answer_on_cancel: bool = False
    """When CANCEL comes, send 200 to the INVITE and 200 to the CANCEL: the answer that crossed it."""
    heed_cancel_after: float = 0.0
    """React to a CANCEL only this many seconds after it came in, as if the wire were slow: an answer meanwhile crosses it."""
    respond_bye: bool = True
    """Reply to BYE; a phone that does not is gone in the middle of the goodbye."""
    cause: int | None = None
    """Send `Reason: Q.850;cause=N` with a rejection and with BYE (RFC 3326)."""
    reason: str | None = None
    """Send this whole Reason value too."""
    media: bool = True
    """Open sockets for sound; without, the SDP names a port that nobody reads, for load on signalling alone."""
    codecs: tuple[str, ...] = SUPPORTED_CODECS
    """The codecs this phone speaks; the first of the offer that is among them is taken."""
    tone_hz: float | tuple[float, ...] | None = None
    """Send this tone, whole Hz, after the answer; several frequencies sound together; None sends silence."""
    early_tone_hz: float | tuple[float, ...] | None = None
    """Send this tone with 183 instead of `tone_hz`."""
    cadence: tuple[float, ...] = ()
    """Seconds on, off, on, off of the tone, again and again; empty is a steady tone."""
    muted: bool = False
    """Send digital silence instead of the tone."""
    loss: float = 0.0
    """The share of RTP packets, 0 to 1, that are counted but not sent, evenly spread."""
    jitter: float = 0.0
    """Hold every RTP packet back for a random time of up to this many seconds. As some overtake others, the interarrival jitter
    of RFC 3550 is about a quarter of it."""
    extra_headers: tuple[tuple[str, str], ...] = ()
    """Put these headers into every response to the INVITE."""

    @property
    def reasons(self) -> tuple[tuple[str, str], ...]:
        """The Reason headers of a rejection or a BYE."""
        cause = (("Reason", f"Q.850;cause={self.cause}"),) if self.cause is not None else ()
        return (*cause, ("Reason", self.reason)) if self.reason is not None else cause


Scripts = Script | Callable[[SipMessage], Script]
"""One script for every call, or the choice of one for each INVITE: that is what makes a phone a carrier."""

ANSWERS = Script(ring_after=0.0, answer_after=0.0)
"""Rings and answers at once."""
RINGS = Script(ring_after=0.0)
"""Rings until someone else ends it."""
