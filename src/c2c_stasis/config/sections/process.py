"""`[service]`: how the process ends."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from c2c_stasis.config.rules import Number, one_of
from c2c_stasis.config.sections.about import About


class OnStop(StrEnum):
    """What becomes of live calls when the service is told to end."""

    LEAVE = "leave"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Process:
    """`[service]`: how it ends at SIGTERM. A second SIGTERM ends it at once."""

    on_stop: Annotated[
        OnStop,
        one_of(list(OnStop), OnStop),
        About(
            "leave: it ends at once, and live calls go on in Asterisk, for the next start to take over. wait: it takes no new"
            " calls but emergency calls, and ends when the last call has ended, or the grace is over",
            reloads=True,
        ),
    ] = OnStop.LEAVE
    grace: Annotated[
        float,
        Number(1, 86_400, "seconds"),
        About(
            "How long it waits for calls at most; what lives then is left. systemd is told; whatever else stops it must have"
            " ten seconds more of patience",
            reloads=True,
        ),
    ] = 300.0

    @property
    def waits(self) -> float:
        """How many seconds calls are waited for at most."""
        return self.grace if self.on_stop is OnStop.WAIT else 0.0
