"""What Asterisk reports of the media of a channel, without being asked for it.

At the hang-up it sets `RTPAUDIOQOS` and `RTPAUDIOQOSJITTER` on the channel. A variable that was set with `report_events`
(22.10) stands in every later event of the channel, so the last one, `ChannelDestroyed`, carries the final figures: no request,
no further event, no wait. Subscribing to the variables themselves would triple the events of a call.

The figures, as seen on 22.10.1: `rxcount` and `lp` are packets that Asterisk got and missed, but `rxjitter` and `rlp` are what
the far end says it got. `lp`, `rtt` and the mean jitter are counted with each RTCP report that Asterisk sends, every 5 s unless
rtp.conf says otherwise; `txmes` is 0 until there was one.
"""

from math import isfinite
from typing import Any

from c2c_stasis.call.model import Quality

_REPORT = "RTPAUDIOQOS"
_JITTER = "RTPAUDIOQOSJITTER"
_LONGEST = 60.0  # seconds that a jitter or a round trip may be; the report is a text, and may say anything
_MOST = 1e12  # packets
_TOO_FEW = 50  # packets, a second of speech; less than that without a report says nothing

MEDIA_REPORT: dict[str, Any] = {name: {"value": "", "report_events": True} for name in (_REPORT, _JITTER)}
"""Variables of a new channel that let its last event tell how its media were."""


def read_quality(variables: object) -> Quality | None:
    """The quality that the variables of an event tell of; None when the channel got no media, or they cannot be understood."""
    if not isinstance(variables, dict):
        return None
    try:
        figures, jitters = _figures(variables.get(_REPORT)), _figures(variables.get(_JITTER))
        received = min(figures.get("rxcount", 0.0), _MOST)
        reported = figures.get("txmes", 0.0) > 0
        if received < (1 if reported else _TOO_FEW):
            return None
        lost = min(max(0.0, figures.get("lp", 0.0)), _MOST)
        jitter, rtt = jitters.get("avgrxjitter") or figures.get("txjitter", 0.0), figures.get("rtt", 0.0)
        if not 0.0 <= jitter <= _LONGEST:
            return None
        return Quality(
            jitter=jitter,
            loss=lost / (lost + received) if reported else None,
            rtt=rtt if 0.0 < rtt <= _LONGEST else None,
        )
    except ValueError:
        return None


def _figures(report: object) -> dict[str, float]:
    """`rxcount=150;lp=0;` as numbers. Raises `ValueError`."""
    if not isinstance(report, str):
        return {}
    pairs = (part.partition("=") for part in report.split(";"))
    figures = {name.strip(): float(value) for name, equals, value in pairs if equals}
    return {name: figure for name, figure in figures.items() if isfinite(figure)}
