"""How well a leg sounded: what the switch measured of its media, and the opinion score that follows (ITU-T G.107).

The figures are those of what the switch received from the far end of the leg, so a bad one is this leg's own: what the switch
sends carries the loss and the jitter of the other leg too.
"""

from msgspec import Struct

from c2c_stasis.call.model import Call, DestinationKind, Leg, Quality, Side

# ITU-T G.107 with its default values: R0 - Is, before delay and loss.
_R = 93.2
# ITU-T G.113 appendix I for G.711 with concealment of lost packets, which nearly every phone does; loss at random.
_LOSS_ROBUSTNESS = 25.1
_PACKET = 0.020  # seconds of speech that a packet waits for
_BUFFER = 2.0  # times the jitter: what the far end's buffer holds back so that most packets come in time
# The simplified delay impairment of Cole and Rosenbluth (2001): a knee where people begin to talk at the same time.
_KNEE = 0.1773  # seconds


class LegQuality(Struct, frozen=True):
    """The quality of one leg as the record and the event `call.end` tell it; null is what nobody measured."""

    leg: str  # `endpoint`: a device; `pstn`: a trunk
    jitter_ms: float
    packet_loss_pct: float | None
    rtt_ms: float | None
    mos: float | None


def qualities(call: Call) -> list[LegQuality] | None:
    """The quality of the two legs that were joined, the user's first; None when no media was measured."""
    told = [
        _told(call, leg, leg.quality) for leg in map(call.winner, Side) if leg is not None and leg.quality is not None
    ]
    return told or None


def opinion(quality: Quality) -> float | None:
    """The mean opinion score, 1 to 4.5, by the E-model; None while the loss is not known.

    Where nobody measured the delay, that of the packets and of the far end's buffer is all that counts.
    """
    if quality.loss is None:
        return None
    delay = (quality.rtt or 0.0) / 2 + _PACKET + _BUFFER * quality.jitter
    percent = 100 * quality.loss
    impairment = 95 * percent / (percent + _LOSS_ROBUSTNESS) if percent else 0.0
    rating = _R - 24 * delay - 110 * max(0.0, delay - _KNEE) - impairment
    return _score(rating)


def _score(rating: float) -> float:
    """From the rating R to the score (G.107 annex B)."""
    if rating <= 0:
        return 1.0
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


def _told(call: Call, leg: Leg, quality: Quality) -> LegQuality:
    through_trunk = leg.side is Side.B and call.destination.kind is not DestinationKind.EXTENSION
    score = opinion(quality)
    return LegQuality(
        leg="pstn" if through_trunk else "endpoint",
        jitter_ms=round(1000 * quality.jitter, 1),
        packet_loss_pct=None if quality.loss is None else round(100 * quality.loss, 2),
        rtt_ms=None if quality.rtt is None else round(1000 * quality.rtt, 1),
        mos=None if score is None else round(score, 2),
    )
