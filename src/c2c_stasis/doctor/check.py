"""The shape of a check."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from c2c_stasis.doctor.findings import Fault, Finding
from c2c_stasis.doctor.patient import Patient

DEADLINE = 10.0  # seconds
DEADLINE_OF_ALL_ENDPOINTS = 60.0  # seconds; each endpoint is one request of about a millisecond


@dataclass(frozen=True, slots=True)
class Check:
    """One question, the faults it can find, and how it looks.

    `look` gives at least one finding. It may raise `CannotSee`, `Unseen`, `FileUnread`, `NotLoaded`, `SwitchUnavailable` or
    `SwitchRefused`: then the check was not made, and that is said.
    """

    name: str
    question: str
    faults: tuple[Fault, ...]
    look: Callable[[Patient], Awaitable[list[Finding]]]
    deadline: float = DEADLINE  # seconds
