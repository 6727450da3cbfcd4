"""What is said about a key beside what it may be."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class About:
    """What an operator is told about a key.

    `reloads` keys are taken over at SIGHUP, all others need a restart. A `secret` is never shown.
    """

    meaning: str
    reloads: bool = False
    secret: bool = False
