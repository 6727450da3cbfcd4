"""`[calls]`: how long a call may take, and how many there may be."""

from dataclasses import dataclass
from typing import Annotated

from c2c_stasis.config.rules import Number
from c2c_stasis.config.sections.about import About


@dataclass(frozen=True, slots=True)
class Calls:
    """`[calls]`: how long each part of a call may take, and how many a user may have. A live call keeps what it began with."""

    ring_timeout: Annotated[
        float, Number(1, 120, "seconds"), About("How long the user's phones ring", reloads=True)
    ] = 30.0
    answer_timeout: Annotated[
        float, Number(1, 180, "seconds"), About("How long the destination may take to answer", reloads=True)
    ] = 60.0
    max_duration: Annotated[
        float, Number(1, 86_400, "seconds"), About("How long they may talk; emergency calls may longer", reloads=True)
    ] = 14_400.0
    max_calls_per_user: Annotated[
        int,
        Number(1, 100, "calls", whole=True),
        About("How many calls a user may have at a time; an emergency call is never refused for it", reloads=True),
    ] = 2
    tone_seconds: Annotated[
        float,
        Number(0, 30, "seconds"),
        About("How long the user hears the tone that says why the destination was not reached", reloads=True),
    ] = 4.0
    double_click_seconds: Annotated[
        float,
        Number(0, 60, "seconds"),
        About(
            "How long a request for the same user and number, while the first call rings, means that call", reloads=True
        ),
    ] = 3.0
    attempt_timeout: Annotated[
        float,
        Number(1, 31, "seconds"),
        About("How long a trunk may be silent before the next one is tried; the last has all the time", reloads=True),
    ] = 12.0
